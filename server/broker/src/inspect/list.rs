//! Pages of sessions: those that are wanted, in the order that is wanted. What is remembered meanwhile is one page.

use std::{cmp::Ordering, collections::BinaryHeap};

use ebbtide_protocol::ByteString;

use super::{Seen, SessionInfo};
use crate::{Broker, Now};

/// By what sessions are ordered; those that are equal by client id. What has no such value comes last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionOrder {
    /// Client id.
    #[default]
    ClientId,
    /// When the client connected.
    ConnectedAt,
    /// When it went.
    DisconnectedAt,
    /// When the session ends.
    ExpiresAt,
    /// How much waits.
    QueueMessages,
    /// How many bytes wait.
    QueueBytes,
    /// How many subscriptions.
    Subscriptions,
    /// How much is not acknowledged.
    InFlight,
    /// How much was lost.
    Dropped,
}

/// Which sessions are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionSelection {
    /// Whose client id, user or address contains this, whatever the case of its ASCII letters.
    pub text: Option<String>,
    /// Only those that are connected, or only those that are away.
    pub connected: Option<bool>,
    /// In this order.
    pub order: SessionOrder,
    /// The greatest first. Of equal ones the client ids ascend all the same.
    pub descending: bool,
    /// Behind this one.
    pub after: Option<SessionPosition>,
    /// So many.
    pub count: usize,
}

/// The place of a session in an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionPosition {
    /// What it is ordered by.
    pub value: u64,
    /// Its client.
    pub client_id: ByteString,
}

/// What was selected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionList {
    /// In the order wanted.
    pub sessions: Vec<SessionInfo>,
    /// How many there are in all, on this page or not.
    pub total: u64,
    /// Where the next page begins; `None`: this is the last one.
    pub next: Option<SessionPosition>,
}

impl Broker {
    /// Sessions as selected. It looks at all of them, and nobody connects meanwhile.
    #[must_use]
    pub fn sessions(&self, selection: &SessionSelection, now: Now) -> SessionList {
        let text = selection.text.as_deref().map(str::as_bytes);
        let text = text.filter(|text| !text.is_empty());
        let direction = Direction::of(selection);
        let mut first: BinaryHeap<Ranked> = BinaryHeap::with_capacity(selection.count + 1);
        let after = selection.after.as_ref();
        let (mut total, mut has_more) = (0, false);
        self.shared.registry.inspect_all(|seen| {
            let is_wanted = selection
                .connected
                .is_none_or(|wanted| wanted == seen.connection().is_some())
                && text.is_none_or(|text| is_found(&seen, text));
            if !is_wanted {
                return;
            }
            total += 1;
            let place = (value(&seen, selection), &**seen.client_id);
            let is_before = after.is_some_and(|after| {
                direction
                    .compare(place, (after.value, &after.client_id))
                    .is_le()
            });
            if is_before {
                return;
            }
            if first.len() == selection.count {
                has_more = true;
                if first
                    .peek()
                    .is_none_or(|last| direction.compare(place, last.place()).is_gt())
                {
                    return;
                }
                first.pop();
            }
            first.push(Ranked {
                value: place.0,
                client_id: seen.client_id.clone(),
                direction,
            });
        });
        let first = first.into_sorted_vec();
        let last = first.last().filter(|_| has_more);
        let next = last.map(|last| SessionPosition {
            value: last.value,
            client_id: last.client_id.clone(),
        });
        let sessions = first.iter();
        SessionList {
            sessions: sessions
                .filter_map(|ranked| self.session(&ranked.client_id, now))
                .collect(),
            total,
            next,
        }
    }
}

/// `text` is not empty.
fn is_found(seen: &Seen<'_>, text: &[u8]) -> bool {
    let contains = |whole: &str| {
        let mut windows = whole.as_bytes().windows(text.len());
        windows.any(|window| window.eq_ignore_ascii_case(text))
    };
    contains(seen.client_id)
        || seen.user().as_deref().is_some_and(contains)
        || seen
            .connection()
            .is_some_and(|connection| contains(&connection.origin.address))
}

fn value(seen: &Seen<'_>, selection: &SessionSelection) -> u64 {
    let value = match selection.order {
        SessionOrder::ClientId => Some(0),
        SessionOrder::ConnectedAt => seen.connection().map(|one| one.connected_at.0),
        SessionOrder::DisconnectedAt => {
            let at = seen.away().and_then(|session| session.disconnected_at);
            at.map(|at| at.0)
        }
        SessionOrder::ExpiresAt => {
            let at = seen.away().and_then(|session| session.expires_at);
            at.map(|at| at.0)
        }
        SessionOrder::QueueMessages => Some(seen.mailbox().backlog().0),
        SessionOrder::QueueBytes => Some(seen.mailbox().backlog().1),
        SessionOrder::Subscriptions => Some(seen.mailbox().gauges.subscriptions().into()),
        SessionOrder::InFlight => Some(seen.mailbox().gauges.in_flight().into()),
        SessionOrder::Dropped => Some(seen.mailbox().losses.get().map_or(0, |row| row.count)),
    };
    // Last in either direction.
    let none = if selection.descending { 0 } else { u64::MAX };
    value.unwrap_or(none)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Direction {
    values_descend: bool,
    client_ids_descend: bool,
}

impl Direction {
    fn of(selection: &SessionSelection) -> Self {
        let is_by_client_id = selection.order == SessionOrder::ClientId;
        Self {
            values_descend: selection.descending,
            client_ids_descend: selection.descending && is_by_client_id,
        }
    }

    /// Greater is further behind.
    fn compare(self, place: (u64, &str), other: (u64, &str)) -> Ordering {
        let turned = |order: Ordering, is_turned| match is_turned {
            true => order.reverse(),
            false => order,
        };
        let by_value = turned(place.0.cmp(&other.0), self.values_descend);
        by_value.then_with(|| turned(place.1.cmp(other.1), self.client_ids_descend))
    }
}

/// Greater is further behind.
#[derive(Debug, PartialEq, Eq)]
struct Ranked {
    value: u64,
    client_id: ByteString,
    direction: Direction,
}

impl Ranked {
    fn place(&self) -> (u64, &str) {
        (self.value, &self.client_id)
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        self.direction.compare(self.place(), other.place())
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
