//! The broker's recent past: points of one step, the oldest first, none twice, no more than the broker itself keeps.

use std::cmp::Reverse;
use std::collections::VecDeque;

use ebbtide_api::{History, StatsPoint};

/// How far back, and how closely.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Span {
    /// The last hour in steps of ten seconds.
    #[default]
    Hour,
    /// The last ten minutes in steps of one second.
    Minutes,
}

impl Span {
    pub const ALL: [Self; 2] = [Self::Hour, Self::Minutes];

    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Minutes => "minutes",
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Hour => "1 hour",
            Self::Minutes => "10 minutes",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|span| span.name() == name)
    }

    pub fn step_s(self) -> u32 {
        match self {
            Self::Hour => 10,
            Self::Minutes => 1,
        }
    }

    pub fn length_ms(self) -> u64 {
        match self {
            Self::Hour => 3_600_000,
            Self::Minutes => 600_000,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    points: VecDeque<StatsPoint>,
}

impl Series {
    /// Takes in what is new. Points that are known are passed over; those beyond the span go.
    pub fn extend(&mut self, history: &History, span: Span) {
        let known_ms = self.last_ms();
        let new = history.points.iter().filter(|p| Some(p.at_ms) > known_ms);
        self.points.extend(new.cloned());
        let oldest_ms = self.last_ms().unwrap_or_default();
        let oldest_ms = oldest_ms.saturating_sub(span.length_ms());
        while self.points.front().is_some_and(|p| p.at_ms < oldest_ms) {
            self.points.pop_front();
        }
    }

    pub fn last_ms(&self) -> Option<u64> {
        self.points.back().map(|point| point.at_ms)
    }

    pub fn points(&self) -> impl ExactSizeIterator<Item = &StatsPoint> {
        self.points.iter()
    }

    /// What was dropped over all of it, by reason; the most frequent first.
    pub fn dropped(&self) -> Vec<(String, u64)> {
        let mut sums: Vec<(String, u64)> = Vec::new();
        for (reason, count) in self.points.iter().flat_map(|point| &point.dropped) {
            match sums.iter_mut().find(|(known, _)| known == reason) {
                Some((_, sum)) => *sum += count,
                None => sums.push((reason.clone(), *count)),
            }
        }
        // A handful: sorting functions would be more to download.
        let mut ordered: Vec<(String, u64)> = Vec::new();
        for sum in sums.into_iter().filter(|(_, count)| *count > 0) {
            let is_before =
                |known: &(String, u64)| (Reverse(known.1), &known.0) < (Reverse(sum.1), &sum.0);
            ordered.insert(ordered.partition_point(is_before), sum);
        }
        ordered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(times_ms: &[u64]) -> History {
        let points = times_ms.iter().map(|&at_ms| StatsPoint {
            at_ms,
            dropped: [("expired".to_owned(), 1), ("queue_full".to_owned(), 2)].into(),
            ..StatsPoint::default()
        });
        History {
            step_s: 10,
            points: points.collect(),
        }
    }

    fn times_ms(series: &Series) -> Vec<u64> {
        series.points().map(|point| point.at_ms).collect()
    }

    #[test]
    fn takes_in_only_what_is_new() {
        let mut series = Series::default();
        series.extend(&history(&[10_000, 20_000]), Span::Hour);
        series.extend(&history(&[10_000, 20_000, 30_000]), Span::Hour);
        assert_eq!(times_ms(&series), [10_000, 20_000, 30_000]);
    }

    #[test]
    fn what_is_older_than_the_span_goes() {
        let mut series = Series::default();
        series.extend(&history(&[0, 1_000, 600_500]), Span::Minutes);
        assert_eq!(times_ms(&series), [1_000, 600_500]);
    }

    #[test]
    fn sums_what_was_dropped() {
        let mut series = Series::default();
        series.extend(&history(&[1, 2]), Span::Hour);
        let expected = [("queue_full".to_owned(), 4), ("expired".to_owned(), 2)];
        assert_eq!(series.dropped(), expected);
    }
}
