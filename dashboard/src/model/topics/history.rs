//! What each topic said during this visit: the last [`PER_TOPIC_MAX`] messages of each, and of all together no more
//! than [`MESSAGES_MAX`] and [`BYTES_MAX`]. The oldest go first, whichever topic they belong to.
//!
//! The newest message of a topic is not in here: the tree has it, and it stays whatever happens to the history.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use crate::model::message::Message;

/// Earlier messages of one topic.
pub const PER_TOPIC_MAX: usize = 200;
/// Earlier messages of all topics.
pub const MESSAGES_MAX: usize = 50_000;
/// Payloads and properties of all of them.
pub const BYTES_MAX: usize = 32 * 1024 * 1024;
/// Numbers of messages that have gone are kept until there are so many more than messages.
const ORDER_SLACK: usize = 1_024;

#[derive(Debug, Default)]
pub struct History {
    /// By topic: number and message, the oldest first.
    topics: BTreeMap<Rc<str>, VecDeque<(u64, Rc<Message>)>>,
    /// Whose message a number is, in the order of arrival; of those that have gone already, too.
    order: VecDeque<(u64, Rc<str>)>,
    next: u64,
    messages: usize,
    bytes: usize,
    /// Messages that had to go.
    pub dropped: u64,
}

impl History {
    pub fn keep(&mut self, message: Rc<Message>) {
        let number = self.next;
        self.next += 1;
        let topic = Rc::clone(&message.topic);
        self.bytes += message.kept_bytes();
        let versions = self.topics.entry(Rc::clone(&topic)).or_default();
        versions.push_back((number, message));
        let is_full = versions.len() > PER_TOPIC_MAX;
        self.order.push_back((number, Rc::clone(&topic)));
        self.messages += 1;
        if is_full {
            self.drop_oldest_of(&topic);
        }
        while self.messages > MESSAGES_MAX || self.bytes > BYTES_MAX {
            let Some((number, topic)) = self.order.pop_front() else {
                return;
            };
            if self.is_kept(number, &topic) {
                self.drop_oldest_of(&topic);
            }
        }
        if self.order.len() > 2 * self.messages + ORDER_SLACK {
            let mut order = std::mem::take(&mut self.order);
            order.retain(|(number, topic)| self.is_kept(*number, topic));
            self.order = order;
        }
    }

    /// The newest first.
    pub fn of(&self, topic: &str) -> impl Iterator<Item = &Rc<Message>> {
        let versions = self.topics.get(topic).into_iter();
        versions.flat_map(|versions| versions.iter().rev().map(|(_, message)| message))
    }

    /// Those of a topic go from its oldest on.
    fn is_kept(&self, number: u64, topic: &str) -> bool {
        let oldest = self.topics.get(topic).and_then(VecDeque::front);
        oldest.is_some_and(|(oldest, _)| *oldest <= number)
    }

    fn drop_oldest_of(&mut self, topic: &str) {
        let Some(versions) = self.topics.get_mut(topic) else {
            return;
        };
        if let Some((_, message)) = versions.pop_front() {
            self.messages -= 1;
            self.bytes -= message.kept_bytes();
            self.dropped += 1;
        }
        if versions.is_empty() {
            self.topics.remove(topic);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::message::Properties;
    use crate::model::payload::{KEPT_BYTES_MAX, Payload};

    fn message(topic: &str, payload: &[u8]) -> Rc<Message> {
        Rc::new(Message {
            topic: topic.into(),
            payload: Payload::new(payload),
            qos: 0,
            retained: false,
            properties: Properties::default(),
            at_ms: 0,
        })
    }

    #[test]
    fn a_topic_keeps_its_last_messages_the_newest_first() {
        let mut history = History::default();
        for n in 0..=PER_TOPIC_MAX {
            history.keep(message("a", n.to_string().as_bytes()));
        }
        let kept: Vec<&str> = history.of("a").filter_map(|m| m.payload.text()).collect();
        assert_eq!(kept.len(), PER_TOPIC_MAX);
        assert_eq!((kept[0], kept[PER_TOPIC_MAX - 1]), ("200", "1"));
        assert_eq!(history.dropped, 1);
        assert_eq!(history.of("b").count(), 0);
    }

    #[test]
    fn the_oldest_of_all_topics_go_when_there_are_too_many_bytes() {
        let mut history = History::default();
        let fits = BYTES_MAX / KEPT_BYTES_MAX;
        for n in 0..fits + 2 {
            history.keep(message(&format!("t/{n}"), &[b'x'; KEPT_BYTES_MAX]));
        }
        assert_eq!(history.bytes, BYTES_MAX);
        assert_eq!(history.of("t/1").count(), 0);
        assert_eq!(history.of("t/2").count(), 1);
        assert_eq!(history.dropped, 2);
    }

    #[test]
    fn what_has_gone_leaves_nothing_behind() {
        let mut history = History::default();
        for n in 0..20 * PER_TOPIC_MAX {
            history.keep(message("busy", n.to_string().as_bytes()));
        }
        assert_eq!(history.messages, PER_TOPIC_MAX);
        assert!(history.order.len() <= 2 * PER_TOPIC_MAX + ORDER_SLACK);
        assert_eq!(history.dropped, 19 * PER_TOPIC_MAX as u64);
    }
}
