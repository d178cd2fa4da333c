//! The topics page's data: the tree of topics under one filter, their history during this visit, and counts.
//!
//! Retained messages are sent again after each reconnect: one that is known changes nothing, and what the snapshot did
//! not bring leaves when it is complete. Everything here has a named limit; what is over one is counted.

mod history;
pub mod rows;
mod tree;

pub use history::PER_TOPIC_MAX;
pub use tree::{NodeId, TOPICS_MAX, Tree};

use std::rc::Rc;

use self::history::History;
use self::tree::Kept;
use super::change::{Change, Phase};
use super::message::Message;

/// A tree with no more topics than this opens by itself.
const OPEN_TOPICS_MAX: usize = 40;

#[derive(Debug, Default)]
pub struct Topics {
    pub tree: Tree,
    pub history: History,
    pub phase: Phase,
    pub stale_since_ms: Option<i64>,
    /// All that arrived during this visit.
    pub messages: u64,
    /// Messages of topics for which there was no room.
    pub over: u64,
    snapshot: u32,
    /// Whether a whole snapshot was ever seen.
    completed_once: bool,
    /// Stays in the tree when its retained message is cleared.
    pub selected: Option<Rc<str>>,
}

impl Topics {
    pub fn apply(&mut self, change: Change, now_ms: i64) {
        match change {
            Change::Restarted => {
                self.snapshot = self.snapshot.wrapping_add(1);
                self.phase = Phase::Loading;
            }
            Change::Lost => {
                self.stale_since_ms.get_or_insert(now_ms);
            }
            Change::Message(message) => self.take(message),
            Change::SnapshotComplete => {
                for topic in self.tree.not_seen_in(self.snapshot) {
                    self.clear(&topic);
                }
                if !self.completed_once && self.tree.topics() <= OPEN_TOPICS_MAX {
                    self.tree.set_all_open(true);
                }
                if let Some(selected) = self.selected.clone() {
                    self.tree.reveal(&selected);
                }
                self.completed_once = true;
                self.phase = Phase::Live;
                self.stale_since_ms = None;
            }
            Change::Refused(reason) => self.phase = Phase::Refused(reason),
        }
    }

    fn take(&mut self, message: Message) {
        self.messages += 1;
        let known = self.tree.topic(&message.topic);
        if message.retained && message.payload.is_empty() {
            self.history_of_cleared(message);
            return;
        }
        // Sent again with the snapshot, and the same.
        if self.phase == Phase::Loading
            && message.retained
            && known.is_some_and(|topic| {
                let newest = &topic.newest;
                topic.is_retained
                    && newest.properties.user_properties == message.properties.user_properties
                    && !newest.payload.differs(&message.payload)
            })
        {
            self.tree.seen_again(&message.topic, self.snapshot);
            return;
        }
        let topic = Rc::clone(&message.topic);
        match self.tree.keep(message, self.snapshot) {
            Kept::Over => self.over += 1,
            Kept::Yes(before) => {
                if let Some(before) = before {
                    self.history.keep(before);
                } else if self.completed_once && self.tree.topics() <= OPEN_TOPICS_MAX {
                    self.tree.reveal(&topic);
                }
            }
        }
    }

    /// The message that cleared it is the newest of its history.
    fn history_of_cleared(&mut self, message: Message) {
        let topic = Rc::clone(&message.topic);
        if let Some(before) = self.tree.remove(&topic) {
            self.history.keep(before);
            self.history.keep(Rc::new(message));
        }
    }

    fn clear(&mut self, topic: &str) {
        if let Some(before) = self.tree.remove(topic) {
            self.history.keep(before);
        }
    }

    /// All that is known of a topic, the newest first.
    pub fn versions(&self, topic: &str) -> Vec<Rc<Message>> {
        let newest = self.tree.topic(topic).map(|topic| &topic.newest);
        newest
            .into_iter()
            .chain(self.history.of(topic))
            .map(Rc::clone)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(topic: &str, payload: &str) -> Change {
        Change::Message(Message {
            retained: false,
            ..Message::retained(topic, payload)
        })
    }

    fn retained(topic: &str, payload: &str) -> Change {
        Change::Message(Message::retained(topic, payload))
    }

    fn topics(changes: impl IntoIterator<Item = Change>) -> Topics {
        let mut topics = Topics::default();
        for (now_ms, change) in (0..).zip(changes) {
            topics.apply(change, now_ms);
        }
        topics
    }

    fn versions(topics: &Topics, topic: &str) -> Vec<String> {
        let text = |message: &Rc<Message>| message.payload.text().unwrap_or_default().to_owned();
        topics.versions(topic).iter().map(text).collect()
    }

    #[test]
    fn state_and_events_are_both_shown_and_remembered() {
        let topics = topics([
            Change::Restarted,
            retained("a", "1"),
            Change::SnapshotComplete,
            event("a", "2"),
            event("b", "x"),
            retained("a", "3"),
        ]);
        assert_eq!(versions(&topics, "a"), ["3", "2", "1"]);
        assert_eq!(topics.tree.topics(), 2);
        assert!(
            topics
                .tree
                .topic("a")
                .is_some_and(|topic| topic.is_retained)
        );
        assert!(
            topics
                .tree
                .topic("b")
                .is_some_and(|topic| !topic.is_retained)
        );
        assert_eq!(topics.messages, 4);
    }

    #[test]
    fn what_is_cleared_leaves_the_tree_and_stays_in_the_history() {
        let topics = topics([retained("a/b", "1"), retained("a/b", ""), retained("c", "")]);
        assert_eq!(topics.tree.topics(), 0);
        assert_eq!(versions(&topics, "a/b"), ["", "1"]);
        assert!(versions(&topics, "c").is_empty());
    }

    #[test]
    fn after_a_reconnect_what_is_the_same_is_no_news_and_what_is_gone_leaves() {
        let mut topics = topics([
            Change::Restarted,
            retained("same", "1"),
            retained("gone", "1"),
            retained("other", "1"),
            Change::SnapshotComplete,
            event("seen", "1"),
            Change::Lost,
            Change::Restarted,
            retained("same", "1"),
            retained("other", "2"),
        ]);
        assert_eq!(topics.stale_since_ms, Some(6));
        assert_eq!(topics.tree.topics(), 4);
        topics.apply(Change::SnapshotComplete, 20);
        assert_eq!(topics.stale_since_ms, None);
        assert_eq!(versions(&topics, "same"), ["1"]);
        assert_eq!(versions(&topics, "other"), ["2", "1"]);
        assert!(topics.tree.topic("gone").is_none());
        assert!(
            topics.tree.topic("seen").is_some(),
            "an event is no state that could be gone"
        );
    }

    #[test]
    fn the_same_value_published_again_while_live_is_a_message() {
        let topics = topics([
            Change::Restarted,
            Change::SnapshotComplete,
            retained("a", "1"),
            retained("a", "1"),
        ]);
        assert_eq!(versions(&topics, "a"), ["1", "1"]);
    }

    #[test]
    fn a_small_tree_opens_by_itself_and_a_large_one_does_not() {
        let small = topics([retained("a/b/c", "1"), Change::SnapshotComplete]);
        assert_eq!(rows::rows(&small.tree).len(), 3);
        let many = (0..=OPEN_TOPICS_MAX).map(|n| retained(&format!("a/{n}"), "1"));
        let large = topics(many.chain([Change::SnapshotComplete]));
        assert_eq!(rows::rows(&large.tree).len(), 1);
    }

    #[test]
    fn topics_over_the_limit_are_counted() {
        let mut topics = topics((0..TOPICS_MAX).map(|n| event(&format!("t/{n}"), "1")));
        topics.apply(event("more", "1"), 0);
        topics.apply(event("more", "2"), 0);
        assert_eq!((topics.over, topics.tree.topics()), (2, TOPICS_MAX));
    }
}
