//! What a subscription is still to be answered with. It stands in a session's mailbox; how it is carried out is in
//! `connection/snapshot.rs`.

use ebbtide_protocol::{TopicFilter, packet::SubscriptionOptions};
use ebbtide_store::Revision;

/// The retained messages that a subscription is to be answered with, in chunks, at this point of the queue.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub filter: TopicFilter,
    pub options: SubscriptionOptions,
    pub identifier: Option<u32>,
    /// The SUBSCRIBE that asked for it.
    pub generation: u64,
    /// Values of a later revision are left to the live copies that stand behind this point, if they do.
    pub revision: Revision,
    /// Counts those that are under way: what has been noted since of changes is by this number.
    pub number: u32,
    /// The number of the reply that it comes after: SUBACK.
    pub after_reply: u64,
    /// The topic, or the first levels of some, that it has come to.
    pub position: Option<String>,
    /// All of it has been queued; some that nobody keeps may not be sent yet.
    pub is_complete: bool,
}

/// The place behind the snapshots of one SUBSCRIBE that asked to be told of their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// Its Subscription Identifier; 0: it has none.
    pub identifier: u32,
    /// The SUBSCRIBE that asked.
    pub generation: u64,
    /// The number of its SUBACK among the replies.
    pub after_reply: u64,
}

impl Snapshot {
    /// Memory it holds, roughly.
    pub fn bytes(&self) -> usize {
        self.filter.as_str().len() + size_of::<Self>()
    }
}
