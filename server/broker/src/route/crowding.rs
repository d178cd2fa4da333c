//! Back-pressure: whoever publishes faster than a queue is emptied is read more slowly until there is room, or the queue has
//! kept publishers waiting for long enough.
//!
//! A queue is *crowded* from the push that takes it above its high-water mark until it is down to a quarter of that. It never
//! blocks who pushes: the publisher's connection is told, and decides not to read. Who reads too slowly for good costs
//! everybody that publishes to it one pause, not one for each message. While memory is short less may wait, and the mark is lower.
//!
//! Publishers wait in a line. When there is room the first few are called, and whoever was called and has looked, or is gone, calls the next: a
//! few of thousands fill the room, and the others are not woken for nothing.

use std::{collections::VecDeque, sync::Arc, task::Waker};

use super::{group::Group, mailbox::Mailbox};
use crate::{Limits, Monotonic};

/// A queue is crowded with this part of what may wait there while memory is short: what comes in one turn of a publisher, or from many
/// before they have been held back, is far from the rest.
const CEILING_PARTS: usize = 4;

/// So many are called when there is room. A turn of each brings 64 KiB at the most, so by default these fill it; with fewer, threads
/// of the runtime have nothing to do meanwhile.
const CALLED_AT_ONCE: usize = 4;

/// One queue's state; behind the lock of that queue.
#[derive(Debug)]
pub(crate) struct Crowding {
    high_bytes: usize,
    /// With so few it is not crowded any more.
    low_bytes: usize,
    pause_ms_max: u32,
    /// When the pause of its publishers ends at the latest.
    until: Option<Monotonic>,
    /// Most queues never have any.
    line: Option<Box<Line>>,
    /// The number of the first place in the line. Numbers are not used again, so whoever has one below it has been called.
    first: u32,
}

/// Connections that are not read meanwhile, those who wait longest first; `None` in the place of one who is gone.
#[derive(Debug, Default)]
struct Line(VecDeque<Option<Waker>>);

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
            line: None,
            first: 0,
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

    /// There is room, or nobody is left for whom it would have to be kept.
    pub fn clear(&mut self) {
        self.until = None;
        if self.line.is_some() {
            for _ in 0..CALLED_AT_ONCE {
                self.call_next();
            }
        }
    }

    /// Takes a place in the line and keeps it; `false`: there is room, and no need to wait.
    fn wait(&mut self, waker: &Waker, place: &mut Option<u32>) -> bool {
        if self.until.is_none() {
            return false;
        }
        if self.index(*place).is_none() {
            let Line(line) = &mut **self.line.get_or_insert_default();
            *place = Some(self.first.wrapping_add(line.len() as u32));
            line.push_back(Some(waker.clone()));
        }
        true
    }

    /// Whoever had this place does not wait any more.
    fn leave(&mut self, place: Option<u32>) {
        if let Some(index) = self.index(place) {
            if let Some(line) = &mut self.line {
                line.0[index] = None;
            }
            self.shorten();
        } else if place.is_some() && self.until.is_none() {
            self.call_next();
        }
    }

    fn index(&self, place: Option<u32>) -> Option<usize> {
        let index = place?.wrapping_sub(self.first) as usize;
        let line = self.line.as_ref()?;
        (index < line.0.len()).then_some(index)
    }

    fn call_next(&mut self) {
        self.shorten();
        if let Some(line) = &mut self.line
            && let Some(Some(waker)) = line.0.pop_front()
        {
            self.first = self.first.wrapping_add(1);
            waker.wake();
            self.shorten();
        }
    }

    /// Gives up the places in front of those who wait.
    fn shorten(&mut self) {
        let Some(line) = &mut self.line else { return };
        while let Some(None) = line.0.front() {
            line.0.pop_front();
            self.first = self.first.wrapping_add(1);
        }
        if line.0.is_empty() {
            self.line = None;
        }
    }
}

/// A queue that a publisher has filled, and until when to wait for it.
#[derive(Debug)]
pub(crate) struct Crowded {
    queue: Queue,
    pub until: Monotonic,
    /// In its line, see [`Crowding::wait`].
    place: Option<u32>,
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
            place: None,
        }
    }

    /// Wakes this connection when there is room; `false`: there is already.
    pub fn wait(&mut self, waker: &Waker) -> bool {
        let mut place = self.place;
        let waits = self.look(|crowding| crowding.wait(waker, &mut place));
        self.place = place;
        waits
    }

    fn look<T>(&self, look: impl FnOnce(&mut Crowding) -> T) -> T {
        match &self.queue {
            Queue::Session(mailbox) => mailbox.with_crowding(look),
            Queue::Group(group) => group.with_crowding(look),
        }
    }
}

/// Whoever waits no longer, for whatever reason, keeps nobody from being called.
impl Drop for Crowded {
    fn drop(&mut self) {
        if self.place.is_some() {
            self.look(|crowding| crowding.leave(self.place));
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
        let mut place = None;
        assert!(crowding.wait(&waker, &mut place) && crowding.wait(&waker, &mut place));
        crowding.taken(26);
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        crowding.taken(25);
        crowding.taken(0);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert!(!crowding.wait(&waker, &mut place), "there is room");
        // Crowded again before it has looked: it is to be woken again.
        crowding.pushed(101, usize::MAX, Monotonic(1));
        assert!(crowding.wait(&waker, &mut place));
        crowding.taken(0);
        assert_eq!(count.0.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn those_who_wait_are_called_a_few_at_a_time() {
        const WAITING: usize = 10;
        let mut crowding = Crowding::new(&Limits {
            back_pressure_bytes: 100,
            ..Limits::default()
        });
        let counts = [(); WAITING].map(|()| Arc::new(Count::default()));
        let called = || {
            let count = |count: &Arc<Count>| count.0.load(Ordering::Relaxed);
            counts.each_ref().map(count)
        };
        let mut places = [None; WAITING];
        let line = |crowding: &mut Crowding, places: &mut [Option<u32>; WAITING], who: usize| {
            crowding.wait(&Waker::from(Arc::clone(&counts[who])), &mut places[who])
        };
        crowding.pushed(101, usize::MAX, Monotonic(1));
        for who in 0..WAITING {
            assert!(line(&mut crowding, &mut places, who));
        }
        // One who stands in the midst and one who stands in front have other things to do.
        crowding.leave(places[2]);
        crowding.leave(places[0]);
        crowding.taken(25);
        assert_eq!(called(), [0, 1, 0, 1, 1, 1, 0, 0, 0, 0]);
        // One has looked, there is room; another goes without having looked.
        assert!(!line(&mut crowding, &mut places, 1));
        crowding.leave(places[1]);
        crowding.leave(places[4]);
        assert_eq!(called(), [0, 1, 0, 1, 1, 1, 1, 1, 0, 0]);
        crowding.pushed(101, usize::MAX, Monotonic(2));
        assert!(line(&mut crowding, &mut places, 3), "it comes back in vain");
        crowding.leave(places[5]);
        assert_eq!(called(), [0, 1, 0, 1, 1, 1, 1, 1, 0, 0]);
        crowding.taken(25);
        assert_eq!(called(), [0, 1, 0, 2, 1, 1, 1, 1, 1, 1]);
        assert!(crowding.line.is_none());
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
