//! `GET /api/v1/sessions` and `/api/v1/sessions/{client id}`: who is there or away, what waits, and what was lost.

use axum::{Json, extract::State, http::StatusCode};
use ebbtide_api::{DroppedMessages, Session, SessionPage, SessionQuery};
use ebbtide_broker::{SessionInfo, rfc3339};

use super::{
    App,
    extract::{InPath, InQuery, within},
    problem::Problem,
};

/// Sessions on a page if nothing else is asked for, and at the most.
const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1000;

/// A page of sessions, ascending by client id.
pub async fn list(
    State(app): State<App>,
    InQuery(query): InQuery<SessionQuery>,
) -> Result<Json<SessionPage>, Problem> {
    let limit = within("limit", query.limit, LIMIT_DEFAULT, 1..=LIMIT_MAX)?;
    let (broker, _) = app.surroundings.broker.get();
    let sessions = broker.sessions(query.after.as_deref(), limit);
    let next = (sessions.len() == limit)
        .then(|| sessions.last().map(|last| last.client_id.to_string()))
        .flatten();
    Ok(Json(SessionPage {
        sessions: sessions.into_iter().map(shown).collect(),
        next,
    }))
}

/// One session.
pub async fn one(
    State(app): State<App>,
    InPath(client_id): InPath<String>,
) -> Result<Json<Session>, Problem> {
    let (broker, _) = app.surroundings.broker.get();
    let session = broker.session(&client_id);
    session.map(shown).map(Json).ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "There is no session of this client id.",
        )
    })
}

fn shown(session: SessionInfo) -> Session {
    Session {
        client_id: session.client_id.to_string(),
        user: session.user.map(|user| user.to_string()),
        connected: session.connected,
        queue_messages: session.queue_messages,
        queue_bytes: session.queue_bytes,
        dropped: session.dropped.map(|dropped| DroppedMessages {
            count: dropped.count,
            first: rfc3339(dropped.first_at),
            last: rfc3339(dropped.last_at),
        }),
    }
}
