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

use std::collections::BTreeSet;

use super::history::{Delivery, Fact, History, SessionId};

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

/// What has come from groups: it is shared, and comes in no order.
struct Shared {
    members: BTreeSet<SessionId>,
    /// Of the members' shared subscriptions.
    identifiers: BTreeSet<u32>,
}

impl Shared {
    fn of(history: &History) -> Self {
        let mut shared = Self {
            members: BTreeSet::new(),
            identifiers: BTreeSet::new(),
        };
        for (_, fact) in history.facts() {
            if let Fact::Subscribes(subscription) = fact
                && subscription.filter.share().is_some()
            {
                shared.members.insert(subscription.session);
                shared.identifiers.extend(subscription.identifier);
            }
        }
        shared
    }

    /// A member without identifiers has no other subscription.
    fn has(&self, delivery: &Delivery) -> bool {
        let mut identifiers = delivery.identifiers.iter();
        self.members.contains(&delivery.session)
            && (delivery.identifiers.is_empty()
                || identifiers.any(|identifier| self.identifiers.contains(identifier)))
    }
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
