//! What can be seen of sessions from outside, connected or away.

mod list;
pub(crate) mod queue;
mod retained;
mod why;

use std::{
    collections::{BTreeMap, BinaryHeap},
    sync::Arc,
};

use ebbtide_protocol::{ByteString, TopicFilter, Version, packet::SubscriptionOptions};
use ebbtide_store::{SubscriptionRow, WallTime};
use parking_lot::Mutex;

pub(crate) use self::why::known;
pub use self::{
    list::{SessionList, SessionOrder, SessionPosition, SessionSelection},
    queue::{QueueEntry, QueuePart, QueuedContent},
    retained::RetainedPart,
    why::Known,
};
use crate::{Broker, Now, Origin, route::mailbox::Mailbox, session::Session};

/// One session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// Its client.
    pub client_id: ByteString,
    /// Its user; `None`: anonymous.
    pub user: Option<ByteString>,
    /// The connection that holds it; `None`: it is away.
    pub connection: Option<ConnectionInfo>,
    /// While it is away: since when.
    pub disconnected_at: Option<WallTime>,
    /// Session Expiry Interval, seconds; `u32::MAX`: it never ends.
    pub session_expiry_interval: u32,
    /// While it is away: when it ends.
    pub expires_at: Option<WallTime>,
    /// How many.
    pub subscriptions: u32,
    /// QoS 1 and 2 messages that it was sent and has not acknowledged.
    pub in_flight: u32,
    /// Messages that wait and have not been sent.
    pub queue_messages: u64,
    /// Bytes of their topics, payloads and properties.
    pub queue_bytes: u64,
    /// What it has lost since its client was told last.
    pub dropped: Option<Dropped>,
}

/// The connection of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// What it speaks.
    pub version: Version,
    /// Where it comes from.
    pub origin: Arc<Origin>,
    /// Since when.
    pub connected_at: WallTime,
    /// The keep alive in force, seconds; 0: none.
    pub keep_alive_s: u16,
    /// Session Expiry Interval as granted, seconds.
    pub session_expiry_interval: u32,
}

/// One subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionInfo {
    /// As the client gave it.
    pub filter: TopicFilter,
    /// How it wants its messages.
    pub options: SubscriptionOptions,
    /// Subscription Identifier.
    pub identifier: Option<u32>,
}

impl SubscriptionInfo {
    fn of(row: &SubscriptionRow) -> Self {
        Self {
            filter: row.filter.clone(),
            options: row.options,
            identifier: row.identifier,
        }
    }
}

/// Some of a session's subscriptions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubscriptionPart {
    /// How many there are in all.
    pub total: u64,
    /// Ascending by filter.
    pub subscriptions: Vec<SubscriptionInfo>,
    /// There are more.
    pub has_more: bool,
}

/// So many subscriptions, ascending by filter, beginning behind `after`.
pub(crate) fn subscriptions(
    session: &Session,
    after: Option<&str>,
    count: usize,
) -> SubscriptionPart {
    let mut first: BinaryHeap<&TopicFilter> = BinaryHeap::with_capacity(count + 1);
    let mut has_more = false;
    for filter in session.subscriptions.filters() {
        if after.is_none_or(|after| filter.as_str() > after) {
            first.push(filter);
            if first.len() > count {
                first.pop();
                has_more = true;
            }
        }
    }
    let rows = first.into_sorted_vec().into_iter();
    let rows = rows.filter_map(|filter| session.subscriptions.get(filter));
    SubscriptionPart {
        total: session.subscriptions.len() as u64,
        subscriptions: rows
            .map(|subscribed| SubscriptionInfo::of(&subscribed.row))
            .collect(),
        has_more,
    }
}

/// Messages that a session was to get and did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// How many.
    pub count: u64,
    /// When the first was dropped.
    pub first_at: WallTime,
    /// When the last was dropped.
    pub last_at: WallTime,
}

/// Who has lost messages to limits, or to damage of the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LostSince {
    /// By client id: how many. The first few that lost any.
    pub sessions: BTreeMap<ByteString, u64>,
    /// How many messages others have lost.
    pub others: u64,
}

/// So many sessions that lose messages are named.
const NAMED_MAX: usize = 20;

/// Who has lost messages since somebody looked, for the log.
#[derive(Debug, Default)]
pub(crate) struct RecentLosses(Mutex<LostSince>);

impl RecentLosses {
    /// This client's session has lost a message.
    pub fn add(&self, client_id: &ByteString) {
        let LostSince { sessions, others } = &mut *self.0.lock();
        if let Some(count) = sessions.get_mut(client_id) {
            *count += 1;
        } else if sessions.len() < NAMED_MAX {
            sessions.insert(client_id.clone(), 1);
        } else {
            *others += 1;
        }
    }

    fn take(&self) -> LostSince {
        std::mem::take(&mut self.0.lock())
    }
}

impl Broker {
    /// What sessions have lost since this was called last.
    #[must_use]
    pub fn take_losses(&self) -> LostSince {
        self.shared.recent_losses.take()
    }

    /// The session of this client, if there is one.
    #[must_use]
    pub fn session(&self, client_id: &str, now: Now) -> Option<SessionInfo> {
        let registry = &self.shared.registry;
        registry.inspect(client_id, |seen| seen.info(now))
    }
}

/// A session as it is found. Nothing of it is read before it is asked for: with many of them that is what takes time.
pub(crate) struct Seen<'a> {
    pub client_id: &'a ByteString,
    pub holder: Holder<'a>,
}

/// Who has a session.
pub(crate) enum Holder<'a> {
    /// It is away.
    Nobody(&'a Session),
    /// Its connection. Without `info` it is only borrowed.
    Connection {
        user: &'a Option<ByteString>,
        mailbox: &'a Mailbox,
        info: Option<&'a ConnectionInfo>,
    },
}

impl<'a> Seen<'a> {
    fn user(&self) -> &'a Option<ByteString> {
        match self.holder {
            Holder::Nobody(session) => &session.user,
            Holder::Connection { user, .. } => user,
        }
    }

    fn mailbox(&self) -> &'a Mailbox {
        match self.holder {
            Holder::Nobody(session) => &session.mailbox,
            Holder::Connection { mailbox, .. } => mailbox,
        }
    }

    fn connection(&self) -> Option<&'a ConnectionInfo> {
        match self.holder {
            Holder::Nobody(_) => None,
            Holder::Connection { info, .. } => info,
        }
    }

    fn away(&self) -> Option<&'a Session> {
        match self.holder {
            Holder::Nobody(session) => Some(session),
            Holder::Connection { .. } => None,
        }
    }

    pub fn info(&self, now: Now) -> SessionInfo {
        let (mailbox, connection, away) = (self.mailbox(), self.connection(), self.away());
        let (queue_messages, queue_bytes) = mailbox.backlog();
        let dropped = mailbox.losses.get().map(|row| Dropped {
            count: row.count,
            first_at: row.first_at,
            last_at: row.last_at,
        });
        let granted = connection.map(|connection| connection.session_expiry_interval);
        let kept = away.map(|session| session.session_expiry_interval);
        let expires_at = away.and_then(|session| session.expires_at);
        SessionInfo {
            client_id: self.client_id.clone(),
            user: self.user().clone(),
            connection: connection.cloned(),
            disconnected_at: away.and_then(|session| session.disconnected_at),
            session_expiry_interval: granted.or(kept).unwrap_or(0),
            expires_at: expires_at.map(|at| {
                let left_ms = at.0.saturating_sub(now.monotonic.0);
                WallTime(now.wall.0.saturating_add(left_ms))
            }),
            subscriptions: mailbox.gauges.subscriptions(),
            in_flight: mailbox.gauges.in_flight(),
            queue_messages,
            queue_bytes,
            dropped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_sessions_are_named_and_the_rest_is_counted() {
        let recent = RecentLosses::default();
        for n in 0..2 * NAMED_MAX {
            let client_id: ByteString = format!("{n:03}").into();
            recent.add(&client_id);
            recent.add(&client_id);
        }
        let lost = recent.take();
        assert_eq!(lost.sessions.len(), NAMED_MAX);
        assert!(lost.sessions.values().all(|count| *count == 2));
        assert_eq!(lost.others, 2 * NAMED_MAX as u64);
        assert_eq!(recent.take(), LostSince::default());
    }
}
