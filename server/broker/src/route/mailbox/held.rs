//! How much memory the messages of groups take that one session holds, whichever groups they are of and wherever on the way to its client.
//!
//! A group asks before it hands out one more. If it is refused nobody else hands out any until there is room again: then the owner asks all its
//! groups in turn. One group that has much would leave the others nothing, and who was refused would not learn when there is room.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes, and a bit that says that a group was refused.
///
/// Nothing else is told by it, so the order is relaxed: what a group leaves waiting, and what the owner sets free, is behind the group's lock.
#[derive(Debug, Default)]
pub(crate) struct Held(AtomicUsize);

const REFUSED: usize = 1 << (usize::BITS - 1);

impl Held {
    /// Whether it may hold one more: it has no more than so many bytes.
    pub fn takes(&self, bytes_max: usize) -> bool {
        let mut held = self.0.load(Ordering::Relaxed);
        loop {
            if held & REFUSED > 0 {
                return false;
            }
            if held <= bytes_max {
                return true;
            }
            // Only while there is too much: then the owner looks again after it has set some free.
            let refused = held | REFUSED;
            let order = Ordering::Relaxed;
            match self.0.compare_exchange_weak(held, refused, order, order) {
                Ok(_) => return false,
                Err(other) => held = other,
            }
        }
    }

    pub fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    pub fn free(&self, bytes: usize) {
        let before = self.0.fetch_sub(bytes, Ordering::Relaxed);
        debug_assert!(before & !REFUSED >= bytes, "it was held");
    }

    pub fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed) & !REFUSED
    }

    /// Neither holds anything nor was refused any.
    pub fn is_nothing(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    pub fn was_refused(&self) -> bool {
        self.0.load(Ordering::Relaxed) & REFUSED > 0
    }

    /// For its owner: whether groups were refused and there is room again, for a quarter: it has to ask each of them, which is too much for one
    /// message.
    pub fn has_room_again(&self, bytes_max: impl FnOnce() -> usize) -> bool {
        let has_room = self.was_refused() && self.bytes() <= bytes_max() / 4 * 3;
        if has_room {
            self.0.fetch_and(!REFUSED, Ordering::Relaxed);
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_refused_is_asked_once_when_there_is_room() {
        let held = Held::default();
        assert!(held.takes(10) && !held.was_refused());
        held.add(6);
        held.add(6);
        assert!(!held.has_room_again(|| 10), "nobody was refused");
        assert!(!held.takes(10));
        assert!(!held.has_room_again(|| 10));
        held.free(6);
        assert!(!held.takes(10), "the owner asks");
        assert!(held.has_room_again(|| 10) && !held.has_room_again(|| 10));
        assert!(held.takes(10));
        held.free(6);
        assert!(held.is_nothing());
    }
}
