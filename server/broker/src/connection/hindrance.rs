//! What keeps a publisher from being read: queues that it fills faster than they are emptied.

use std::task::Waker;

use crate::{Monotonic, route::Crowded};

/// The crowded queues that this client waits for, until there is room in all of them or it has waited for long enough.
#[derive(Debug, Default)]
pub(super) struct Hindrance {
    crowded: Vec<Crowded>,
}

impl Hindrance {
    /// Its publish has crowded these; `waker` is woken when one of them has room.
    pub fn add(&mut self, crowded: Vec<Crowded>, waker: &Waker) {
        let still = crowded
            .into_iter()
            .filter_map(|mut queue| queue.wait(waker).then_some(queue));
        self.crowded.extend(still);
    }

    pub fn is_none(&self) -> bool {
        self.crowded.is_empty()
    }

    /// Which of them are crowded still?
    pub fn look(&mut self, waker: &Waker, now: Monotonic) {
        self.crowded
            .retain_mut(|queue| queue.until > now && queue.wait(waker));
        if self.crowded.is_empty() {
            self.crowded = Vec::new();
        }
    }

    /// When to look again, whatever happens.
    pub fn deadline(&self) -> Option<Monotonic> {
        self.crowded.iter().map(|queue| queue.until).min()
    }
}
