//! How many rows that nobody owns are removed in one transaction. All of them may take more room than there is, though to remove them makes
//! some; so after a failure there are fewer at a time, and more again when these fit.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// So many rows once all of them were too many; fewer if they are too many, too.
const ROWS_MAX: usize = 4096;
/// So many transactions are committed before twice as many rows are tried: each failure means to open the store again.
const PATIENCE: u64 = 16;

/// The stores that are opened one after the other, until one is recovered, share it.
#[derive(Debug)]
pub struct SweepPace {
    rows: AtomicUsize,
    committed: AtomicU64,
}

/// All at once.
impl Default for SweepPace {
    fn default() -> Self {
        Self {
            rows: AtomicUsize::new(usize::MAX),
            committed: AtomicU64::new(0),
        }
    }
}

impl SweepPace {
    /// Rows at a time from now on, and transactions that have been committed. Another attempt may come further if this has changed by the
    /// last one.
    #[must_use]
    pub fn reached(&self) -> (usize, u64) {
        let committed = self.committed.load(Ordering::Relaxed);
        (self.rows(), committed)
    }

    pub(super) fn rows(&self) -> usize {
        self.rows.load(Ordering::Relaxed)
    }

    pub(super) fn succeeded(&self) {
        let committed = self.committed.fetch_add(1, Ordering::Relaxed) + 1;
        if committed.is_multiple_of(PATIENCE) {
            self.set(self.rows().saturating_mul(2));
        }
    }

    /// For want of room.
    pub(super) fn failed(&self) {
        self.set((self.rows() / 2).clamp(1, ROWS_MAX));
    }

    fn set(&self, rows: usize) {
        self.rows.store(rows, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_at_a_time_until_they_fit_and_soon_more_again() {
        let pace = SweepPace::default();
        let mut failures = 0;
        while pace.rows() > 1 {
            pace.failed();
            failures += 1;
        }
        assert_eq!(failures, 13);
        let stuck = pace.reached();
        pace.failed();
        assert_eq!(pace.reached(), stuck, "it cannot be less");
        // There is room again: a million rows.
        let (mut left, mut transactions) = (1_000_000, 0);
        while left > 0 {
            left -= left.min(pace.rows());
            pace.succeeded();
            transactions += 1;
        }
        assert!((100..400).contains(&transactions), "{transactions}");
    }
}
