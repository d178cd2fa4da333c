//! Back-pressure: whoever publishes faster than a queue is emptied is read more slowly until there is room, or the queue has
//! kept publishers waiting for long enough.
//!
//! A queue is *crowded* from the push that takes it above its high-water mark until it is down to a quarter of that. It never
//! blocks who pushes: the publisher's connection is told, and decides not to read. Who reads too slowly for good costs
//! everybody that publishes to it one pause, not one for each message. While memory is short less may wait, and the mark is lower.

use std::{sync::Arc, task::Waker};

use super::{group::Group, mailbox::Mailbox};
use crate::{Limits, Monotonic};

/// A queue is crowded with this part of what may wait there while memory is short: what comes in one turn of a publisher, or from many
/// before they have been held back, is far from the rest.
const CEILING_PARTS: usize = 4;

/// One queue's state; behind the lock of that queue.
#[derive(Debug)]
pub(crate) struct Crowding {
    high_bytes: usize,
    /// With so few it is not crowded any more.
    low_bytes: usize,
    pause_ms_max: u32,
    /// When the pause of its publishers ends at the latest.
    until: Option<Monotonic>,
    /// Connections that are not read meanwhile.
    waiting: Vec<Waker>,
    /// How often those who waited were woken, begun anew in the end: who has noted this number stands in the list. To look for it there
    /// would take as long as the list is, for each of them.
    times_woken: u32,
}

/// Each queue keeps it, and forty days are as good as a thousand.
fn pause_ms_max(limits: &Limits) -> u32 {
    u32::try_from(limits.back_pressure_ms_max).unwrap_or(u32::MAX)
}

impl Crowding {
    pub fn new(limits: &Limits) -> Self {
        Self {
            high_bytes: limits.back_pressure_bytes,
            low_bytes: 0,
            pause_ms_max: pause_ms_max(limits),
            until: None,
            waiting: Vec::new(),
            times_woken: 0,
        }
    }

    /// From now on these count.
    pub fn set_limits(&mut self, limits: &Limits) {
        self.high_bytes = limits.back_pressure_bytes;
        self.pause_ms_max = pause_ms_max(limits);
    }

    /// After a push, with what waits now: until when its publisher should wait, if it should. Nothing is lost below `ceiling`.
    pub fn pushed(&mut self, bytes: usize, ceiling: usize, now: Monotonic) -> Option<Monotonic> {
        let high_bytes = self.high_bytes.min(ceiling / CEILING_PARTS);
        if bytes <= high_bytes {
            return None;
        }
        self.low_bytes = high_bytes / 4;
        let until = *self
            .until
            .get_or_insert(now.plus_ms(self.pause_ms_max.into()));
        (until > now).then_some(until)
    }

    /// Something was taken out, and this still waits.
    pub fn taken(&mut self, bytes: usize) {
        if bytes <= self.low_bytes {
            self.clear();
        }
    }

    /// Nobody waits for it any more.
    pub fn clear(&mut self) {
        self.until = None;
        self.times_woken = self.times_woken.wrapping_add(1);
        for waker in std::mem::take(&mut self.waiting) {
            waker.wake();
        }
    }

    /// Wakes this connection when there is room; `false`: there is already. `noted` is what it has kept of the last time.
    fn wait(&mut self, waker: &Waker, noted: &mut Option<u32>) -> bool {
        if self.until.is_none() {
            return false;
        }
        if noted.replace(self.times_woken) != Some(self.times_woken) {
            self.waiting.push(waker.clone());
        }
        true
    }
}

/// A queue that a publisher has filled, and until when to wait for it.
#[derive(Debug)]
pub(crate) struct Crowded {
    queue: Queue,
    pub until: Monotonic,
    /// See [`Crowding::wait`].
    noted: Option<u32>,
}

/// Whose it is.
#[derive(Clone, Debug)]
pub(crate) enum Queue {
    Session(Arc<Mailbox>),
    Group(Arc<Group>),
}

impl Crowded {
    pub fn new(queue: Queue, until: Monotonic) -> Self {
        Self {
            queue,
            until,
            noted: None,
        }
    }

    /// Wakes this connection when there is room; `false`: there is already.
    pub fn wait(&mut self, waker: &Waker) -> bool {
        let noted = &mut self.noted;
        let wait = |crowding: &mut Crowding| crowding.wait(waker, noted);
        match &self.queue {
            Queue::Session(mailbox) => mailbox.with_crowding(wait),
            Queue::Group(group) => group.with_crowding(wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU32, Ordering},
        task::Wake,
    };

    use super::*;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn who_waits_is_woken_once_when_there_is_room() {
        let mut crowding = Crowding::new(&Limits {
            back_pressure_bytes: 100,
            ..Limits::default()
        });
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        crowding.pushed(101, usize::MAX, Monotonic(1));
        let mut noted = None;
        assert!(crowding.wait(&waker, &mut noted) && crowding.wait(&waker, &mut noted));
        crowding.taken(26);
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        crowding.taken(25);
        crowding.taken(0);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert!(!crowding.wait(&waker, &mut noted), "there is room");
        // Crowded again before it has looked: it is to be woken again.
        crowding.pushed(101, usize::MAX, Monotonic(1));
        assert!(crowding.wait(&waker, &mut noted));
        crowding.taken(0);
        assert_eq!(count.0.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_pause_ends_and_does_not_begin_again_before_there_was_room() {
        let mut crowding = Crowding::new(&Limits {
            back_pressure_bytes: 100,
            back_pressure_ms_max: 50,
            ..Limits::default()
        });
        let at = Monotonic;
        assert_eq!(crowding.pushed(100, usize::MAX, at(1)), None);
        assert_eq!(crowding.pushed(101, usize::MAX, at(1)), Some(at(51)));
        assert!(crowding.wait(Waker::noop(), &mut None));
        assert_eq!(crowding.pushed(200, usize::MAX, at(20)), Some(at(51)));
        assert_eq!(
            crowding.pushed(300, usize::MAX, at(51)),
            None,
            "it was long enough"
        );
        crowding.taken(26);
        assert_eq!(
            crowding.pushed(101, usize::MAX, at(60)),
            None,
            "it never had room"
        );
        crowding.taken(25);
        assert!(!crowding.wait(Waker::noop(), &mut None));
        assert_eq!(crowding.pushed(101, usize::MAX, at(70)), Some(at(120)));
    }

    #[test]
    fn below_a_ceiling_it_is_crowded_before_anything_is_lost() {
        let mut crowding = Crowding::new(&Limits {
            back_pressure_bytes: 100,
            back_pressure_ms_max: 50,
            ..Limits::default()
        });
        let (at, ceiling) = (Monotonic, 160);
        assert_eq!(crowding.pushed(40, ceiling, at(1)), None);
        assert_eq!(crowding.pushed(41, ceiling, at(1)), Some(at(51)));
        crowding.taken(11);
        assert_eq!(
            crowding.pushed(41, ceiling, at(2)),
            Some(at(51)),
            "no room yet"
        );
        crowding.taken(10);
        assert_eq!(crowding.pushed(41, ceiling, at(2)), Some(at(52)));
        // A higher ceiling than the limit needs is none.
        crowding.taken(0);
        assert_eq!(crowding.pushed(100, 1_000, at(3)), None);
    }
}
