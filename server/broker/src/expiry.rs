//! Expiry of retained messages: a timer for each topic that has one, none for the rest. And of messages that wait: one timer
//! for the first of them all.

use ebbtide_protocol::TopicName;
use ebbtide_store::{Accept, Message, Operation, RetainedChange};

use crate::{
    Now,
    journal::expiring,
    shared::Shared,
    timers::{Timer, Timers},
};

/// After so long it is tried again when the disk was too far behind for it.
const AGAIN_MS: u64 = 1000;

/// Sets, or ends, the timer of a topic whose retained message has changed.
pub(crate) fn watch_change(timers: &Timers, change: &RetainedChange, now: Now) {
    match change {
        RetainedChange::Set(row) => watch(timers, &row.message, now),
        RetainedChange::Clear { topic, .. } => timers.remove(&Timer::Retained(topic.clone())),
    }
}

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
    let row = shared.retained.read().get(topic).cloned();
    let Some(row) = row else { return };
    if row.message.expires_at().is_none_or(|at| at > now.wall) {
        // The timer goes by another clock, which may be ahead of this one.
        return watch(&shared.timers, &row.message, now);
    }
    let Ok(revision) = numbers.revision(&shared.journal) else {
        let again = now.monotonic.plus_ms(AGAIN_MS);
        return shared.timers.set(again, Timer::Retained(topic.clone()));
    };
    let clear = RetainedChange::Clear {
        topic: topic.clone(),
        revision,
    };
    shared.change_retained(clear.clone());
    shared.journal.submit(Operation::Accept(Accept {
        queued: None,
        retained: Some(clear),
        inbound: None,
    }));
}

/// A message that has to wait: sets the timer if it is the first to expire. The caller holds the order lock.
pub(crate) fn watch_queued(shared: &Shared, message: &Message, now: Now) {
    if let Some(expires_at) = message.expires_at()
        && shared.journal.next_expiry() == Some(expiring::due(expires_at))
    {
        watch_first(shared, now);
    }
}

/// Sets the timer to the first message that expires.
pub(crate) fn watch_first(shared: &Shared, now: Now) {
    if let Some(due) = shared.journal.next_expiry() {
        let left_ms = due.0.saturating_sub(now.wall.0);
        let at = now.monotonic.plus_ms(left_ms);
        shared.timers.set(at, Timer::Queued);
    }
}

/// Removes what waits and has expired. Gives how much work that was.
pub(crate) fn queued(shared: &Shared, now: Now) -> usize {
    let numbers = shared.numbers.lock();
    let count = shared.journal.expire(now.wall);
    watch_first(shared, now);
    drop(numbers);
    count
}
