//! What a session is done with: all below a cursor, and ranges above it. One small row per session.

use serde::{Deserialize, Serialize};

use super::{
    encoding::{RowError, decode, encode},
    ranges::Ranges,
};
use crate::Sequence;

const PROGRESS_VERSION: u8 = 1;

/// Invariant: ranges start above the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    cursor: u64,
    ranges: Ranges,
}

/// Each range as its distance from the end of the one before (the first: from the cursor) and its length: small
/// numbers, which postcard writes in a byte or two.
#[derive(Serialize, Deserialize)]
struct Row {
    cursor: u64,
    ranges: Vec<(u64, u64)>,
}

impl Progress {
    pub(super) fn is_done(&self, sequence: Sequence) -> bool {
        sequence.0 < self.cursor || self.ranges.contains(sequence.0)
    }

    /// The first number from which on nothing is done.
    pub(super) fn end(&self) -> Sequence {
        let last = self.ranges.as_slice().last();
        Sequence(last.map_or(self.cursor, |&(_, end)| end))
    }

    /// Takes in one number, and all below a cursor.
    pub(super) fn done(&mut self, sequence: Sequence, cursor: Sequence) {
        if !self.is_done(sequence) {
            self.ranges.insert(sequence.0);
        }
        self.cursor = self.cursor.max(cursor.0);
        let mut passed = 0;
        for &(start, end) in self.ranges.as_slice() {
            if start > self.cursor {
                break;
            }
            self.cursor = self.cursor.max(end);
            passed += 1;
        }
        self.ranges.drain_first(passed);
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut before = self.cursor;
        let relative = |&(start, end): &(u64, u64)| {
            let range = (start - before, end - start);
            before = end;
            range
        };
        let ranges = self.ranges.as_slice().iter().map(relative).collect();
        let cursor = self.cursor;
        encode(PROGRESS_VERSION, &Row { cursor, ranges })
    }

    pub(super) fn decode(row: &[u8]) -> Result<Self, RowError> {
        let Row { cursor, ranges } = decode(PROGRESS_VERSION, row)?;
        let mut before = cursor;
        let mut absolute = Vec::with_capacity(ranges.len());
        for (distance, length) in ranges {
            let range = before.checked_add(distance).and_then(|start| {
                let end = start.checked_add(length)?;
                (distance > 0 && length > 0).then_some((start, end))
            });
            let range = range.ok_or(RowError::Invalid("the ranges are not in order"))?;
            absolute.push(range);
            before = range.1;
        }
        let ranges = Ranges::of(absolute);
        Ok(Self { cursor, ranges })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            rng_seed: proptest::test_runner::RngSeed::Fixed(11),
            ..ProptestConfig::default()
        })]

        #[test]
        fn like_a_plain_set(
            steps in prop::collection::vec((0_u64..40, 0_u64..45), 0..60)
        ) {
            let mut progress = Progress::default();
            let mut done = BTreeSet::new();
            for (number, cursor) in steps {
                let cursor = if cursor > 4 { 0 } else { cursor * 5 };
                progress.done(Sequence(number), Sequence(cursor));
                done.insert(number);
                done.extend(0..cursor);
                for number in 0..50 {
                    prop_assert_eq!(progress.is_done(Sequence(number)), done.contains(&number));
                }
                let end = done.last().map_or(0, |last| last + 1);
                prop_assert_eq!(progress.end().0, end);
                prop_assert_eq!(&Progress::decode(&progress.encode()), &Ok(progress.clone()));
            }
        }
    }

    #[test]
    fn a_run_costs_a_few_bytes() {
        let mut progress = Progress::default();
        for number in (1..1000).filter(|number| *number != 500) {
            progress.done(Sequence(number), Sequence(1));
        }
        assert!(progress.encode().len() <= 8);
    }

    #[test]
    fn a_row_with_overlapping_ranges_is_refused() {
        let row = encode(
            PROGRESS_VERSION,
            &Row {
                cursor: 5,
                ranges: vec![(0, 4)],
            },
        );
        assert!(Progress::decode(&row).is_err());
    }
}
