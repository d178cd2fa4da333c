//! How long commits take: noted by the writer, taken once a second.

use std::sync::Arc;

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use tokio::time::Duration;

/// The longest commit that is told from a longer one, microseconds.
const MICROSECONDS_MAX: u64 = 60_000_000;
/// Two digits: 1 % is more than anybody looks at.
const DIGITS: u8 = 2;

/// Where commits are noted; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct CommitTimes(Arc<Mutex<Commits>>);

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
        let commits = &mut *self.0.lock();
        commits.times.saturating_record(microseconds.max(1));
        commits.operations += operations as u64;
    }

    /// Those since this was called last.
    pub fn take(&self) -> Commits {
        let commits = &mut *self.0.lock();
        let taken = commits.clone();
        commits.clear();
        taken
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
