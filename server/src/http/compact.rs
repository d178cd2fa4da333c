//! `POST /api/v1/compact`: the store goes into a new, smaller file while the broker goes on.

use std::{ops::ControlFlow, time::Instant};

use axum::{Json, extract::State, http::StatusCode};
use ebbtide_api::{CompactRequest, CompactResponse};
use ebbtide_store::redb::compact::CompactError;

use super::{App, api::file, extract::InBody, problem::Problem};

/// Answers when it is done. It goes on if the client goes away; it ends when the broker stops, and when the disk has no room
/// for the copy: what is published comes first.
#[utoipa::path(
    post,
    path = "/api/v1/compact",
    operation_id = "compact",
    tag = "maintenance",
    request_body = CompactRequest,
    responses((status = 200, description = "The file is small.", body = CompactResponse), Problem)
)]
pub async fn compact(
    State(app): State<App>,
    InBody(CompactRequest {}, _room): InBody<CompactRequest>,
) -> Result<Json<CompactResponse>, Problem> {
    let permit = app.begin_maintenance()?;
    let store = file(&app)?;
    let work = move || {
        let _permit = permit;
        let started = Instant::now();
        let mut has_room = true;
        let compacted = store.compact(&mut |_| {
            has_room = app.surroundings.broker.no_room().is_none();
            match has_room && !app.door.is_closed() {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        });
        match &compacted {
            Ok(done) => tracing::info!(
                before_bytes = done.before_bytes,
                after_bytes = done.after_bytes,
                paused = ?done.paused,
                took = ?started.elapsed(),
                "the store was compacted"
            ),
            Err(error) => tracing::warn!(%error, has_room, "the store was not compacted"),
        }
        (compacted, has_room)
    };
    let unavailable = |why: String| Problem::new(StatusCode::SERVICE_UNAVAILABLE, why);
    let (compacted, has_room) = tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| unavailable(error.to_string()))?;
    let done = compacted.map_err(|error| match error {
        CompactError::UnderWay => Problem::new(StatusCode::CONFLICT, format!("{error}.")),
        CompactError::Stopped if !has_room => {
            unavailable("Nothing was compacted: the disk has no room for the copy.".into())
        }
        error => unavailable(format!("Nothing was compacted: {error}.")),
    })?;
    Ok(Json(CompactResponse {
        before_bytes: done.before_bytes,
        after_bytes: done.after_bytes,
        paused_ms: u64::try_from(done.paused.as_millis()).unwrap_or(u64::MAX),
    }))
}
