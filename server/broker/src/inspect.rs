//! What can be seen of sessions from outside, connected or away.

mod retained;

use std::collections::BTreeMap;

use ebbtide_protocol::ByteString;
use ebbtide_store::WallTime;
use parking_lot::Mutex;

pub use self::retained::RetainedPart;
use crate::{Broker, registry::Registry, route::mailbox::Mailbox};

/// One session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// Its client.
    pub client_id: ByteString,
    /// Its user; `None`: anonymous.
    pub user: Option<ByteString>,
    /// Whether a connection holds it.
    pub connected: bool,
    /// Messages that wait and have not been sent.
    pub queue_messages: u64,
    /// Bytes of their topics and payloads.
    pub queue_bytes: u64,
    /// What it has lost since its client was told last.
    pub dropped: Option<Dropped>,
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
    pub fn session(&self, client_id: &str) -> Option<SessionInfo> {
        registry(self).inspect(client_id)
    }

    /// So many sessions, ascending by client id, beginning behind `after`.
    #[must_use]
    pub fn sessions(&self, after: Option<&str>, count: usize) -> Vec<SessionInfo> {
        let ids = registry(self).client_ids(after, count);
        let found = ids.iter().map(|id| registry(self).inspect(id));
        found.flatten().collect()
    }
}

impl SessionInfo {
    pub(crate) fn new(
        client_id: ByteString,
        user: Option<ByteString>,
        connected: bool,
        mailbox: &Mailbox,
    ) -> Self {
        let (queue_messages, queue_bytes) = mailbox.waiting();
        let dropped = mailbox.losses.get().map(|row| Dropped {
            count: row.count,
            first_at: row.first_at,
            last_at: row.last_at,
        });
        Self {
            client_id,
            user,
            connected,
            queue_messages: queue_messages as u64,
            queue_bytes,
            dropped,
        }
    }
}

fn registry(broker: &Broker) -> &Registry {
    &broker.shared.registry
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
