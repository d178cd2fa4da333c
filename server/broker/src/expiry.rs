//! Expiry of retained messages: a timer for each that has one, none for the rest.

use ebbtide_protocol::TopicName;
use ebbtide_store::{Accept, Message, Operation, RetainedChange, Revision};

use crate::{
    Now,
    shared::Shared,
    timers::{Timer, Timers},
};

/// Sets the timer of a message that has become the retained one.
pub(crate) fn watch(timers: &Timers, message: &Message, revision: Revision, now: Now) {
    if let Some(expires_at) = message.expires_at() {
        let left_ms = expires_at.0.saturating_sub(now.wall.0);
        timers.add(
            now.monotonic.plus_ms(left_ms),
            Timer::Retained(message.topic.clone(), revision),
        );
    }
}

/// Removes the retained message if it is still that one. Subscribers are not told: to them it simply is no more.
pub(crate) fn retained(shared: &Shared, topic: &TopicName, revision: Revision) {
    let mut numbers = shared.numbers.lock();
    let Ok(clearing) = numbers.revision(&shared.journal) else {
        return;
    };
    if shared.retained.write().clear_if(topic, revision) {
        let clear = RetainedChange::Clear {
            topic: topic.clone(),
            revision: clearing,
        };
        shared.journal.submit(Operation::Accept(Accept {
            queued: None,
            retained: Some(clear),
            inbound: None,
        }));
    }
}
