//! A set of numbers that mostly follow each other, as ranges.

/// Invariant: ranges are not empty, ascend, and do not touch each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges {
    /// Start (inclusive) and end (exclusive).
    ranges: Vec<(u64, u64)>,
}

impl Ranges {
    /// Of ranges that are as they have to be.
    pub(super) fn of(ranges: Vec<(u64, u64)>) -> Self {
        Self { ranges }
    }

    pub(super) fn as_slice(&self) -> &[(u64, u64)] {
        &self.ranges
    }

    pub(super) fn contains(&self, number: u64) -> bool {
        let at = self.ranges.partition_point(|&(_, end)| end <= number);
        self.ranges
            .get(at)
            .is_some_and(|&(start, _)| start <= number)
    }

    pub(super) fn insert(&mut self, number: u64) {
        if self.contains(number) {
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

    /// Removes the first ranges.
    pub(super) fn drain_first(&mut self, count: usize) {
        self.ranges.drain(..count);
    }
}
