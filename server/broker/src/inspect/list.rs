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
    /// The other way round.
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
    /// Sessions as selected. It looks at all of them, and nobody connects meanwhile: about 10 ms for 100,000.
    #[must_use]
    pub fn sessions(&self, selection: &SessionSelection, now: Now) -> SessionList {
        let text = selection.text.as_deref().map(str::to_ascii_lowercase);
        let mut first: BinaryHeap<Ranked> = BinaryHeap::with_capacity(selection.count + 1);
        let after = selection.after.as_ref().map(|position| Ranked {
            value: position.value,
            client_id: position.client_id.clone(),
            descending: selection.descending,
        });
        let (mut total, mut has_more) = (0, false);
        self.shared.registry.inspect_all(|seen| {
            let is_connected = seen.connection.is_some();
            if selection
                .connected
                .is_some_and(|wanted| wanted != is_connected)
                || text.as_ref().is_some_and(|text| !contains(&seen, text))
            {
                return;
            }
            total += 1;
            let ranked = Ranked {
                value: value(&seen, selection),
                client_id: seen.client_id.clone(),
                descending: selection.descending,
            };
            if after.as_ref().is_none_or(|after| ranked > *after) {
                first.push(ranked);
                if first.len() > selection.count {
                    first.pop();
                    has_more = true;
                }
            }
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

fn contains(seen: &Seen<'_>, text: &str) -> bool {
    let contains = |whole: &str| whole.to_ascii_lowercase().contains(text);
    contains(seen.client_id)
        || seen.user.as_deref().is_some_and(contains)
        || seen
            .connection
            .is_some_and(|connection| contains(&connection.origin.address))
}

fn value(seen: &Seen<'_>, selection: &SessionSelection) -> u64 {
    let value = match selection.order {
        SessionOrder::ClientId => Some(0),
        SessionOrder::ConnectedAt => seen.connection.map(|one| one.connected_at.0),
        SessionOrder::DisconnectedAt => seen.disconnected_at.map(|at| at.0),
        SessionOrder::ExpiresAt => seen.expires_at.map(|at| at.0),
        SessionOrder::QueueMessages => Some(seen.mailbox.waiting().0 as u64),
        SessionOrder::QueueBytes => Some(seen.mailbox.waiting().1),
        SessionOrder::Subscriptions => Some(seen.mailbox.gauges.subscriptions().into()),
        SessionOrder::InFlight => Some(seen.mailbox.gauges.in_flight().into()),
        SessionOrder::Dropped => Some(seen.mailbox.losses.get().map_or(0, |row| row.count)),
    };
    // Last in either direction.
    let none = if selection.descending { 0 } else { u64::MAX };
    value.unwrap_or(none)
}

/// Greater is further behind.
#[derive(Debug, PartialEq, Eq)]
struct Ranked {
    value: u64,
    client_id: ByteString,
    descending: bool,
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        let ascending = (self.value, &self.client_id).cmp(&(other.value, &other.client_id));
        match self.descending {
            true => ascending.reverse(),
            false => ascending,
        }
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
