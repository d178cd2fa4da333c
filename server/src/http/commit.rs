//! An answer of success to what changes something leaves after the commit, as an acknowledgement does.

use std::{sync::Arc, task::Waker, time::Duration};

use axum::http::StatusCode;
use ebbtide_broker::{Broker, Ticket};

use super::problem::Problem;
use crate::wake::Signal;

/// How long a commit may take.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Waits until everything up to the ticket is on disk.
pub async fn committed(broker: &Broker, ticket: Ticket) -> Result<(), Problem> {
    let unavailable = |detail: &str| Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
    let journal = broker.journal();
    let signal = Signal::new();
    let waker = Waker::from(Arc::clone(&signal));
    let arrives = async {
        while !journal.is_durable(ticket) {
            if journal.is_broken() {
                return Err(unavailable(
                    "The store has failed: it is done in memory, and not on disk before the store works again.",
                ));
            }
            journal.wake_when_durable(ticket, &waker);
            signal.wait().await;
        }
        Ok(())
    };
    let arrived = tokio::time::timeout(DEADLINE, arrives).await;
    arrived.unwrap_or_else(|_| {
        Err(unavailable(
            "It was not committed in time; it may be later.",
        ))
    })
}
