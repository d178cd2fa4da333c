//! What became lately of messages that a session was to get, by topic: so that "why did this client not get that message?" has
//! an answer.
//!
//! For each topic and fate the last time and how often, of the last few. Topics are kept as a hash: noting one takes a few
//! nanoseconds and no memory but the first time. Nothing of it is on disk.

use std::hash::{BuildHasher, Hasher};

use ebbtide_protocol::TopicName;
use ebbtide_store::WallTime;

use crate::keyed::Keyed;

/// Topics and fates of one record: a session has two records, each made when it first needs it.
pub(crate) const FATES_MAX: usize = 16;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Fate {
    /// Sent at QoS 1 or 2, and the client has acknowledged it.
    Acknowledged = 1,
    /// Sent at QoS 1 or 2, and the client has answered that it does not take it.
    Refused,
    /// Sent at QoS 0, which nothing acknowledges.
    Sent,
    /// Dropped: QoS 0 while the client was away.
    QoS0Away,
    /// Dropped: QoS 0 while more waited than may wait in memory.
    QoS0Behind,
    /// Dropped: the queue had its limit.
    QueueFull,
    /// The session was transient and had its limit of bytes waiting: its connection was ended.
    Overflow,
    /// Its Message Expiry Interval had passed before it could be sent.
    Expired,
    /// It was larger than the client's Maximum Packet Size.
    TooLarge,
    /// An operator has emptied the queue.
    Purged,
    /// Its row in the store could not be read.
    Damaged,
    /// A rule did not let the client have it.
    Denied,
}

impl Fate {
    const ALL: [Self; 12] = [
        Self::Acknowledged,
        Self::Refused,
        Self::Sent,
        Self::QoS0Away,
        Self::QoS0Behind,
        Self::QueueFull,
        Self::Overflow,
        Self::Expired,
        Self::TooLarge,
        Self::Purged,
        Self::Damaged,
        Self::Denied,
    ];
}

/// One line of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FateInfo {
    /// What became of them.
    pub fate: Fate,
    /// When the last time.
    pub last_at: WallTime,
    /// How often, since the record knows the topic.
    pub count: u64,
    /// Whether it is known that it was this topic: only the number of a message that waits on disk is in memory.
    pub is_certain: bool,
}

/// A topic, as the record knows it. No two look the same but by a chance that nobody can help along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct TopicKey(u64);

impl TopicKey {
    /// It is not known.
    pub const UNKNOWN: Self = Self(0);

    pub fn of(topic: &TopicName) -> Self {
        let mut hasher = Keyed.build_hasher();
        hasher.write(topic.as_str().as_bytes());
        Self(hasher.finish().max(1))
    }

    /// Together with a fate.
    fn with(self, fate: Fate) -> u64 {
        self.0 ^ (fate as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

/// The record.
#[derive(Debug, Default)]
pub(crate) struct Fates(Option<Box<Record>>);

#[derive(Debug, Default)]
struct Record {
    /// Beside the entries, so that looking through them is quick.
    keys: Vec<u64>,
    entries: Vec<Entry>,
    /// The next to go when there are more.
    turn: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    last_at: WallTime,
    count: u64,
}

impl Fates {
    pub fn note(&mut self, topic: TopicKey, fate: Fate, at: WallTime) {
        let record = self.0.get_or_insert_default();
        let key = topic.with(fate);
        if let Some(at_index) = record.keys.iter().position(|known| *known == key) {
            let entry = &mut record.entries[at_index];
            entry.last_at = at;
            entry.count += 1;
            return;
        }
        let entry = Entry {
            last_at: at,
            count: 1,
        };
        if record.keys.len() < FATES_MAX {
            record.keys.push(key);
            record.entries.push(entry);
        } else {
            record.keys[record.turn] = key;
            record.entries[record.turn] = entry;
            record.turn = (record.turn + 1) % FATES_MAX;
        }
    }

    /// What is known of this topic, and of messages whose topic is not known.
    pub fn of(&self, topic: TopicKey) -> Vec<FateInfo> {
        let Some(record) = &self.0 else {
            return Vec::new();
        };
        let wanted = [(topic, true), (TopicKey::UNKNOWN, false)];
        let mut found = Vec::new();
        for (topic, is_certain) in wanted {
            for fate in Fate::ALL {
                let key = topic.with(fate);
                if let Some(at) = record.keys.iter().position(|known| *known == key) {
                    let Entry { last_at, count } = record.entries[at];
                    found.push(FateInfo {
                        fate,
                        last_at,
                        count,
                        is_certain,
                    });
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> TopicKey {
        TopicKey::of(&TopicName::new(name.to_owned()).expect("a topic"))
    }

    /// Both have the same hash by rustc-hash, which has no key.
    #[test]
    fn no_topic_can_be_made_that_looks_like_another() {
        let (one, other) = ("\u{596}H4zlQK\u{596}H4zlQX", "A훲\u{70c}woA훲\u{70c}w|");
        assert_ne!(key(one), key(other));
        assert_eq!(key(one), key(one));
    }

    #[test]
    fn the_last_time_and_how_often_are_known_for_each_fate() {
        let mut fates = Fates::default();
        assert!(fates.of(key("a")).is_empty());
        fates.note(key("a"), Fate::Acknowledged, WallTime(1));
        fates.note(key("a"), Fate::Expired, WallTime(2));
        fates.note(key("a"), Fate::Acknowledged, WallTime(3));
        fates.note(key("b"), Fate::Sent, WallTime(4));
        fates.note(TopicKey::UNKNOWN, Fate::QueueFull, WallTime(5));
        let found = fates.of(key("a"));
        let found: Vec<_> = found
            .iter()
            .map(|info| (info.fate, info.last_at.0, info.count, info.is_certain))
            .collect();
        assert_eq!(
            found,
            [
                (Fate::Acknowledged, 3, 2, true),
                (Fate::Expired, 2, 1, true),
                (Fate::QueueFull, 5, 1, false),
            ]
        );
    }

    #[test]
    fn it_is_bounded_and_the_oldest_goes() {
        let mut fates = Fates::default();
        for n in 0..1000 {
            fates.note(key(&n.to_string()), Fate::Sent, WallTime(n));
        }
        let record = fates.0.as_ref().expect("it was used");
        assert_eq!(record.keys.len(), FATES_MAX);
        assert!(record.keys.capacity() <= 2 * FATES_MAX);
        for n in 0..1000 {
            let is_known = !fates.of(key(&n.to_string())).is_empty();
            assert_eq!(is_known, n >= 1000 - FATES_MAX as u64, "{n}");
        }
    }

    #[test]
    fn an_unused_record_is_a_pointer() {
        assert_eq!(size_of::<Fates>(), size_of::<usize>());
    }
}
