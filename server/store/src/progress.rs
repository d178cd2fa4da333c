//! What a session is done with: all below a cursor, and ranges above it.

use std::ops::Range;

use crate::{Sequence, ranges::Ranges};

/// With so many ranges they are joined where they can be, and again when there are twice as many: what cannot be joined costs little then.
pub(crate) const RANGES_STEP: usize = 1024;
/// So many messages are looked at then for each range, in all gaps together; where no more are looked at, somebody may wait.
pub(crate) const LOOKED_AT_PER_RANGE: usize = 16;

/// Invariant: ranges start above the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) cursor: u64,
    pub(crate) ranges: Ranges,
}

impl Progress {
    pub(crate) fn is_done(&self, sequence: Sequence) -> bool {
        sequence.0 < self.cursor || self.ranges.contains(sequence.0)
    }

    /// Takes in one number, and all below a cursor.
    pub(crate) fn done(&mut self, sequence: Sequence, cursor: Sequence) {
        if !self.is_done(sequence) {
            self.ranges.insert(sequence.0);
        }
        self.cursor = self.cursor.max(cursor.0);
        while let Some((start, end)) = self.ranges.first()
            && start <= self.cursor
        {
            self.cursor = self.cursor.max(end);
            self.ranges.remove_first();
        }
    }

    /// While one message is open the cursor stands still, and others' numbers lie between what is done above it: each would be a range of
    /// its own for ever. A message is written before any with a higher number is done, so a gap in which none `waits` now is done too.
    pub(crate) fn join<E>(
        &mut self,
        mut waits: impl FnMut(Range<u64>) -> Result<bool, E>,
    ) -> Result<(), E> {
        let mut joined: Vec<(u64, u64)> = Vec::new();
        for (start, end) in self.ranges.iter() {
            let before = joined.last().map_or(self.cursor, |&(_, end)| end);
            if waits(before..start)? {
                joined.push((start, end));
            } else if let Some(last) = joined.last_mut() {
                last.1 = end;
            } else {
                self.cursor = end;
            }
        }
        self.ranges = Ranges::of(joined);
        Ok(())
    }
}
