//! Numbers of messages in the order in which they wait. Who is away gets every number, or every tenth, or what its topics have of
//! them, so they stand in runs of equal steps: a million in a row take no more than two do.
//!
//! Whatever the numbers are, two of them take as much as one run, which is as much as they would take by themselves.

use std::collections::VecDeque;

use ebbtide_store::Sequence;

/// `first`, `first + step`, and so on.
#[derive(Clone, Copy, Debug)]
struct Run {
    first: u64,
    step: u32,
    /// Never zero.
    count: u32,
}

/// A queue of numbers, ascending or not.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    runs: VecDeque<Run>,
    len: usize,
}

impl Run {
    fn one(number: Sequence) -> Self {
        Self {
            first: number.0,
            step: 0,
            count: 1,
        }
    }

    fn at(&self, index: u32) -> Sequence {
        Sequence(self.first + u64::from(self.step) * u64::from(index))
    }

    fn last(&self) -> Sequence {
        self.at(self.count - 1)
    }

    /// The step with which `next` can stand behind `before`, given that this run has it already or is one number.
    fn step_between(&self, before: Sequence, next: Sequence) -> Option<u32> {
        let step = u32::try_from(next.0.checked_sub(before.0)?).ok()?;
        let fits = step > 0 && (self.count == 1 || step == self.step) && self.count < u32::MAX;
        fits.then_some(step)
    }

    fn iter(self) -> impl Iterator<Item = Sequence> {
        (0..self.count).map(move |index| self.at(index))
    }

    /// Takes so many off the front, not all.
    fn skip(self, count: u32) -> Self {
        Self {
            first: self.at(count).0,
            count: self.count - count,
            ..self
        }
    }
}

impl Numbers {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn front(&self) -> Option<Sequence> {
        self.runs.front().map(|run| run.at(0))
    }

    pub fn push_back(&mut self, number: Sequence) {
        self.len += 1;
        if let Some(run) = self.runs.back_mut()
            && let Some(step) = run.step_between(run.last(), number)
        {
            (run.step, run.count) = (step, run.count + 1);
        } else {
            self.runs.push_back(Run::one(number));
        }
    }

    pub fn push_front(&mut self, number: Sequence) {
        self.len += 1;
        if let Some(run) = self.runs.front_mut()
            && let Some(step) = run.step_between(number, run.at(0))
        {
            (run.first, run.step, run.count) = (number.0, step, run.count + 1);
        } else {
            self.runs.push_front(Run::one(number));
        }
    }

    pub fn pop_front(&mut self) -> Option<Sequence> {
        let run = self.runs.front_mut()?;
        let number = run.at(0);
        self.len -= 1;
        match run.count {
            1 => drop(self.runs.pop_front()),
            _ => *run = run.skip(1),
        }
        Some(number)
    }

    /// Takes so many off the front, or all.
    pub fn take(&mut self, count: usize) -> Vec<Sequence> {
        let count = count.min(self.len);
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            taken.extend(self.pop_front());
        }
        if self.runs.is_empty() {
            self.runs = VecDeque::new();
        }
        taken
    }

    /// Takes out those that are wanted, in their order.
    pub fn take_if(&mut self, mut is_wanted: impl FnMut(Sequence) -> bool) -> Vec<Sequence> {
        let mut taken = Vec::new();
        for number in std::mem::take(self).iter_from(0) {
            match is_wanted(number) {
                true => taken.push(number),
                false => self.push_back(number),
            }
        }
        taken
    }

    pub fn min(&self) -> Option<Sequence> {
        self.runs.iter().map(|run| run.at(0)).min()
    }

    /// How many come before the first that is greater, given that they ascend.
    pub fn count_up_to(&self, most: Sequence) -> usize {
        let mut count = 0;
        for run in &self.runs {
            if run.last() <= most {
                count += run.count as usize;
                continue;
            }
            return count + run.iter().take_while(|number| *number <= most).count();
        }
        count
    }

    /// Those behind the first so many.
    pub fn iter_from(&self, skipped: usize) -> impl Iterator<Item = Sequence> {
        let mut left = skipped;
        self.runs.iter().flat_map(move |run| {
            let skipped = u32::try_from(left).unwrap_or(u32::MAX).min(run.count);
            left -= skipped as usize;
            (skipped..run.count).map(|index| run.at(index))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(numbers: &Numbers) -> Vec<Sequence> {
        numbers.iter_from(0).collect()
    }

    #[test]
    fn a_backlog_takes_a_run() {
        let mut numbers = Numbers::default();
        for number in 0..1_000_000 {
            numbers.push_back(Sequence(7 + 3 * number));
        }
        assert_eq!(numbers.runs.len(), 1);
        assert_eq!(numbers.count_up_to(Sequence(7 + 3 * 999)), 1_000);
        assert_eq!(numbers.iter_from(999_999).count(), 1);
        assert_eq!(numbers.take(500_000).len(), 500_000);
        assert_eq!(numbers.front(), Some(Sequence(1_500_007)));
    }

    #[test]
    fn numbers_without_a_pattern_take_no_more_than_by_themselves() {
        let mut numbers = Numbers::default();
        let mut number = 0;
        for step in 0..10_000_u64 {
            number += 1 + (step.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 50);
            numbers.push_back(Sequence(number));
        }
        let bytes = numbers.runs.len() * size_of::<Run>();
        assert!(bytes <= 10_000 * size_of::<Sequence>() + size_of::<Run>());
    }

    /// Whatever is put in and taken out, and from which end, it is a queue.
    #[test]
    fn it_is_a_queue() {
        let (mut numbers, mut model) = (Numbers::default(), VecDeque::new());
        let mut random = 1_u64;
        for _ in 0..20_000 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let number = Sequence(random >> 40 & 0xf);
            match random >> 60 {
                0..6 => {
                    numbers.push_back(number);
                    model.push_back(number);
                }
                6..10 => {
                    numbers.push_front(number);
                    model.push_front(number);
                }
                10..13 => assert_eq!(numbers.pop_front(), model.pop_front()),
                13 => {
                    let count = (number.0 as usize).min(model.len());
                    let expected: Vec<_> = model.drain(..count).collect();
                    assert_eq!(numbers.take(number.0 as usize), expected);
                }
                14 => {
                    let taken = numbers.take_if(|one| one.0 == number.0);
                    assert!(taken.iter().all(|one| *one == number));
                    let before = model.len();
                    model.retain(|one| *one != number);
                    assert_eq!(taken.len(), before - model.len());
                }
                _ => {
                    let mut sorted: Vec<_> = model.drain(..).collect();
                    sorted.sort_unstable();
                    numbers = Numbers::default();
                    sorted.iter().for_each(|one| numbers.push_back(*one));
                    model = sorted.into();
                    let up_to = model.partition_point(|one| *one <= number);
                    assert_eq!(numbers.count_up_to(number), up_to);
                }
            }
            assert_eq!(all(&numbers), model.iter().copied().collect::<Vec<_>>());
            assert_eq!(numbers.len(), model.len());
            assert_eq!(numbers.is_empty(), model.is_empty());
            assert_eq!(numbers.front(), model.front().copied());
            assert_eq!(numbers.min(), model.iter().min().copied());
            let behind: Vec<_> = numbers.iter_from(3).collect();
            let expected: Vec<_> = model.iter().copied().skip(3).collect();
            assert_eq!(behind, expected);
        }
    }
}
