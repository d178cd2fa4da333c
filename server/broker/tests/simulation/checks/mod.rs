//! What must be true of every history. One file for each promise; none knows the broker.

mod connections;
mod duplicates;
mod expiry;
mod groups;
mod keep_alive;
mod loss;
mod no_local;
mod order;
mod retained;
mod sessions;
mod snapshots;
mod wills;

use super::history::{Fact, History, SessionId};

type Check = fn(&History) -> Result<(), String>;

const CHECKS: [(&str, Check); 11] = [
    ("sessions", sessions::check),
    ("loss", loss::check),
    ("duplicates", duplicates::check),
    ("order", order::check),
    ("retained", retained::check),
    ("wills", wills::check),
    ("groups", groups::check),
    ("expiry", expiry::check),
    ("no local", no_local::check),
    ("keep alive", keep_alive::check),
    ("snapshots", snapshots::check),
];

/// The first promise that was broken, and how.
pub fn check(history: &History) -> Result<(), String> {
    for (name, check) in CHECKS {
        check(history).map_err(|what| format!("{name}: {what}"))?;
    }
    Ok(())
}

/// Whether this client takes part in a group: its messages are shared, and come in no order.
fn is_worker(history: &History, session: SessionId) -> bool {
    history.facts().any(|(_, fact)| match fact {
        Fact::Subscribes(subscription) => {
            subscription.session == session && subscription.filter.share().is_some()
        }
        _ => false,
    })
}

/// How many messages the broker has counted as lost to limits for this client; `None`: for groups.
fn lost(history: &History, client: Option<usize>) -> u64 {
    let facts = history.facts().map(|(_, fact)| match fact {
        Fact::Lost { client: of, count } if *of == client => *count,
        _ => 0,
    });
    facts.sum()
}

/// How often the broker has crashed between two places.
fn crashes(history: &History, from: usize, to: usize) -> usize {
    let facts = history.entries[from..to].iter();
    facts
        .filter(|entry| matches!(entry.fact, Fact::Crashed))
        .count()
}
