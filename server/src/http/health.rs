//! `/healthz`: the program runs. `/readyz`: it also keeps what it acknowledges.

use axum::{extract::State, http::StatusCode};

use super::App;

pub async fn alive() -> &'static str {
    "alive\n"
}

pub async fn ready(State(app): State<App>) -> (StatusCode, &'static str) {
    if app.surroundings.broker.is_healthy() {
        (StatusCode::OK, "ready\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the store does not work: nothing that needs the disk is acknowledged\n",
        )
    }
}
