//! A map from sequence numbers to small values. Numbers grow and lie close together, so values stand in blocks: for a
//! million messages that takes a third of the memory that a hash map would, and where most of the numbers around are gone, not much
//! more.

use ebbtide_store::Sequence;
use rustc_hash::FxHashMap;

/// So many bits has [`Block::present`].
const BLOCK: u64 = u32::BITS as u64;
/// A block of one has room for so many, and grows by this factor: a few numbers far apart take little.
const FIRST_CAPACITY: usize = 2;
const GROWTH: usize = 4;

#[derive(Debug)]
pub(crate) struct SequenceMap<T> {
    blocks: FxHashMap<u64, Block<T>>,
}

/// Neighbours. There is memory for those only that are there: of many that came together, one may wait for years.
#[derive(Debug)]
struct Block<T> {
    /// Bit by bit, the lowest first.
    present: u32,
    /// Of those that are present, ascending.
    values: Vec<T>,
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
        let (block, bit) = place(sequence);
        let block = self.blocks.entry(block).or_insert_with(|| Block {
            present: 0,
            values: Vec::new(),
        });
        block.insert(bit, value);
    }

    pub fn get(&self, sequence: Sequence) -> Option<&T> {
        let (block, bit) = place(sequence);
        let block = self.blocks.get(&block)?;
        block.values.get(block.index(bit)?)
    }

    pub fn get_mut(&mut self, sequence: Sequence) -> Option<&mut T> {
        let (block, bit) = place(sequence);
        let block = self.blocks.get_mut(&block)?;
        let index = block.index(bit)?;
        block.values.get_mut(index)
    }

    pub fn remove(&mut self, sequence: Sequence) -> Option<T> {
        let (number, bit) = place(sequence);
        let block = self.blocks.get_mut(&number)?;
        let value = block.remove(bit)?;
        if block.present == 0 {
            self.blocks.remove(&number);
        }
        // A peak does not stay in memory for ever.
        if self.blocks.capacity() > 1024 && self.blocks.len() < self.blocks.capacity() / 8 {
            self.blocks.shrink_to(self.blocks.len() * 2);
        }
        Some(value)
    }
}

impl<T> Block<T> {
    fn insert(&mut self, bit: u32, value: T) {
        if let Some(index) = self.index(bit) {
            self.values[index] = value;
            return;
        }
        if self.values.len() == self.values.capacity() {
            let room = (self.values.len() * GROWTH).max(FIRST_CAPACITY);
            self.values.reserve_exact(room - self.values.len());
        }
        self.values.insert(self.below(bit), value);
        self.present |= bit;
    }

    fn remove(&mut self, bit: u32) -> Option<T> {
        let value = self.values.remove(self.index(bit)?);
        self.present &= !bit;
        let len = self.values.len();
        if len > 0 && len * GROWTH <= self.values.capacity() {
            self.values.shrink_to(len);
        }
        Some(value)
    }

    /// Where its value is.
    fn index(&self, bit: u32) -> Option<usize> {
        (self.present & bit != 0).then(|| self.below(bit))
    }

    /// How many lower ones there are.
    fn below(&self, bit: u32) -> usize {
        (self.present & (bit - 1)).count_ones() as usize
    }
}

/// The number of its block, and its bit in there.
fn place(sequence: Sequence) -> (u64, u32) {
    (sequence.0 / BLOCK, 1 << (sequence.0 % BLOCK))
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

    #[test]
    fn what_is_left_of_many_takes_little() {
        let mut map = SequenceMap::default();
        for n in 0..32_000_u64 {
            map.insert(Sequence(n), n);
        }
        let room = |map: &SequenceMap<u64>| {
            let blocks = map.blocks.values();
            blocks.map(|block| block.values.capacity()).sum::<usize>()
        };
        assert_eq!(
            room(&map),
            32_000,
            "without a gap there is no room to spare"
        );
        for n in (0..32_000_u64).filter(|n| n % 32 != 7) {
            assert_eq!(map.remove(Sequence(n)), Some(n));
        }
        assert!(room(&map) <= 4 * 1000, "{}", room(&map));
        assert_eq!(map.get(Sequence(32 * 500 + 7)), Some(&(32 * 500 + 7)));
    }
}
