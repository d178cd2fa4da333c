//! Expiry of retained messages: a timer for each topic that has one, none for the rest.

use ebbtide_protocol::TopicName;
use ebbtide_store::{Accept, Message, Operation, RetainedChange};

use crate::{
    Now,
    shared::Shared,
    timers::{Timer, Timers},
};

/// Sets, or ends, the timer of a topic whose retained message has become this one.
pub(crate) fn watch(timers: &Timers, message: &Message, now: Now) {
    let timer = Timer::Retained(message.topic.clone());
    match message.expires_at() {
        Some(expires_at) => {
            let left_ms = expires_at.0.saturating_sub(now.wall.0);
            timers.set(now.monotonic.plus_ms(left_ms), timer);
        }
        None => timers.remove(&timer),
    }
}

/// Removes the retained message if it has expired. Subscribers are not told: to them it simply is no more.
pub(crate) fn retained(shared: &Shared, topic: &TopicName, now: Now) {
    let mut numbers = shared.numbers.lock();
    let mut retained = shared.retained.write();
    let is_expired = retained
        .get(topic)
        .and_then(|row| row.message.expires_at())
        .is_some_and(|expires_at| expires_at <= now.wall);
    if is_expired && let Ok(revision) = numbers.revision(&shared.journal) {
        retained.clear(topic);
        let clear = RetainedChange::Clear {
            topic: topic.clone(),
            revision,
        };
        shared.journal.submit(Operation::Accept(Accept {
            queued: None,
            retained: Some(clear),
            inbound: None,
        }));
    }
}
