//! Messages that were read back and that somebody still holds. Sessions that were away together wait for the same messages:
//! each is decoded once, and is in memory once.
//!
//! Nothing is kept for its own sake, and what is found is the content alone: whether a row is still there, and for whom, the
//! reader sees in its snapshot. A number never stands for another message, so there is nothing that could be out of date.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicUsize, Ordering},
};

use parking_lot::Mutex;

use crate::{Message, Sequence};

/// Numbers that lie together share a block; there are so many blocks, and so many slots in each. Sessions that come back together are
/// some ten thousand numbers apart at times.
const BLOCKS: usize = 256;
const BLOCK_SLOTS: usize = 256;
/// Blocks that one commit looks through for messages that nobody holds any more.
const SWEPT_BLOCKS: usize = 8;

#[derive(Debug)]
pub(super) struct Recent {
    blocks: Box<[Mutex<Block>]>,
    /// The block that is looked through next.
    sweep: AtomicUsize,
}

/// Takes memory only while there is something in it.
#[derive(Debug, Default)]
struct Block {
    slots: Option<Box<[Slot]>>,
    used: usize,
}

/// What a number stands for, if it is used.
type Slot = Option<(Sequence, Weak<Message>)>;

impl Default for Recent {
    fn default() -> Self {
        let blocks = std::iter::repeat_with(Mutex::default);
        Self {
            blocks: blocks.take(BLOCKS).collect(),
            sweep: AtomicUsize::new(0),
        }
    }
}

impl Recent {
    pub(super) fn get(&self, sequence: Sequence) -> Option<Arc<Message>> {
        let (block, at) = place(sequence);
        let block = self.blocks[block].lock();
        match &block.slots.as_ref()?[at] {
            Some((known, message)) if *known == sequence => message.upgrade(),
            _ => None,
        }
    }

    pub(super) fn put(&self, sequence: Sequence, message: &Arc<Message>) {
        let (block, at) = place(sequence);
        let mut block = self.blocks[block].lock();
        let slots = block
            .slots
            .get_or_insert_with(|| vec![None; BLOCK_SLOTS].into());
        let replaced = slots[at].replace((sequence, Arc::downgrade(message)));
        block.used += usize::from(replaced.is_none());
    }

    /// Nobody waits for it any more.
    pub(super) fn forget(&self, sequence: Sequence) {
        let (block, at) = place(sequence);
        let mut block = self.blocks[block].lock();
        block.clear(at, |known, _| known == sequence);
    }

    /// Forgets some of what nobody holds any more; called often it comes round.
    pub(super) fn sweep(&self) {
        let first = self.sweep.fetch_add(SWEPT_BLOCKS, Ordering::Relaxed);
        for block in first..first + SWEPT_BLOCKS {
            let mut block = self.blocks[block % BLOCKS].lock();
            for at in 0..BLOCK_SLOTS {
                block.clear(at, |_, message| message.strong_count() == 0);
            }
        }
    }
}

impl Block {
    fn clear(&mut self, at: usize, is_meant: impl FnOnce(Sequence, &Weak<Message>) -> bool) {
        let Some(slots) = &mut self.slots else {
            return;
        };
        if slots[at]
            .take_if(|(known, message)| is_meant(*known, message))
            .is_some()
        {
            self.used -= 1;
            if self.used == 0 {
                self.slots = None;
            }
        }
    }
}

/// Its block, and its slot there.
fn place(sequence: Sequence) -> (usize, usize) {
    let slot = usize::try_from(sequence.0 % (BLOCKS * BLOCK_SLOTS) as u64)
        .expect("less than there are slots");
    (slot / BLOCK_SLOTS, slot % BLOCK_SLOTS)
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
        let (low, high) = (Sequence(7), Sequence(7 + (BLOCKS * BLOCK_SLOTS) as u64));
        recent.put(low, &first);
        recent.put(high, &second);
        assert_eq!(recent.get(low), None);
        recent.forget(low);
        assert_eq!(recent.get(high), Some(second.clone()));
        recent.forget(high);
        assert_eq!(recent.get(high), None);
        assert_eq!(Arc::weak_count(&second), 0, "not even its memory");
    }

    #[test]
    fn what_nobody_holds_is_forgotten_in_time_and_takes_no_memory() {
        let recent = Recent::default();
        let (held, left) = (message("held"), message("left"));
        recent.put(Sequence(7), &held);
        for number in 1000..3000 {
            recent.put(Sequence(number), &left);
        }
        drop(left);
        for _ in 0..BLOCKS / SWEPT_BLOCKS {
            recent.sweep();
        }
        let blocks = recent.blocks.iter();
        assert_eq!(
            blocks.filter(|block| block.lock().slots.is_some()).count(),
            1
        );
        assert_eq!(recent.get(Sequence(7)), Some(held));
    }
}
