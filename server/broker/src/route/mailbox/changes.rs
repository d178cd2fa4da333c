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
const TOPICS_MAX: usize = 256 * 1024;

#[derive(Debug, Default)]
pub(super) struct Changes {
    /// The number of the last snapshot.
    last: u64,
    is_watched: bool,
    topics: FxHashMap<TopicKey, Change>,
}

/// By the last snapshots that stand before it.
#[derive(Debug, Default)]
struct Change {
    /// A live copy was queued.
    queued: u64,
    /// One was dropped that had no value before it: no snapshot before it has promised any.
    new: u64,
}

impl Changes {
    /// From now on changes are those behind this snapshot.
    pub fn begin(&mut self) -> u64 {
        self.is_watched = true;
        self.last += 1;
        self.last
    }

    /// All snapshots are out.
    pub fn end(&mut self) {
        if self.is_watched {
            self.is_watched = false;
            self.topics = FxHashMap::default();
        }
    }

    /// A live copy is queued, or dropped. `replaces`: its topic had a value before.
    pub fn note(&mut self, topic: &TopicName, is_queued: bool, replaces: bool) {
        if !self.is_watched {
            return;
        }
        let is_full = self.topics.len() >= TOPICS_MAX;
        let change = match self.topics.entry(TopicKey::of(topic)) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(_) if is_full => return,
            Entry::Vacant(entry) => entry.insert(Change::default()),
        };
        if is_queued {
            change.queued = self.last;
        } else if !replaces {
            change.new = self.last;
        }
    }
}

impl Mailbox {
    /// Whether the topic, which has changed since this snapshot, has no live copy behind it, though it had a value before.
    pub fn has_missed(&self, topic: &TopicName, snapshot: u64) -> bool {
        let state = self.state.lock();
        let change = state.changes.topics.get(&TopicKey::of(topic));
        change.is_some_and(|change| change.queued < snapshot && change.new < snapshot)
    }
}
