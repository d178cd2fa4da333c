//! A set of numbers that mostly follow each other, as ranges. Wherever a number falls, it costs the same: a backlog that
//! drains in no order makes a million of them before they grow together.

use std::collections::BTreeMap;

/// Invariant: ranges are not empty, and do not touch each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranges {
    /// Start (inclusive) and end (exclusive).
    ranges: BTreeMap<u64, u64>,
}

impl Ranges {
    /// Of ranges that are as they have to be.
    pub(crate) fn of(ranges: Vec<(u64, u64)>) -> Self {
        let ranges = ranges.into_iter().collect();
        Self { ranges }
    }

    /// How many ranges.
    pub(crate) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Ascending.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, u64)> {
        self.ranges.iter().map(|(start, end)| (*start, *end))
    }

    pub(crate) fn first(&self) -> Option<(u64, u64)> {
        self.ranges
            .first_key_value()
            .map(|(start, end)| (*start, *end))
    }

    pub(crate) fn contains(&self, number: u64) -> bool {
        self.up_to(number).is_some_and(|(_, end)| number < end)
    }

    pub(crate) fn insert(&mut self, number: u64) {
        let left = self.up_to(number);
        if left.is_some_and(|(_, end)| number < end) {
            return;
        }
        let after = number.saturating_add(1);
        let end = self.ranges.remove(&after).unwrap_or(after);
        let start = match left {
            Some((start, end)) if end == number => start,
            _ => number,
        };
        self.ranges.insert(start, end);
    }

    pub(crate) fn remove_first(&mut self) {
        self.ranges.pop_first();
    }

    /// The last range that does not start behind the number.
    fn up_to(&self, number: u64) -> Option<(u64, u64)> {
        let (start, end) = self.ranges.range(..=number).next_back()?;
        Some((*start, *end))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        time::{Duration, Instant},
    };

    use super::*;

    #[test]
    fn it_is_a_set() {
        let (mut ranges, mut model) = (Ranges::default(), BTreeSet::new());
        let mut random = 1_u64;
        for _ in 0..300 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let number = random >> 56;
            ranges.insert(number);
            model.insert(number);
            let all: Vec<u64> = ranges.iter().flat_map(|(start, end)| start..end).collect();
            assert!(all.iter().eq(&model));
            let touch = ranges.iter().zip(ranges.iter().skip(1));
            assert!(touch.into_iter().all(|(one, next)| one.1 < next.0));
            assert!((0..256).all(|number| ranges.contains(number) == model.contains(&number)));
        }
        assert_eq!(
            ranges.first().map(|(start, _)| start),
            model.first().copied()
        );
        assert_eq!(
            ranges.iter().next_back().map(|(_, end)| end - 1),
            model.last().copied()
        );
    }

    /// Every one of them falls between others: with ranges in a row each would move half of them, a minute in all.
    #[test]
    fn numbers_in_no_order_cost_no_more_than_others() {
        const BITS: u32 = 18;
        let started = Instant::now();
        let mut ranges = Ranges::default();
        let scattered = || (0_u64..1 << BITS).map(|number| number.reverse_bits() >> (64 - BITS));
        for number in scattered() {
            ranges.insert(2 * number);
        }
        assert_eq!(ranges.len(), 1 << BITS);
        for number in scattered() {
            ranges.insert(2 * number + 1);
        }
        assert_eq!(ranges.len(), 1);
        let taken = started.elapsed();
        assert!(taken < Duration::from_secs(15), "{taken:?}");
    }
}
