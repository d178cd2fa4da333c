//! How much of the file is free inside, as far as it can be known without reading it: what has been removed since the store was
//! opened leaves pages that are used again before the file grows.
//!
//! It counts bytes of rows, not pages: a few rows removed from each of many pages free none. Whoever relies on it finds
//! out by a commit that fails, and the count begins again with the next opening.

use std::sync::atomic::{AtomicI64, Ordering};

/// Bytes of rows since the store was opened.
#[derive(Debug, Default)]
pub(super) struct Extent {
    now: AtomicI64,
    most: AtomicI64,
}

impl Extent {
    /// A batch has been committed that makes the rows so much larger, or smaller. One thread commits.
    pub fn change(&self, bytes: i64) {
        let now = self.now.load(Ordering::Relaxed) + bytes;
        self.now.store(now, Ordering::Relaxed);
        self.most.fetch_max(now, Ordering::Relaxed);
    }

    /// Nothing is free inside: the file has been written anew.
    pub fn compacted(&self) {
        self.most
            .store(self.now.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// What has been removed and not been made up for.
    pub fn reusable(&self) -> u64 {
        let most = self.most.load(Ordering::Relaxed);
        let reusable = most - self.now.load(Ordering::Relaxed);
        u64::try_from(reusable).unwrap_or(0)
    }
}

/// The bytes of a row as a change.
pub(super) fn size(row: &[u8]) -> i64 {
    i64::try_from(row.len()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_there_can_be_used_again() {
        let extent = Extent::default();
        extent.change(100);
        assert_eq!(extent.reusable(), 0);
        extent.change(-30);
        assert_eq!(extent.reusable(), 30);
        extent.change(20);
        assert_eq!(extent.reusable(), 10);
        // Rows from before the opening count too.
        extent.change(-200);
        assert_eq!(extent.reusable(), 210);
        extent.change(300);
        assert_eq!(extent.reusable(), 0);
    }
}
