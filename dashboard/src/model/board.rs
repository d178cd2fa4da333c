//! One board: the last retained message of each topic that a filter matches.
//!
//! Only retained messages are state; others are events and change nothing here. After each reconnect the broker sends the
//! whole state again: entries stay until the snapshot is complete, and those that were not in it go then, so nothing
//! flickers. An entry that did not change keeps its `Rc`, so that its card is not drawn again.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::change::{Change, Phase};
use super::last_known::LastKnown;
use super::message::{Message, Properties};
use super::natural::Natural;
use super::payload::{Payload, shorten};

/// More topics than this are counted but not kept: the filter is too wide for a board.
pub const ENTRIES_MAX: usize = 20_000;
/// Of a payload, for search.
const SEARCHED_CHARS_MAX: usize = 2_000;

/// What a board makes of each payload, once, when it arrives.
pub trait FromPayload {
    fn from_payload(payload: &Payload) -> Self;
}

/// Configuration is shown as it is; nothing is read from it ahead of display.
impl FromPayload for () {
    fn from_payload(_: &Payload) {}
}

#[derive(Debug, PartialEq, Eq)]
pub struct Entry<V> {
    pub topic: Rc<str>,
    pub payload: Payload,
    pub properties: Properties,
    pub value: V,
    /// When it arrived here after the snapshot; `None` for what was there already.
    pub changed_at_ms: Option<i64>,
    /// How often it has changed in front of the viewer; zero for what was there already.
    pub changes: u32,
    /// Topic and payload in lower case, for search.
    pub searched: String,
}

#[derive(Debug)]
struct Slot<V> {
    entry: Rc<Entry<V>>,
    seen_in: u32,
}

#[derive(Debug)]
pub struct Board<V> {
    pub phase: Phase,
    /// Since when the entries may have been overtaken; until a whole snapshot has arrived again.
    pub stale_since_ms: Option<i64>,
    /// There was nothing when the viewer came: what there is now has come in front of their eyes.
    pub began_empty: bool,
    /// Topics beyond [`ENTRIES_MAX`] were seen.
    pub overflowed: bool,
    slots: BTreeMap<Natural, Slot<V>>,
    snapshot: u32,
    /// Whether a whole snapshot was ever seen: what is new after that has changed in front of the viewer.
    completed_once: bool,
}

impl<V> Default for Board<V> {
    fn default() -> Self {
        Self {
            phase: Phase::Loading,
            stale_since_ms: None,
            began_empty: false,
            overflowed: false,
            slots: BTreeMap::new(),
            snapshot: 0,
            completed_once: false,
        }
    }
}

impl<V: FromPayload> Board<V> {
    pub fn apply(&mut self, change: Change, now_ms: i64) {
        match change {
            Change::Restarted => {
                self.snapshot = self.snapshot.wrapping_add(1);
                self.phase = Phase::Loading;
            }
            Change::Lost => {
                self.stale_since_ms.get_or_insert(now_ms);
            }
            Change::Message(message) if !message.retained => {}
            Change::Message(message) if message.payload.is_empty() => {
                self.slots.remove(&Natural(message.topic));
            }
            Change::Message(message) => self.keep(message, now_ms),
            Change::SnapshotComplete => {
                let snapshot = self.snapshot;
                self.slots.retain(|_, slot| slot.seen_in == snapshot);
                self.phase = Phase::Live;
                self.stale_since_ms = None;
                self.began_empty |= !self.completed_once && self.slots.is_empty();
                self.completed_once = true;
            }
            Change::Refused(reason) => {
                self.slots.clear();
                self.phase = Phase::Refused(reason);
            }
        }
    }

    /// Begins with what was known in an earlier visit: shown as overtaken until a whole snapshot has arrived.
    pub fn restore(&mut self, known: LastKnown) {
        for (topic, payload) in known.entries {
            let message = Message {
                topic: topic.into(),
                payload,
                qos: 0,
                retained: true,
                properties: Properties::default(),
                at_ms: known.at_ms,
            };
            self.keep(message, known.at_ms);
        }
        self.stale_since_ms = Some(known.at_ms);
        // What the snapshot does not bring again goes.
        self.snapshot = self.snapshot.wrapping_add(1);
    }

    fn keep(&mut self, message: Message, now_ms: i64) {
        let Message {
            topic,
            payload,
            properties,
            ..
        } = message;
        let place = Natural(Rc::clone(&topic));
        let known = self.slots.get_mut(&place);
        let mut changes = match &known {
            Some(slot) => slot.entry.changes.wrapping_add(1).max(1),
            None => u32::from(self.completed_once),
        };
        let mut changed_at_ms = (changes > 0).then_some(now_ms);
        if let Some(slot) = known {
            slot.seen_in = self.snapshot;
            let entry = &slot.entry;
            if !entry.payload.differs(&payload) {
                if entry.properties == properties {
                    return;
                }
                // Not shown, and it counts when the value is published again. What was restored has none.
                (changes, changed_at_ms) = (entry.changes, entry.changed_at_ms);
            }
        } else if self.slots.len() >= ENTRIES_MAX {
            self.overflowed = true;
            return;
        }
        let text = shorten(payload.text().unwrap_or_default(), SEARCHED_CHARS_MAX);
        let entry = Rc::new(Entry {
            searched: format!("{topic}\n{text}").to_lowercase(),
            value: V::from_payload(&payload),
            topic,
            payload,
            properties,
            changed_at_ms,
            changes,
        });
        let seen_in = self.snapshot;
        self.slots.insert(place, Slot { entry, seen_in });
    }
}

impl<V> Board<V> {
    /// By topic, as people count.
    pub fn entries(&self) -> impl Iterator<Item = &Rc<Entry<V>>> {
        self.slots.values().map(|slot| &slot.entry)
    }

    pub fn get(&self, topic: &str) -> Option<&Rc<Entry<V>>> {
        self.slots
            .get(&Natural(topic.into()))
            .map(|slot| &slot.entry)
    }

    /// Whether all that there is has been seen at least once.
    pub fn completed_once(&self) -> bool {
        self.completed_once
    }

    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(topic: &str, payload: &str) -> Change {
        Change::Message(Message::retained(topic, payload))
    }

    #[test]
    fn entries_are_in_the_order_in_which_people_count() {
        let topics = ["p/agent-10", "p/agent-2", "p/agent-1"];
        let board = board(topics.map(|topic| message(topic, "x")));
        let shown: Vec<&str> = board.entries().map(|entry| &*entry.topic).collect();
        assert_eq!(shown, ["p/agent-1", "p/agent-2", "p/agent-10"]);
    }

    fn board(changes: impl IntoIterator<Item = Change>) -> Board<()> {
        let mut board = Board::default();
        for (now_ms, change) in (0..).zip(changes) {
            board.apply(change, now_ms);
        }
        board
    }

    fn topics(board: &Board<()>) -> Vec<&str> {
        board.entries().map(|entry| &*entry.topic).collect()
    }

    #[test]
    fn keeps_the_last_retained_message_of_each_topic() {
        let board = board([
            Change::Restarted,
            message("b", "1"),
            message("a", "1"),
            message("b", "2"),
        ]);
        assert_eq!(topics(&board), ["a", "b"]);
        let last = board.entries().last().expect("two entries");
        assert_eq!(last.payload.text(), Some("2"));
        assert_eq!(board.phase, Phase::Loading);
    }

    #[test]
    fn an_empty_retained_message_removes_and_an_event_changes_nothing() {
        let event = |payload: &str| {
            Change::Message(Message {
                retained: false,
                ..Message::retained("a", payload)
            })
        };
        let kept = board([message("a", "1"), event("2"), event("")]);
        let entry = kept.entries().next().expect("an entry");
        assert_eq!(entry.payload.text(), Some("1"));
        assert!(board([message("a", "1"), message("a", "")]).is_empty());
    }

    #[test]
    fn after_a_reconnect_what_is_gone_leaves_only_when_the_snapshot_is_complete() {
        let mut board = board([
            Change::Restarted,
            message("gone", "1"),
            message("kept", "1"),
            Change::SnapshotComplete,
            Change::Restarted,
            message("kept", "1"),
        ]);
        assert_eq!(topics(&board), ["gone", "kept"]);
        board.apply(Change::SnapshotComplete, 9);
        assert_eq!(topics(&board), ["kept"]);
        assert_eq!(board.phase, Phase::Live);
    }

    #[test]
    fn is_stale_from_the_first_loss_until_a_whole_snapshot() {
        let mut board = board([
            Change::Restarted,
            Change::SnapshotComplete,
            Change::Lost,
            Change::Lost,
            Change::Restarted,
            message("a", "1"),
        ]);
        assert_eq!(board.stale_since_ms, Some(2));
        board.apply(Change::SnapshotComplete, 9);
        assert_eq!(board.stale_since_ms, None);
    }

    #[test]
    fn an_unchanged_entry_stays_the_same_object_over_a_reconnect() {
        let mut board = board([message("a", "1"), Change::SnapshotComplete]);
        let before = Rc::clone(board.entries().next().expect("an entry"));
        board.apply(Change::Restarted, 5);
        board.apply(message("a", "1"), 6);
        assert!(Rc::ptr_eq(
            &before,
            board.entries().next().expect("an entry")
        ));
    }

    #[test]
    fn only_what_changes_in_front_of_the_viewer_counts_as_changed() {
        let changes = |board: &Board<()>| {
            let entries = board.entries();
            entries
                .map(|entry| (entry.changes, entry.changed_at_ms))
                .collect::<Vec<_>>()
        };
        let mut board = board([Change::Restarted, message("a", "1")]);
        assert_eq!(changes(&board), [(0, None)]);
        board.apply(Change::SnapshotComplete, 5);
        board.apply(message("a", "2"), 6);
        board.apply(message("b", "1"), 7);
        assert_eq!(changes(&board), [(1, Some(6)), (1, Some(7))]);
        // What changed while the page was cut off counts too.
        board.apply(Change::Restarted, 8);
        board.apply(message("a", "3"), 9);
        assert_eq!(changes(&board), [(2, Some(9)), (1, Some(7))]);
    }

    #[test]
    fn what_an_earlier_visit_knew_is_stale_until_the_snapshot_says_what_is_left_of_it() {
        let known = LastKnown {
            at_ms: 3,
            entries: vec![
                ("kept".to_owned(), Payload::new(b"1")),
                ("gone".to_owned(), Payload::new(b"1")),
            ],
            left_out: 0,
        };
        // With and without a connection that began in between.
        for changes in [vec![Change::Restarted], vec![]] {
            let mut board = Board::<()>::default();
            board.restore(known.clone());
            assert_eq!(
                (topics(&board), board.stale_since_ms),
                (vec!["gone", "kept"], Some(3))
            );
            assert!(board.entries().all(|entry| entry.changes == 0));
            for change in changes {
                board.apply(change, 9);
            }
            board.apply(message("kept", "1"), 9);
            board.apply(Change::SnapshotComplete, 9);
            assert_eq!((topics(&board), board.stale_since_ms), (vec!["kept"], None));
        }
    }

    #[test]
    fn what_only_came_with_other_properties_has_them_and_has_not_changed() {
        let known = LastKnown {
            at_ms: 3,
            entries: vec![("a".to_owned(), Payload::new(b"1"))],
            left_out: 0,
        };
        let with = |content_type: &str| {
            Change::Message(Message {
                properties: Properties {
                    content_type: Some(content_type.to_owned()),
                    ..Properties::default()
                },
                ..Message::retained("a", "1")
            })
        };
        let seen = |board: &Board<()>| {
            let entry = board.get("a").expect("an entry");
            let content_type = entry.properties.content_type.clone();
            (content_type, entry.changes, entry.changed_at_ms)
        };
        let mut board = Board::<()>::default();
        board.restore(known);
        board.apply(with("text/plain"), 5);
        board.apply(Change::SnapshotComplete, 5);
        assert_eq!(seen(&board), (Some("text/plain".to_owned()), 0, None));
        board.apply(message("a", "2"), 6);
        board.apply(message("a", "1"), 7);
        board.apply(with("text/html"), 8);
        assert_eq!(seen(&board), (Some("text/html".to_owned()), 2, Some(7)));
    }

    #[test]
    fn remembers_that_there_was_nothing_at_first() {
        let empty = [
            Change::Restarted,
            Change::SnapshotComplete,
            message("a", "1"),
        ];
        assert!(board(empty).began_empty);
        let full = [
            message("a", "1"),
            Change::SnapshotComplete,
            message("a", ""),
            Change::SnapshotComplete,
        ];
        assert!(!board(full).began_empty);
    }

    #[test]
    fn a_refused_filter_shows_nothing_but_the_reason() {
        let board = board([message("a", "1"), Change::Refused("Not authorized".into())]);
        assert!(board.is_empty());
        assert_eq!(board.phase, Phase::Refused("Not authorized".into()));
    }

    #[test]
    fn a_filter_that_is_too_wide_stops_at_the_limit() {
        let board = board((0..=ENTRIES_MAX).map(|n| message(&format!("t/{n}"), "1")));
        assert_eq!(board.entries().count(), ENTRIES_MAX);
        assert!(board.overflowed);
    }
}
