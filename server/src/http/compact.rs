//! `POST /api/v1/compact`: the store goes into a new, smaller file while the broker goes on.

use std::{ops::ControlFlow, time::Instant};

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use ebbtide_api::{CompactRequest, CompactResponse};
use ebbtide_store::redb::compact::CompactError;

use super::{
    App,
    api::{file, json},
    problem::Problem,
};

/// Answers when it is done. It goes on if the client goes away, and ends when the broker stops.
pub async fn compact(
    State(app): State<App>,
    request: Request,
) -> Result<Json<CompactResponse>, Problem> {
    let CompactRequest {} = json(request).await?;
    let permit = app.begin_maintenance()?;
    let store = file(&app)?;
    let work = move || {
        let _permit = permit;
        let started = Instant::now();
        let compacted = store.compact(&mut |_| match app.door.is_closed() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        });
        match &compacted {
            Ok(done) => tracing::info!(
                before_bytes = done.before_bytes,
                after_bytes = done.after_bytes,
                paused = ?done.paused,
                took = ?started.elapsed(),
                "the store was compacted"
            ),
            Err(error) => tracing::warn!(%error, "the store was not compacted"),
        }
        compacted
    };
    let unavailable = |why: String| Problem::new(StatusCode::SERVICE_UNAVAILABLE, why);
    let compacted = tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| unavailable(error.to_string()))?;
    let done = compacted.map_err(|error| match error {
        CompactError::UnderWay => Problem::new(StatusCode::CONFLICT, format!("{error}.")),
        error => unavailable(format!("Nothing was compacted: {error}.")),
    })?;
    Ok(Json(CompactResponse {
        before_bytes: done.before_bytes,
        after_bytes: done.after_bytes,
        paused_ms: u64::try_from(done.paused.as_millis()).unwrap_or(u64::MAX),
    }))
}
