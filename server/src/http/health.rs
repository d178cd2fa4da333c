//! `/healthz`: the program runs. `/readyz`: it also keeps what it acknowledges.

use axum::{extract::State, http::StatusCode};
use ebbtide_broker::NoRoom;

use super::App;

pub async fn alive() -> &'static str {
    "alive\n"
}

pub async fn ready(State(app): State<App>) -> (StatusCode, &'static str) {
    let sentence = match app.surroundings.broker.no_room() {
        None => return (StatusCode::OK, "ready\n"),
        Some(NoRoom::Full) => "the disk is full: what would have to be kept is refused\n",
        Some(NoRoom::Failed) => {
            "the store does not work: what would have to be kept is refused until it does again\n"
        }
    };
    (StatusCode::SERVICE_UNAVAILABLE, sentence)
}
