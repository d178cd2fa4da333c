//! Something that is about to be done and can still be taken back, and how long it waits.
//!
//! It is done once or never: what takes it first has it.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

type Act = Box<dyn FnOnce()>;

/// Clones are the same deed.
#[derive(Clone)]
pub struct Deed(Rc<RefCell<Option<Act>>>);

impl Deed {
    pub fn new(act: impl FnOnce() + 'static) -> Self {
        Self(Rc::new(RefCell::new(Some(Box::new(act)))))
    }

    /// Does it, unless it was done or taken back.
    pub fn act(&self) {
        let act = self.0.borrow_mut().take();
        if let Some(act) = act {
            act();
        }
    }

    /// Takes it back. `false`: it was done already.
    pub fn take_back(&self) -> bool {
        self.0.borrow_mut().take().is_some()
    }
}

impl PartialEq for Deed {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Deed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Deed")
    }
}

/// Time that runs out, and stands still while somebody looks closer.
#[derive(Clone, Copy, Debug)]
pub struct Countdown {
    left_ms: f64,
    seen_at_ms: f64,
}

impl Countdown {
    /// `now_ms` is of a clock that is never set.
    pub fn new(now_ms: f64, length_ms: f64) -> Self {
        Self {
            left_ms: length_ms,
            seen_at_ms: now_ms,
        }
    }

    /// Goes on to now; the time since the last look does not count when it is held.
    pub fn look(&mut self, now_ms: f64, is_held: bool) {
        if !is_held {
            self.left_ms -= (now_ms - self.seen_at_ms).max(0.0);
        }
        self.seen_at_ms = now_ms;
    }

    pub fn is_over(&self) -> bool {
        self.left_ms <= 0.0
    }

    /// Rounded up: the last second is the one in which it ends.
    pub fn left_s(&self) -> u32 {
        (self.left_ms.max(0.0) / 1_000.0).ceil() as u32
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn counting() -> (Deed, Rc<Cell<u32>>) {
        let done = Rc::new(Cell::new(0));
        let counted = Rc::clone(&done);
        let deed = Deed::new(move || counted.set(counted.get() + 1));
        (deed, done)
    }

    #[test]
    fn it_is_done_once() {
        let (deed, done) = counting();
        deed.act();
        deed.clone().act();
        assert_eq!(done.get(), 1);
        assert!(!deed.take_back());
    }

    #[test]
    fn what_was_taken_back_is_never_done() {
        let (deed, done) = counting();
        assert!(deed.clone().take_back());
        deed.act();
        assert_eq!(done.get(), 0);
    }

    #[test]
    fn time_stands_still_while_it_is_held() {
        let mut countdown = Countdown::new(100.0, 2_000.0);
        assert_eq!(countdown.left_s(), 2);
        countdown.look(600.0, false);
        countdown.look(9_000.0, true);
        assert_eq!(countdown.left_s(), 2);
        countdown.look(9_600.0, false);
        assert_eq!((countdown.left_s(), countdown.is_over()), (1, false));
        countdown.look(10_500.0, false);
        assert_eq!((countdown.left_s(), countdown.is_over()), (0, true));
    }
}
