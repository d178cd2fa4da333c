//! A subscription that was acknowledged is there, one whose removal was acknowledged is not.

use std::{collections::BTreeMap, sync::Arc};

use super::{Counts, Fault, Kind};
use crate::ledger::book::{Client, Entry, Event};

/// What is known of a subscription, and from which entry.
#[derive(Clone, Copy)]
enum Known {
    Is(bool, usize),
    /// A change was under way.
    Unknown,
}

pub fn check(book: &[Entry], counts: &mut Counts, faults: &mut Vec<Fault>) {
    let mut all: BTreeMap<(Client, Arc<str>), Known> = BTreeMap::new();
    for (at, entry) in book.iter().enumerate() {
        let (client, filter, known) = match &entry.event {
            Event::Subscribing { client, filter } | Event::Unsubscribing { client, filter } => {
                (client, filter, Known::Unknown)
            }
            Event::Subscribed { client, filter } => (client, filter, Known::Is(true, at)),
            Event::Unsubscribed { client, filter } => (client, filter, Known::Is(false, at)),
            Event::Probed {
                client,
                filter,
                arrived,
            } => {
                counts.subscriptions += 1;
                let expected = all.get(&(*client, Arc::clone(filter))).copied();
                if let Known::Is(expected, since) = expected.unwrap_or(Known::Is(false, 0))
                    && expected != *arrived
                {
                    let what = format!(
                        "{filter} of {}: {}",
                        client.0,
                        match expected {
                            true => "subscribed to, and gone",
                            false => "not subscribed to, and there",
                        }
                    );
                    faults.push(Fault::new(Kind::Subscription, [since, at], what));
                }
                (client, filter, Known::Is(*arrived, at))
            }
            _ => continue,
        };
        all.insert((*client, Arc::clone(filter)), known);
    }
}
