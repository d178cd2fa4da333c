//! What has to happen at a time: wills that are due, sessions, retained messages and messages that wait, which expire.
//!
//! One entry for each will, session and topic, however often its time changes; none for those without an end.

use std::{
    collections::{BTreeSet, HashMap},
    task::Waker,
};

use ebbtide_protocol::{ByteString, TopicName};
use ebbtide_store::Incarnation;
use parking_lot::Mutex;

use crate::Monotonic;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Timer {
    /// The presence of those who were connected when the broker ended.
    Presence,
    Will(Incarnation),
    Session(ByteString),
    Retained(TopicName),
    /// The first of all messages that wait.
    Queued,
    /// Messages that ended sessions have left behind.
    Abandoned,
    /// Queues with more in them than may wait.
    Excess,
}

#[derive(Debug, Default)]
pub(crate) struct Timers(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    due: BTreeSet<(Monotonic, Timer)>,
    times: HashMap<Timer, Monotonic>,
    waker: Option<Waker>,
}

impl Timers {
    pub fn set_waker(&self, waker: Waker) {
        self.0.lock().waker = Some(waker);
    }

    /// Sets the timer, or sets it anew.
    pub fn set(&self, at: Monotonic, timer: Timer) {
        let mut state = self.0.lock();
        state.remove(&timer);
        state.insert(at, timer);
    }

    /// Sets the timer, unless it is set.
    pub fn ensure(&self, at: Monotonic, timer: Timer) {
        let mut state = self.0.lock();
        if !state.times.contains_key(&timer) {
            state.insert(at, timer);
        }
    }

    pub fn remove(&self, timer: &Timer) {
        self.0.lock().remove(timer);
    }

    pub fn first(&self) -> Option<Monotonic> {
        self.0.lock().due.first().map(|(at, _)| *at)
    }

    /// Takes one that is due.
    pub fn pop(&self, now: Monotonic) -> Option<Timer> {
        let mut state = self.0.lock();
        if state.due.first()?.0 > now {
            return None;
        }
        let (_, timer) = state.due.pop_first()?;
        state.times.remove(&timer);
        Some(timer)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.lock().due.len()
    }
}

impl State {
    fn insert(&mut self, at: Monotonic, timer: Timer) {
        let is_first = self.due.first().is_none_or(|(first, _)| at < *first);
        self.times.insert(timer.clone(), at);
        self.due.insert((at, timer));
        if is_first && let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }

    fn remove(&mut self, timer: &Timer) {
        if let Some((timer, at)) = self.times.remove_entry(timer) {
            self.due.remove(&(at, timer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_that_is_set_anew_takes_no_more_room() {
        let timers = Timers::default();
        let timer = || Timer::Session("a".into());
        for at in (1..100).rev() {
            timers.set(Monotonic(at), timer());
        }
        assert_eq!((timers.len(), timers.first()), (1, Some(Monotonic(1))));
        timers.set(Monotonic(50), timer());
        assert_eq!(timers.pop(Monotonic(49)), None);
        assert_eq!(timers.pop(Monotonic(50)), Some(timer()));
        timers.set(Monotonic(60), timer());
        timers.remove(&timer());
        assert_eq!((timers.len(), timers.first()), (0, None));
    }
}
