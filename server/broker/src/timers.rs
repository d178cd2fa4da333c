//! What has to happen at a time: wills that are due, sessions and retained messages that expire.
//!
//! One ordered set; an entry that has become pointless is recognised when its time comes.

use std::{collections::BTreeSet, task::Waker};

use ebbtide_protocol::{ByteString, TopicName};
use ebbtide_store::{Incarnation, Revision};
use parking_lot::Mutex;

use crate::Monotonic;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    Will(Incarnation),
    Session(ByteString, Incarnation),
    Retained(TopicName, Revision),
}

#[derive(Debug, Default)]
pub(crate) struct Timers(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    due: BTreeSet<(Monotonic, Timer)>,
    waker: Option<Waker>,
}

impl Timers {
    pub fn set_waker(&self, waker: Waker) {
        self.0.lock().waker = Some(waker);
    }

    pub fn add(&self, at: Monotonic, timer: Timer) {
        let mut state = self.0.lock();
        let is_first = state.due.first().is_none_or(|(first, _)| at < *first);
        state.due.insert((at, timer));
        if is_first && let Some(waker) = &state.waker {
            waker.wake_by_ref();
        }
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
        state.due.pop_first().map(|(_, timer)| timer)
    }
}
