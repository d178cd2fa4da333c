//! `/api/v1/events`: what happens, as server-sent events, for as long as the client listens.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;

use super::{App, access::Caller, problem::Problem};
use crate::events::LISTENERS_MAX;

/// A comment is sent after so long without an event, so that nobody in between takes the connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Streams until the client goes, the broker stops, or what the client has shown does not count any more.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    operation_id = "listenToEvents",
    tag = "events",
    responses((status = 200, description = "A stream of server-sent events; the data of each is one of these.", body = ebbtide_api::Event, content_type = "text/event-stream"), Problem)
)]
pub async fn listen(State(app): State<App>, caller: Caller) -> Result<Response, Problem> {
    let listener = app.events.listen().ok_or_else(|| {
        let detail = format!("{LISTENERS_MAX} listen already; try again when one has gone.");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    })?;
    let door = app.door.clone();
    let ended = Box::pin(async move { caller.ended(&app).await });
    let state = (listener, door, ended);
    let events = stream::unfold(state, |(mut listener, mut door, mut ended)| async move {
        let told = tokio::select! {
            told = listener.next() => told?,
            () = door.closed() => return None,
            () = &mut ended => return None,
        };
        let event = Event::default().event(told.name).data(&told.data);
        Some((Ok::<_, Infallible>(event), (listener, door, ended)))
    });
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    let mut response = Sse::new(events).keep_alive(keep_alive).into_response();
    // nginx would keep events back until it has a buffer full of them.
    response.headers_mut().insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    Ok(response)
}
