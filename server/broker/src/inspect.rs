//! What can be seen of sessions from outside, connected or away.

use ebbtide_protocol::ByteString;
use ebbtide_store::WallTime;

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

impl Broker {
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
