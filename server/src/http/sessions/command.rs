//! A command to a session reaches whoever owns it now: asked again when that changes.

use axum::http::StatusCode;
use ebbtide_broker::{Broker, Command, NotDone, Outcome};

use crate::http::{App, commit::DEADLINE, problem::Problem};

/// A session seldom changes hands while somebody asks.
const ATTEMPTS: usize = 5;

/// Has it carried out.
pub async fn done(
    app: &App,
    broker: &Broker,
    client_id: &str,
    command: Command,
) -> Result<Outcome, Problem> {
    let unavailable = |detail: &str| Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
    for _ in 0..ATTEMPTS {
        let now = app.surroundings.clock.now();
        let pending = broker.command(client_id, command.clone(), now);
        let pending = pending.ok_or_else(no_session)?;
        match tokio::time::timeout(DEADLINE, pending).await {
            Ok(Ok(outcome)) => return Ok(outcome),
            Ok(Err(NotDone::Lost)) => tokio::task::yield_now().await,
            Ok(Err(NotDone::Busy)) => {
                return Err(unavailable(
                    "Too much is asked of this session at once; try again.",
                ));
            }
            Err(_) => {
                return Err(unavailable(
                    "The connection of this session does not answer; try again later.",
                ));
            }
        }
    }
    Err(unavailable(
        "The session went from one connection to the next; try again.",
    ))
}

pub fn no_session() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "There is no session of this client id.",
    )
}

/// The core answers a command by its own outcome.
pub fn unexpected() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "The session gave the answer to another question: this is a fault of the broker.",
    )
}
