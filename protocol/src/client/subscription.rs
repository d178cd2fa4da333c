//! One subscription: who uses it, and how far the server is with it. Values and their own changes only.

use super::{Millis, SubscriptionChange};
use crate::{PacketId, TopicFilter, packet::SubscriptionOptions};

/// Names one use of a filter, from `subscribe` to `unsubscribe`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionHandle(pub(super) u32);

/// An event of a subscription.
pub(super) type Change = (SubscriptionHandle, SubscriptionChange);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The server must hear of it.
    Unsent,
    /// SUBSCRIBE is on its way.
    Asked(PacketId),
    /// Granted; retained messages may still come.
    Snapshot(Snapshot),
    /// Granted.
    Live,
    /// The server said no.
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Snapshot {
    /// Granted; a PINGREQ must go out.
    Pingless,
    /// The answer to this PINGREQ ends it, or begins the quiet.
    Ping(u64),
    /// Complete at this time unless something comes.
    Quiet(Millis),
}

#[derive(Debug)]
pub(super) struct Entry {
    /// Serves as Subscription Identifier as well. Ascending within the list.
    pub(super) identifier: u32,
    pub(super) filter: TopicFilter,
    pub(super) options: SubscriptionOptions,
    /// Never empty. The flag: the snapshot under way is for this handle.
    pub(super) handles: Vec<(SubscriptionHandle, bool)>,
    pub(super) stage: Stage,
}

#[derive(Debug)]
pub(super) struct Ending {
    pub(super) handle: SubscriptionHandle,
    pub(super) filter: TopicFilter,
    pub(super) packet_id: Option<PacketId>,
}

impl Entry {
    /// No retained messages are awaited any more.
    pub(super) fn settle(&mut self) {
        self.stage = Stage::Live;
        for (_, wants_snapshot) in &mut self.handles {
            *wants_snapshot = false;
        }
    }

    /// The same event for each handle that waits for it.
    pub(super) fn tell(&self, change: SubscriptionChange) -> Vec<Change> {
        self.handles
            .iter()
            .filter(|(_, wants_snapshot)| *wants_snapshot)
            .map(|(handle, _)| (*handle, change))
            .collect()
    }
}
