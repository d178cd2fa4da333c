//! What has become of the live copies of retained messages while snapshots stand before them. A snapshot leaves a value that has changed
//! since to its live copy; one whose live copy was dropped it has to bring itself.
//!
//! Nothing is noted while there is no snapshot.

use std::collections::hash_map::Entry;

use ebbtide_protocol::TopicName;
use rustc_hash::FxHashMap;

use super::Mailbox;
use crate::fates::TopicKey;

/// So many topics are noted. What changes beyond is left to live copies, whether they come or not.
const TOPICS_MAX: usize = 16 * 1024;

#[derive(Debug, Default)]
pub(super) struct Changes {
    /// The number of the last snapshot; 0: none is under way.
    last: u32,
    /// Once there is any.
    topics: Option<Box<FxHashMap<TopicKey, Change>>>,
}

/// By the last snapshots that stand before it.
#[derive(Debug, Default)]
struct Change {
    /// A live copy was queued.
    queued: u32,
    /// One was dropped that had no value before it: no snapshot before it has promised any.
    new: u32,
    /// The last change, whatever became of it: what is new behind it was there when the snapshot began, and cleared since.
    last: u32,
}

impl Changes {
    /// From now on changes are those behind this snapshot.
    pub fn begin(&mut self) -> u32 {
        self.last += 1;
        self.last
    }

    /// All snapshots are out.
    pub fn end(&mut self) {
        if self.last > 0 {
            *self = Self::default();
        }
    }

    fn note(&mut self, topic: &TopicName, is_queued: bool, replaces: bool) {
        if self.last == 0 {
            return;
        }
        let topics = self.topics.get_or_insert_default();
        let is_full = topics.len() >= TOPICS_MAX;
        let change = match topics.entry(TopicKey::of(topic)) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(_) if is_full => return,
            Entry::Vacant(entry) => entry.insert(Change::default()),
        };
        if is_queued {
            change.queued = self.last;
        } else if !replaces && change.last < self.last {
            change.new = self.last;
        }
        change.last = self.last;
    }
}

impl Mailbox {
    /// The live copy of a retained message has been queued, or dropped. `replaces`: its topic had a value before. The caller holds the
    /// order lock, since before the message was retained.
    pub fn note_change(&self, topic: &TopicName, is_queued: bool, replaces: bool) {
        let mut state = self.state.lock();
        state.changes.note(topic, is_queued, replaces);
    }

    /// Whether the topic, which has changed since this snapshot, has no live copy behind it, though it had a value before.
    pub fn has_missed(&self, topic: &TopicName, snapshot: u32) -> bool {
        let state = self.state.lock();
        let topics = state.changes.topics.as_ref();
        let change = topics.and_then(|topics| topics.get(&TopicKey::of(topic)));
        change.is_some_and(|change| change.queued < snapshot && change.new < snapshot)
    }
}
