//! What no session owns is removed when a store is opened. A transaction copies pages before it changes them, so on a full disk there may be
//! no room to remove all of it at once, however often it is tried, and room for parts.

use ebbtide_store::StoreError;

use super::kept::Kept;

/// So many rows are removed at a time once all of them were too many; fewer if they are too many, too.
const ROWS_MAX: usize = 4096;

/// How it is removed.
#[derive(Debug)]
pub(super) struct Sweep {
    rows_max: usize,
}

impl Sweep {
    pub fn new() -> Self {
        Self {
            rows_max: usize::MAX,
        }
    }

    /// Of which no transaction has more.
    pub fn rows_max(&self) -> usize {
        self.rows_max
    }

    /// Recovers a store for a broker that is there.
    pub fn run(&mut self, store: &Kept) -> Result<(), StoreError> {
        store.sweep_in_parts(self.rows_max);
        let report = store
            .recover(&mut |_| {})
            .inspect_err(|error| self.failed(error))?;
        for row in &report.put_aside {
            tracing::error!("a damaged row was put aside: {row}");
        }
        Ok(())
    }

    /// A recovery has failed: if for want of room, the next one that is `run` takes smaller parts.
    pub fn failed(&mut self, error: &StoreError) {
        if matches!(error, StoreError::Full(_)) {
            self.rows_max = (self.rows_max / 2).clamp(1, ROWS_MAX);
        }
    }
}
