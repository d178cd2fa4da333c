//! A map from sequence numbers to small values. Numbers grow and lie close together, so values stand in blocks: for a
//! million messages that takes a third of the memory that a hash map would.

use ebbtide_store::Sequence;
use rustc_hash::FxHashMap;

/// Small enough that a few numbers far apart do not keep much alive.
const BLOCK: usize = 32;

#[derive(Debug)]
pub(crate) struct SequenceMap<T> {
    blocks: FxHashMap<u64, Box<Block<T>>>,
}

#[derive(Debug)]
struct Block<T> {
    len: usize,
    values: [Option<T>; BLOCK],
}

impl<T> Default for SequenceMap<T> {
    fn default() -> Self {
        Self {
            blocks: FxHashMap::default(),
        }
    }
}

impl<T> SequenceMap<T> {
    pub fn insert(&mut self, sequence: Sequence, value: T) {
        let (block, at) = place(sequence);
        let block = self.blocks.entry(block).or_insert_with(|| {
            Box::new(Block {
                len: 0,
                values: [const { None }; BLOCK],
            })
        });
        if block.values[at].replace(value).is_none() {
            block.len += 1;
        }
    }

    pub fn get(&self, sequence: Sequence) -> Option<&T> {
        let (block, at) = place(sequence);
        self.blocks.get(&block)?.values[at].as_ref()
    }

    pub fn get_mut(&mut self, sequence: Sequence) -> Option<&mut T> {
        let (block, at) = place(sequence);
        self.blocks.get_mut(&block)?.values[at].as_mut()
    }

    pub fn remove(&mut self, sequence: Sequence) -> Option<T> {
        let (number, at) = place(sequence);
        let block = self.blocks.get_mut(&number)?;
        let value = block.values[at].take()?;
        block.len -= 1;
        if block.len == 0 {
            self.blocks.remove(&number);
        }
        // A peak does not stay in memory for ever.
        if self.blocks.capacity() > 1024 && self.blocks.len() < self.blocks.capacity() / 8 {
            self.blocks.shrink_to(self.blocks.len() * 2);
        }
        Some(value)
    }
}

fn place(sequence: Sequence) -> (u64, usize) {
    let block = BLOCK as u64;
    let at = usize::try_from(sequence.0 % block).expect("below the size of a block");
    (sequence.0 / block, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_does_what_a_hash_map_does() {
        let mut map = SequenceMap::default();
        let mut model = std::collections::HashMap::new();
        let mut number: u64 = 1;
        for step in 0_u64..20_000 {
            // Any fixed sequence will do that meets itself often.
            number = number
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(step);
            let sequence = Sequence((number >> 33) % 500);
            if step % 3 == 0 {
                assert_eq!(map.remove(sequence), model.remove(&sequence));
            } else {
                map.insert(sequence, step);
                model.insert(sequence, step);
            }
            assert_eq!(map.get(sequence), model.get(&sequence));
            assert_eq!(map.get_mut(sequence), model.get_mut(&sequence));
        }
        for sequence in (0..500).map(Sequence) {
            assert_eq!(map.remove(sequence), model.remove(&sequence));
        }
        assert!(map.blocks.is_empty(), "empty blocks are gone");
    }
}
