//! Messages that were read back and that somebody still holds. Sessions that were away together wait for the same messages:
//! each is decoded once, and is in memory once.
//!
//! Nothing is kept for its own sake, and what is found is the content alone: whether a row is still there, and for whom, the
//! reader sees in its snapshot. A number never stands for another message, so there is nothing that could be out of date.

use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;

use crate::{Message, Sequence};

/// So many numbers in a row have a slot each.
const SLOTS: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Recent {
    /// Made when something is read for the first time.
    slots: OnceLock<Box<[Mutex<Slot>]>>,
}

#[derive(Debug)]
struct Slot {
    sequence: Sequence,
    message: Weak<Message>,
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            sequence: Sequence(0),
            message: Weak::new(),
        }
    }
}

impl Recent {
    pub(super) fn get(&self, sequence: Sequence) -> Option<Arc<Message>> {
        let slot = self.slot(sequence)?.lock();
        (slot.sequence == sequence)
            .then(|| slot.message.upgrade())
            .flatten()
    }

    pub(super) fn put(&self, sequence: Sequence, message: &Arc<Message>) {
        let slots = self
            .slots
            .get_or_init(|| std::iter::repeat_with(Mutex::default).take(SLOTS).collect());
        let slot = Slot {
            sequence,
            message: Arc::downgrade(message),
        };
        let replaced = std::mem::replace(&mut *slots[place(sequence)].lock(), slot);
        // Not under the lock: it may be what the memory was still held for.
        drop(replaced);
    }

    /// Nobody waits for it any more, so its memory is not held any longer either.
    pub(super) fn forget(&self, sequence: Sequence) {
        let Some(slot) = self.slot(sequence) else {
            return;
        };
        let mut slot = slot.lock();
        if slot.sequence == sequence {
            *slot = Slot::default();
        }
    }

    fn slot(&self, sequence: Sequence) -> Option<&Mutex<Slot>> {
        Some(&self.slots.get()?[place(sequence)])
    }
}

fn place(sequence: Sequence) -> usize {
    usize::try_from(sequence.0 % SLOTS as u64).expect("less than the slots")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ebbtide_protocol::{QoS, TopicName};

    use super::*;
    use crate::{Properties, WallTime};

    fn message(topic: &str) -> Arc<Message> {
        Arc::new(Message {
            topic: TopicName::new(topic).expect("a topic"),
            payload: Bytes::from_static(b"x"),
            qos: QoS::AtLeastOnce,
            retain: false,
            accepted_at: WallTime(0),
            properties: Properties::default(),
        })
    }

    #[test]
    fn it_holds_nothing_of_its_own() {
        let recent = Recent::default();
        recent.forget(Sequence(7));
        assert_eq!(recent.get(Sequence(7)), None);
        let held = message("a");
        recent.put(Sequence(7), &held);
        let found = recent.get(Sequence(7)).expect("it is held");
        assert!(Arc::ptr_eq(&found, &held));
        drop((found, held));
        assert_eq!(recent.get(Sequence(7)), None);
    }

    #[test]
    fn numbers_that_share_a_slot_are_told_apart() {
        let recent = Recent::default();
        let (first, second) = (message("first"), message("second"));
        let (low, high) = (Sequence(7), Sequence(7 + SLOTS as u64));
        recent.put(low, &first);
        recent.put(high, &second);
        assert_eq!(recent.get(low), None);
        recent.forget(low);
        assert_eq!(recent.get(high), Some(second.clone()));
        recent.forget(high);
        assert_eq!(recent.get(high), None);
        assert_eq!(Arc::weak_count(&second), 0, "not even its memory");
    }
}
