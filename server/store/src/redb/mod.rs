//! The store on disk: one redb file, one write transaction and one fsync per batch.
//!
//! It owns the layout of the file and its row encodings; it decides nothing about what is kept. One thread commits at
//! a time; reads use their own snapshots and never wait for a commit. After a failed commit it refuses all others.

mod apply;
pub mod backup;
pub mod check;
mod chunk;
mod encoding;
mod error;
mod extent;
mod filling;
mod intern;
mod migrate;
mod open;
mod progress;
mod read;
mod recover;
pub mod restore;
mod shape;
pub mod snapshot;
mod table;
#[cfg(test)]
mod tests;

use std::{
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use redb::{Database, ReadableDatabase};

use crate::{
    Incarnation, Operation, Part, RecoveryReport, Row, Sequence, Store, StoreError,
    redb::{apply::Batch, error::to_store_error, extent::Extent, intern::Interner},
};

pub use open::{Settings, sync_directory};

/// A store in one redb file.
#[derive(Debug)]
pub struct RedbStore {
    database: Database,
    /// For messages; the file may have been renamed since.
    path: PathBuf,
    settings: Settings,
    /// Before it was migrated.
    format_found: u64,
    writer: Mutex<Writer>,
    extent: Extent,
}

/// What only the committing side needs.
#[derive(Debug, Default)]
struct Writer {
    /// Known from recovery on.
    interner: Option<Interner>,
    /// A commit failed: what is on disk is unknown.
    failed: bool,
}

impl RedbStore {
    // A panic inside a commit leaves `failed` set, so the lock's own poison says nothing new.
    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn apply(&self, interner: &mut Interner, batch: &[Operation]) -> Result<(), redb::Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(self.settings.durability)?;
        transaction.set_quick_repair(self.settings.quick_repair);
        let mut open = Batch::open(&transaction, interner)?;
        for operation in batch {
            open.apply(operation)?;
        }
        let grown = open.finish()?;
        transaction.commit()?;
        self.extent.change(grown);
        Ok(())
    }

    fn error(&self, error: impl Into<redb::Error>) -> StoreError {
        to_store_error(&self.path, error.into())
    }
}

impl Store for RedbStore {
    fn commit(&self, batch: &[Operation]) -> Result<(), StoreError> {
        let mut writer = self.writer();
        if writer.failed {
            return Err(StoreError::NeedsReopen);
        }
        let mut interner = match writer.interner.take() {
            Some(interner) => interner,
            // Without a recovery the use counts of the recipient sets are unknown.
            None => recover::recover(self, &mut |_| {})?.1,
        };
        writer.failed = true;
        self.apply(&mut interner, batch)
            .map_err(|error| self.error(error))?;
        writer.failed = false;
        writer.interner = Some(interner);
        Ok(())
    }

    fn read_part(
        &self,
        session: Incarnation,
        sequences: &[Sequence],
        bytes_max: usize,
    ) -> Result<Part, StoreError> {
        let snapshot = self.database.begin_read().map_err(|e| self.error(e))?;
        read::read_part(&snapshot, session, sequences, bytes_max).map_err(|error| self.error(error))
    }

    fn recover(&self, visit: &mut dyn FnMut(Row)) -> Result<RecoveryReport, StoreError> {
        let mut writer = self.writer();
        if writer.failed {
            return Err(StoreError::NeedsReopen);
        }
        let (report, interner) = recover::recover(self, visit)?;
        writer.interner = Some(interner);
        Ok(report)
    }

    fn reusable_bytes(&self) -> u64 {
        self.extent.reusable()
    }
}
