//! What a session is done with: all below a cursor, and ranges above it. One small row per session.

use serde::{Deserialize, Serialize};

use super::encoding::{RowError, decode, encode};
use crate::Sequence;

const PROGRESS_VERSION: u8 = 1;

/// Invariant: ranges are not empty, ascend, do not touch each other, and start above the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    cursor: u64,
    /// Start (inclusive) and end (exclusive).
    ranges: Vec<(u64, u64)>,
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
        let at = self.ranges.partition_point(|&(_, end)| end <= sequence.0);
        sequence.0 < self.cursor
            || self
                .ranges
                .get(at)
                .is_some_and(|&(start, _)| start <= sequence.0)
    }

    /// The first number from which on nothing is done.
    pub(super) fn end(&self) -> Sequence {
        Sequence(self.ranges.last().map_or(self.cursor, |&(_, end)| end))
    }

    /// Takes in one number, and all below a cursor.
    pub(super) fn done(&mut self, sequence: Sequence, cursor: Sequence) {
        self.insert(sequence.0);
        self.cursor = self.cursor.max(cursor.0);
        let mut passed = 0;
        for &(start, end) in &self.ranges {
            if start > self.cursor {
                break;
            }
            self.cursor = self.cursor.max(end);
            passed += 1;
        }
        self.ranges.drain(..passed);
    }

    /// Takes out one number: its message has come to this session although its place was passed long ago.
    pub(super) fn undone(&mut self, sequence: Sequence) {
        let number = sequence.0;
        if number < self.cursor {
            let above = (number + 1, self.cursor);
            if above.0 < above.1 {
                self.ranges.insert(0, above);
            }
            self.cursor = number;
            return;
        }
        let at = self.ranges.partition_point(|&(_, end)| end <= number);
        if let Some(&(start, end)) = self.ranges.get(at)
            && start <= number
        {
            let parts = [(start, number), (number + 1, end)];
            let parts = parts.into_iter().filter(|(start, end)| start < end);
            self.ranges.splice(at..=at, parts);
        }
    }

    fn insert(&mut self, number: u64) {
        if self.is_done(Sequence(number)) {
            return;
        }
        let after = number.saturating_add(1);
        let at = self.ranges.partition_point(|&(_, end)| end < number);
        let touches_left = self.ranges.get(at).is_some_and(|&(_, end)| end == number);
        let right = at + usize::from(touches_left);
        let touches_right = self.ranges.get(right).is_some_and(|r| r.0 == after);
        match (touches_left, touches_right) {
            (false, false) => self.ranges.insert(at, (number, after)),
            (true, false) => self.ranges[at].1 = after,
            (false, true) => self.ranges[right].0 = number,
            (true, true) => {
                self.ranges[at].1 = self.ranges[right].1;
                self.ranges.remove(right);
            }
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut before = self.cursor;
        let relative = |&(start, end): &(u64, u64)| {
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
        let ranges = absolute;
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
            steps in prop::collection::vec((0_u64..40, 0_u64..45, 0..4), 0..60)
        ) {
            let mut progress = Progress::default();
            let mut done = BTreeSet::new();
            for (number, cursor, kind) in steps {
                if kind == 0 {
                    progress.undone(Sequence(number));
                    done.remove(&number);
                } else {
                    let cursor = if cursor > 4 { 0 } else { cursor * 5 };
                    progress.done(Sequence(number), Sequence(cursor));
                    done.insert(number);
                    done.extend(0..cursor);
                }
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
