//! How long commits take: noted by the writer, taken once a second, and counted for as long as the broker runs.

use std::sync::Arc;

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use tokio::time::Duration;

/// The longest commit that is told from a longer one, microseconds.
const MICROSECONDS_MAX: u64 = 60_000_000;
/// Two digits: 1 % is more than anybody looks at.
const DIGITS: u8 = 2;

/// Upper bounds of what is counted, seconds: from a fast disk to one that hangs.
pub const BOUNDS_S: [f64; 12] = [
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 10.0,
];

/// Where commits are noted; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct CommitTimes(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Since they were taken last.
    recent: Commits,
    totals: Totals,
}

/// All commits of this run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// How many.
    pub count: u64,
    /// How long all of them took, seconds.
    pub sum_s: f64,
    /// How many took longer than the bound before and no longer than this one.
    pub buckets: [u64; BOUNDS_S.len()],
    /// Operations in all of them.
    pub operations: u64,
}

/// The commits of some time.
#[derive(Clone, Debug)]
pub struct Commits {
    /// In microseconds.
    times: Histogram<u32>,
    operations: u64,
}

impl Default for Commits {
    fn default() -> Self {
        let times = Histogram::new_with_bounds(1, MICROSECONDS_MAX, DIGITS);
        Self {
            times: times.expect("the bounds are constant and allowed"),
            operations: 0,
        }
    }
}

impl CommitTimes {
    /// A commit of so many operations has taken so long.
    pub fn add(&self, took: Duration, operations: usize) {
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let State { recent, totals } = &mut *self.0.lock();
        recent.times.saturating_record(microseconds.max(1));
        recent.operations += operations as u64;
        totals.add(took, operations as u64);
    }

    /// Those since this was called last.
    pub fn take(&self) -> Commits {
        let recent = &mut self.0.lock().recent;
        let taken = recent.clone();
        recent.clear();
        taken
    }

    /// All of them.
    pub fn totals(&self) -> Totals {
        self.0.lock().totals
    }
}

impl Totals {
    fn add(&mut self, took: Duration, operations: u64) {
        let seconds = took.as_secs_f64();
        self.count += 1;
        self.sum_s += seconds;
        self.operations += operations;
        // Longer than the last bound: in no bucket, but in the count.
        if let Some(at) = BOUNDS_S.iter().position(|bound| seconds <= *bound) {
            self.buckets[at] += 1;
        }
    }
}

impl Commits {
    /// Adds others.
    pub fn gather(&mut self, others: &Self) {
        // They have the same bounds.
        let _ = self.times.add(&others.times);
        self.operations += others.operations;
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        self.times.reset();
        self.operations = 0;
    }

    /// What is shown of them; `None`: there are none.
    pub fn shown(&self) -> Option<ebbtide_api::Commits> {
        let ms = |microseconds: u64| microseconds as f64 / 1000.0;
        (!self.times.is_empty()).then(|| ebbtide_api::Commits {
            count: self.times.len(),
            operations: self.operations,
            p50_ms: ms(self.times.value_at_quantile(0.5)),
            p99_ms: ms(self.times.value_at_quantile(0.99)),
            max_ms: ms(self.times.max()),
        })
    }
}
