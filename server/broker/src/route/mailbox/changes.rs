//! What has become of the live copies of retained messages while snapshots stand before them. A snapshot leaves a value that has changed
//! since to its live copy; one whose live copy was dropped it has to bring itself.
//!
//! Nothing is noted while there is no snapshot.

use std::collections::hash_map::Entry;

use ebbtide_protocol::TopicName;
use rustc_hash::FxHashMap;

use super::Mailbox;
use crate::fates::TopicKey;

/// So many topics are noted, half of them whatever has become of their copies. One that is not noted has been dropped: only if there was no
/// room for another, what changes beyond is left to live copies, whether they come or not.
const TOPICS_MAX: usize = 16 * 1024;

#[derive(Debug, Default)]
pub(super) struct Changes {
    /// The number of the last snapshot; 0: none is under way.
    last: u32,
    /// The last before a change that there was no room for: of what stands behind it, not all is noted.
    unknown: u32,
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
        let count = topics.len();
        let change = match topics.entry(TopicKey::of(topic)) {
            Entry::Occupied(entry) => entry.into_mut(),
            // As if it were. If it has been cleared, and is set again, it is taken for a new one then.
            Entry::Vacant(_) if !is_queued && replaces && count >= TOPICS_MAX / 2 => return,
            Entry::Vacant(_) if count >= TOPICS_MAX => {
                self.unknown = self.last;
                return;
            }
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
        match topics.and_then(|topics| topics.get(&TopicKey::of(topic))) {
            Some(change) => change.queued < snapshot && change.new < snapshot,
            None => state.changes.unknown < snapshot,
        }
    }
}

#[cfg(test)]
mod tests {
    use ebbtide_store::Incarnation;

    use super::*;
    use crate::Limits;

    const MANY: usize = TOPICS_MAX + 1;

    fn topic(kind: &str, number: usize) -> TopicName {
        TopicName::new(format!("{kind}/{number}")).expect("a topic")
    }

    /// A mailbox, and the number of the snapshot behind which topics change.
    fn begun() -> (Mailbox, u32) {
        let mailbox = Mailbox::new(Incarnation(1), "a".into(), true, &Limits::default());
        let snapshot = mailbox.state.lock().changes.begin();
        (mailbox, snapshot)
    }

    #[test]
    fn however_many_copies_are_dropped_all_are_missed() {
        let (mailbox, snapshot) = begun();
        for number in 0..MANY {
            mailbox.note_change(&topic("dropped", number), false, true);
        }
        // There is room for these all the same.
        mailbox.note_change(&topic("queued", 0), true, true);
        mailbox.note_change(&topic("new", 0), false, false);
        let has_missed = |kind, number| mailbox.has_missed(&topic(kind, number), snapshot);
        assert!((0..MANY).all(|number| has_missed("dropped", number)));
        assert!(!has_missed("queued", 0) && !has_missed("new", 0));
    }

    /// What has a live copy must not come before it with the value of now: it would go back.
    #[test]
    fn however_many_copies_are_queued_none_is_missed() {
        let (mailbox, first) = begun();
        for number in 0..MANY {
            mailbox.note_change(&topic("queued", number), true, true);
        }
        let has_missed = |number, snapshot| mailbox.has_missed(&topic("queued", number), snapshot);
        assert!((0..MANY).all(|number| !has_missed(number, first)));
        // That was before the next snapshot.
        let second = mailbox.state.lock().changes.begin();
        for number in 0..MANY {
            mailbox.note_change(&topic("queued", number), false, true);
        }
        assert!((0..MANY).all(|number| has_missed(number, second)));
        assert!((0..MANY).all(|number| !has_missed(number, first)));
    }
}
