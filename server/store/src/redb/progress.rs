//! What a session is done with, as one small row.

use serde::{Deserialize, Serialize};

use super::encoding::{RowError, decode, encode};
pub(super) use crate::progress::Progress;
use crate::{Sequence, progress::RANGES_STEP, ranges::Ranges};

const PROGRESS_VERSION: u8 = 1;

/// Each range as its distance from the end of the one before (the first: from the cursor) and its length: small
/// numbers, which postcard writes in a byte or two.
#[derive(Serialize, Deserialize)]
struct Row {
    cursor: u64,
    ranges: Vec<(u64, u64)>,
}

impl Progress {
    /// The first number from which on nothing is done.
    pub(super) fn end(&self) -> Sequence {
        let last = self.ranges.iter().next_back();
        Sequence(last.map_or(self.cursor, |(_, end)| end))
    }

    /// How often the number of ranges has passed the step, and doubled.
    pub(super) fn steps(&self) -> u32 {
        (self.ranges.len() / RANGES_STEP + 1).ilog2()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut before = self.cursor;
        let relative = |(start, end)| {
            let range = (start - before, end - start);
            before = end;
            range
        };
        let ranges = self.ranges.iter().map(relative).collect();
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
    use std::{collections::BTreeSet, ops::Range};

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

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            rng_seed: proptest::test_runner::RngSeed::Fixed(12),
            ..ProptestConfig::default()
        })]

        #[test]
        fn gaps_are_joined_but_where_something_waits(
            numbers in prop::collection::vec(0_u64..60, 0..40),
            cursor in 0_u64..20,
            waiting in prop::collection::btree_set(0_u64..60, 0..6),
        ) {
            let mut progress = Progress::default();
            for number in numbers {
                progress.done(Sequence(number), Sequence(cursor));
            }
            let before = progress.clone();
            let waits = |gap: Range<u64>| Ok::<_, ()>(waiting.range(gap).next().is_some());
            prop_assert_eq!(progress.join(waits), Ok(()));
            prop_assert_eq!(progress.end(), before.end());
            for number in (0..60).map(Sequence) {
                prop_assert!(progress.is_done(number) || !before.is_done(number));
                let waits = waiting.contains(&number.0) && !before.is_done(number);
                prop_assert!(!waits || !progress.is_done(number));
            }
            // Each range that is left has something before it that waits.
            prop_assert!(progress.ranges.len() <= waiting.len());
            prop_assert_eq!(&Progress::decode(&progress.encode()), &Ok(progress.clone()));
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
