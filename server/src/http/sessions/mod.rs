//! `/api/v1/sessions`: who is there or away, what waits, what was lost; and what is done to a session.

mod command;
pub mod queue;
pub mod why;

use axum::{Json, extract::State, http::StatusCode};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ebbtide_api::{
    DisconnectRequest, Done, DroppedMessages, Order, Session, SessionConnection, SessionPage,
    SessionQuery, SessionSort, SessionState, Subscription, SubscriptionPage, SubscriptionQuery,
};
use ebbtide_broker::{
    Command, Outcome, SessionInfo, SessionOrder, SessionPosition, SessionSelection,
    SubscriptionInfo, rfc3339,
};
use ebbtide_protocol::version::SESSION_NEVER_EXPIRES;

use self::command::{done, no_session, unexpected};
use super::{
    App,
    commit::committed,
    extract::{InBody, InPath, InQuery, bad, within},
    problem::Problem,
};
use crate::events::protocol;

/// Entries on a page if nothing else is asked for, and at the most.
const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1000;

/// A page of sessions.
#[utoipa::path(
    get,
    path = "/api/v1/sessions",
    operation_id = "listSessions",
    tag = "sessions",
    params(SessionQuery),
    responses((status = 200, description = "A page.", body = SessionPage), Problem)
)]
pub async fn list(
    State(app): State<App>,
    InQuery(query): InQuery<SessionQuery>,
) -> Result<Json<SessionPage>, Problem> {
    let selection = SessionSelection {
        text: query.q,
        connected: query.state.map(|state| state == SessionState::Connected),
        order: order(query.sort),
        descending: query.order == Order::Desc,
        after: query.cursor.map(|cursor| position(&cursor)).transpose()?,
        count: within("limit", query.limit, LIMIT_DEFAULT, 1..=LIMIT_MAX)?,
    };
    let (broker, _) = app.surroundings.broker.get();
    let now = app.surroundings.clock.now();
    let list = broker.sessions(&selection, now);
    Ok(Json(SessionPage {
        sessions: list
            .sessions
            .into_iter()
            .map(|session| shown(session, now.wall.0))
            .collect(),
        total: list.total,
        next: list.next.map(|position| {
            let text = format!("{}/{}", position.value, position.client_id);
            URL_SAFE_NO_PAD.encode(text)
        }),
    }))
}

/// One session.
#[utoipa::path(
    get,
    path = "/api/v1/sessions/{client_id}",
    operation_id = "getSession",
    tag = "sessions",
    params(("client_id" = String, Path, description = "A client id, percent-encoded.")),
    responses((status = 200, description = "The session.", body = Session), Problem)
)]
pub async fn one(
    State(app): State<App>,
    InPath(client_id): InPath<String>,
) -> Result<Json<Session>, Problem> {
    let (broker, _) = app.surroundings.broker.get();
    let now = app.surroundings.clock.now();
    let session = broker.session(&client_id, now).ok_or_else(no_session)?;
    Ok(Json(shown(session, now.wall.0)))
}

/// A page of its subscriptions.
#[utoipa::path(
    get,
    path = "/api/v1/sessions/{client_id}/subscriptions",
    operation_id = "listSubscriptions",
    tag = "sessions",
    params(("client_id" = String, Path, description = "A client id, percent-encoded."), SubscriptionQuery),
    responses((status = 200, description = "A page.", body = SubscriptionPage), Problem)
)]
pub async fn subscriptions(
    State(app): State<App>,
    InPath(client_id): InPath<String>,
    InQuery(query): InQuery<SubscriptionQuery>,
) -> Result<Json<SubscriptionPage>, Problem> {
    let command = Command::Subscriptions {
        after: query.cursor.map(|cursor| decode(&cursor)).transpose()?,
        count: within("limit", query.limit, LIMIT_DEFAULT, 1..=LIMIT_MAX)?,
    };
    let (broker, _) = app.surroundings.broker.get();
    let Outcome::Subscriptions(part) = done(&app, &broker, &client_id, command).await? else {
        return Err(unexpected());
    };
    let last = part.subscriptions.last().filter(|_| part.has_more);
    Ok(Json(SubscriptionPage {
        next: last.map(|last| URL_SAFE_NO_PAD.encode(last.filter.as_str())),
        total: part.total,
        subscriptions: part.subscriptions.iter().map(subscription).collect(),
    }))
}

/// Ends its connection with 0x98; the session stays as long as it may.
#[utoipa::path(
    post,
    path = "/api/v1/sessions/{client_id}/disconnect",
    operation_id = "disconnectSession",
    tag = "sessions",
    params(("client_id" = String, Path, description = "A client id, percent-encoded.")),
    request_body = DisconnectRequest,
    responses((status = 200, description = "The connection is over.", body = Done), Problem)
)]
pub async fn disconnect(
    State(app): State<App>,
    InPath(client_id): InPath<String>,
    InBody(DisconnectRequest {}, _room): InBody<DisconnectRequest>,
) -> Result<Json<Done>, Problem> {
    let (broker, _) = app.surroundings.broker.get();
    match done(&app, &broker, &client_id, Command::Disconnect).await? {
        Outcome::Disconnected => {
            tracing::info!(client = client_id, "an operator has ended its connection");
            Ok(Json(Done {}))
        }
        _ => Err(Problem::new(
            StatusCode::CONFLICT,
            "The client is not connected.",
        )),
    }
}

/// Ends the session with all that belongs to it; answered when that is on disk.
#[utoipa::path(
    delete,
    path = "/api/v1/sessions/{client_id}",
    operation_id = "deleteSession",
    tag = "sessions",
    params(("client_id" = String, Path, description = "A client id, percent-encoded.")),
    responses((status = 200, description = "The session is off the disk.", body = Done), Problem)
)]
pub async fn delete(
    State(app): State<App>,
    InPath(client_id): InPath<String>,
) -> Result<Json<Done>, Problem> {
    let (broker, _) = app.surroundings.broker.get();
    let Outcome::Deleted(ticket) = done(&app, &broker, &client_id, Command::Delete).await? else {
        return Err(unexpected());
    };
    tracing::info!(client = client_id, "an operator has deleted its session");
    committed(&broker, ticket).await?;
    Ok(Json(Done {}))
}

fn order(sort: SessionSort) -> SessionOrder {
    match sort {
        SessionSort::ClientId => SessionOrder::ClientId,
        SessionSort::ConnectedAt => SessionOrder::ConnectedAt,
        SessionSort::DisconnectedAt => SessionOrder::DisconnectedAt,
        SessionSort::ExpiresAt => SessionOrder::ExpiresAt,
        SessionSort::QueueMessages => SessionOrder::QueueMessages,
        SessionSort::QueueBytes => SessionOrder::QueueBytes,
        SessionSort::Subscriptions => SessionOrder::Subscriptions,
        SessionSort::InFlight => SessionOrder::InFlight,
        SessionSort::Dropped => SessionOrder::Dropped,
    }
}

fn wrong_cursor() -> Problem {
    bad("cursor: give `next` of the page before, as it was")
}

fn decode(cursor: &str) -> Result<String, Problem> {
    let decoded = URL_SAFE_NO_PAD.decode(cursor).ok();
    let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(wrong_cursor)
}

fn position(cursor: &str) -> Result<SessionPosition, Problem> {
    let text = decode(cursor)?;
    let (value, client_id) = text.split_once('/').ok_or_else(wrong_cursor)?;
    Ok(SessionPosition {
        value: value.parse().map_err(|_| wrong_cursor())?,
        client_id: client_id.into(),
    })
}

fn shown(session: SessionInfo, now_ms: u64) -> Session {
    let interval = session.session_expiry_interval;
    Session {
        client_id: session.client_id.to_string(),
        user: session.user.map(|user| user.to_string()),
        connected: session.connection.is_some(),
        connection: session.connection.map(|connection| SessionConnection {
            protocol: protocol(connection.version).to_owned(),
            transport: connection.origin.transport.name().to_owned(),
            address: connection.origin.address.clone(),
            connected_at: rfc3339(connection.connected_at),
            keep_alive_s: connection.keep_alive_s,
        }),
        disconnected_at: session.disconnected_at.map(rfc3339),
        session_expiry_interval: (interval != SESSION_NEVER_EXPIRES).then_some(interval),
        expires_at: session.expires_at.map(rfc3339),
        expires_in_s: session
            .expires_at
            .map(|at| at.0.saturating_sub(now_ms) / 1000),
        subscriptions: session.subscriptions.into(),
        in_flight: session.in_flight.into(),
        queue_messages: session.queue_messages,
        queue_bytes: session.queue_bytes,
        dropped: session.dropped.map(|dropped| DroppedMessages {
            count: dropped.count,
            first: rfc3339(dropped.first_at),
            last: rfc3339(dropped.last_at),
        }),
    }
}

fn subscription(info: &SubscriptionInfo) -> Subscription {
    Subscription {
        filter: info.filter.as_str().to_owned(),
        qos: info.options.qos as u8,
        no_local: info.options.no_local,
        retain_as_published: info.options.retain_as_published,
        retain_handling: info.options.retain_handling as u8,
        identifier: info.identifier,
    }
}
