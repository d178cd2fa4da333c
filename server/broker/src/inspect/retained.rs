//! Retained messages seen from outside: one topic, or what matches a filter, a part at a time.

use std::{ops::ControlFlow, sync::Arc};

use ebbtide_protocol::{TopicFilter, TopicName};
use ebbtide_store::Message;

use crate::{Broker, Now, own};

/// The most levels of topics that are looked at for one part, whether or not anything there matches: nobody can publish a
/// retained message meanwhile.
const VISITS: usize = 4096;
/// The most bytes of one part, but for its last message.
const BYTES: usize = 1024 * 1024;

/// Some of the retained messages that match.
#[derive(Clone, Debug, Default)]
pub struct RetainedPart {
    /// By topic, level by level.
    pub messages: Vec<Arc<Message>>,
    /// Where the next part begins; `None`: these were the last. There may be no message in a part and more in the next.
    pub next: Option<String>,
}

impl Broker {
    /// The retained message of this topic.
    #[must_use]
    pub fn retained(&self, topic: &TopicName, now: Now) -> Option<Arc<Message>> {
        let retained = self.shared.retained.read();
        let message = &retained.get(topic)?.message;
        is_there(message, now).then(|| Arc::clone(message))
    }

    /// Retained messages that match, so many at the most, beginning behind `after`: `next` of the part before.
    #[must_use]
    pub fn retained_part(
        &self,
        filter: &TopicFilter,
        after: Option<&str>,
        most: usize,
        now: Now,
    ) -> RetainedPart {
        let mut messages = Vec::new();
        let (mut visits, mut bytes) = (0, 0);
        let retained = self.shared.retained.read();
        let next = retained.visit(filter, after, &mut |row| {
            visits += 1;
            if let Some(row) = row
                && is_there(&row.message, now)
            {
                bytes += row.message.size_bytes();
                messages.push(Arc::clone(&row.message));
            }
            match messages.len() >= most || bytes >= BYTES || visits >= VISITS {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        RetainedPart { messages, next }
    }

    /// Whether the broker itself keeps this topic: nobody else publishes to it.
    #[must_use]
    pub fn keeps_itself(&self, topic: &TopicName) -> bool {
        let presence = self.shared.presence.as_ref();
        own::is_own(topic) || presence.is_some_and(|presence| presence.contains(topic))
    }

    /// Whether it can be deleted from inside all the same: it is the presence of a client that is not connected.
    #[must_use]
    pub fn is_absence(&self, topic: &TopicName) -> bool {
        let presence = self.shared.presence.as_ref();
        presence.is_some_and(|presence| presence.absence(topic).is_some())
    }
}

/// It may have expired and only the timer be late.
fn is_there(message: &Message, now: Now) -> bool {
    message
        .expires_at()
        .is_none_or(|expires_at| expires_at > now.wall)
}
