//! Verifying a file that no broker has open: every page by its checksum, every row by decoding it, and what rows say of
//! each other. The file is only read.
//!
//! A fault is damage: something is lost, or will be put aside at the next start. What merely belongs to nobody any more is
//! not: a crash may leave it, and recovery sweeps it.

mod meaning;
mod overlay;
mod walk;

use std::{
    fs::File,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use redb::ReadableDatabase;
use serde::Serialize;

use self::overlay::Overlay;
use super::{
    RedbStore, Settings,
    error::{damaged, to_store_error},
    shape, table,
};
use crate::StoreError;

pub(super) use self::walk::walk;

/// Faults that are described one by one; the rest is counted.
const DESCRIBED_MAX: usize = 1000;

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckProgress {
    /// Pages are being verified.
    Pages {
        /// Bytes read.
        read: u64,
        /// Bytes of the file.
        total: u64,
    },
    /// Rows are being verified.
    Rows {
        /// Done.
        done: u64,
        /// There are.
        total: u64,
    },
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// The format of the file.
    pub format: u64,
    /// Its size.
    pub file_bytes: u64,
    /// Every table with what is in it.
    pub tables: Vec<TableReport>,
    /// What is damaged; at most a thousand are described.
    pub faults: Vec<Fault>,
    /// How many faults there are.
    pub fault_count: u64,
    /// Rows that belong to nobody any more: the next start of a broker sweeps them.
    pub leftover_count: u64,
    /// Rows that earlier starts could not decode and have put aside; at most a thousand are listed.
    pub put_aside: Vec<PutAside>,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableReport {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// Bytes of these rows, keys not counted.
    pub bytes: u64,
}

/// Something damaged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// In which table.
    pub table: String,
    /// Which row.
    pub key: String,
    /// What is wrong with it.
    pub what: String,
    /// What that means to those who use the broker.
    pub meaning: &'static str,
}

/// A row that was put aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PutAside {
    /// From which table.
    pub table: String,
    /// Its key there, in hexadecimal.
    pub key: String,
    /// Its size.
    pub bytes: u64,
}

impl CheckReport {
    /// Nothing is damaged.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.fault_count == 0
    }

    fn fault(&mut self, fault: Fault) {
        self.fault_count += 1;
        if self.faults.len() < DESCRIBED_MAX {
            self.faults.push(fault);
        }
    }
}

/// Verifies the file.
///
/// # Errors
/// [`StoreError::InUse`] while a broker has it open, [`StoreError::Damaged`] if its pages are, [`StoreError::Version`] for a
/// newer one, or what the disk says.
pub fn check(
    path: impl AsRef<Path>,
    progress: impl Fn(CheckProgress) + Send + Sync + 'static,
) -> Result<CheckReport, StoreError> {
    let path = path.as_ref();
    let failed = |error: redb::Error| to_store_error(path, error);
    let file = File::open(path).map_err(|error| failed(error.into()))?;
    let total = file.metadata().map_err(|error| failed(error.into()))?.len();
    if total == 0 {
        return Err(damaged(path, "the file is empty"));
    }
    let progress = Arc::new(progress);
    let is_opening = Arc::new(AtomicBool::new(true));
    let on_read = {
        let (progress, is_opening) = (Arc::clone(&progress), Arc::clone(&is_opening));
        move |read: u64| {
            // Opening verifies the pages; rows are read from the same file later.
            if is_opening.load(Ordering::Relaxed) {
                let read = read.min(total);
                progress(CheckProgress::Pages { read, total });
            }
        }
    };
    let overlay = Overlay::new(file, on_read).map_err(failed)?;
    let store = RedbStore::open_backend(path, overlay, Settings::default())?;
    is_opening.store(false, Ordering::Relaxed);
    let snapshot = store
        .database()
        .begin_read()
        .map_err(|e| failed(e.into()))?;
    let on_row = |done, total| progress(CheckProgress::Rows { done, total });
    let mut report = walk(&snapshot, &on_row).map_err(failed)?;
    // Recovery would report them, too.
    for bad in std::mem::take(&mut store.put_aside.lock().described) {
        report.fault(Fault {
            meaning: meaning::meaning(&bad.table),
            table: bad.table,
            key: bad.key,
            what: bad.why,
        });
    }
    report.format = store.migrated_from().unwrap_or(table::FORMAT_VERSION);
    report.file_bytes = total;
    debug_assert_eq!(report.tables.len(), shape::ALL.len());
    Ok(report)
}
