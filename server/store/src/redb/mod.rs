//! The store on disk: one redb file, one write transaction and one fsync per batch.
//!
//! It owns the layout of the file and its row encodings; it decides nothing about what is kept. One thread commits at
//! a time; reads use their own snapshots and never wait for a commit. After a failed commit it refuses all others.

mod apply;
pub mod backup;
pub mod check;
mod chunk;
pub mod compact;
mod encoding;
mod error;
mod extent;
mod filling;
mod flows;
mod intern;
mod log;
mod migrate;
mod open;
mod progress;
mod read;
mod recent;
mod recover;
pub mod restore;
mod shape;
pub mod snapshot;
mod stamp;
mod table;
#[cfg(test)]
mod tests;

use std::{path::PathBuf, sync::Arc};

use parking_lot::{Mutex, RwLock};
use redb::{Database, ReadableDatabase};

use crate::{
    Incarnation, Operation, Part, RecoveryReport, Row, Sequence, Store, StoreError,
    redb::{
        apply::Batch, compact::Touched, error::to_store_error, extent::Extent, intern::Interner,
        recent::Recent, recover::BadRows,
    },
};

pub use open::{Settings, sync_directory};
pub use recover::SweepPace;
pub use stamp::Stamps;

/// A store in one redb file.
#[derive(Debug)]
pub struct RedbStore {
    /// Another one after a compaction. Whoever reads holds on to the one that it began with.
    database: RwLock<Arc<Database>>,
    /// For messages; the file may have been renamed since.
    path: PathBuf,
    settings: Settings,
    /// Before it was migrated.
    format_found: u64,
    /// By the migration: for the report of the first recovery.
    put_aside: Mutex<BadRows>,
    stamps: Arc<Stamps>,
    writer: Mutex<Writer>,
    extent: Extent,
    recent: Recent,
    /// Of what recovery removes.
    sweep_pace: Mutex<Arc<SweepPace>>,
}

/// What only the committing side needs.
#[derive(Debug, Default)]
struct Writer {
    /// Known from recovery on.
    interner: Option<Interner>,
    /// A commit failed: what is on disk is unknown.
    failed: bool,
    /// While a compaction copies: what has been committed meanwhile.
    touched: Option<Touched>,
}

impl RedbStore {
    fn database(&self) -> Arc<Database> {
        Arc::clone(&self.database.read())
    }

    /// Gives the numbers of the recipient sets that are gone.
    fn apply(&self, interner: &mut Interner, batch: &[Operation]) -> Result<Vec<u64>, redb::Error> {
        let mut transaction = self.database().begin_write()?;
        transaction.set_durability(self.settings.durability)?;
        transaction.set_quick_repair(self.settings.quick_repair);
        let mut open = Batch::open(&transaction, interner)?;
        for operation in batch {
            open.apply(operation)?;
        }
        let finished = open.finish()?;
        self.stamps.write(&transaction)?;
        transaction.commit()?;
        self.stamps.committed();
        self.extent.change(finished.grown);
        for operation in batch {
            if let Operation::RemoveMessage(sequence) = operation {
                self.recent.forget(*sequence);
            }
        }
        self.recent.sweep();
        Ok(finished.gone)
    }

    /// Recovery removes rows at the pace of a store that was opened before, and could not be recovered for want of room.
    pub fn sweep_at(&self, pace: Arc<SweepPace>) {
        *self.sweep_pace.lock() = pace;
    }

    /// How recovery removes what nobody owns: what it learns is of use to the store that is opened next.
    #[must_use]
    pub fn sweep_pace(&self) -> Arc<SweepPace> {
        Arc::clone(&self.sweep_pace.lock())
    }

    /// The states in which the file may be, also after this is closed.
    #[must_use]
    pub fn stamps(&self) -> Arc<Stamps> {
        Arc::clone(&self.stamps)
    }

    fn error(&self, error: impl Into<redb::Error>) -> StoreError {
        to_store_error(&self.path, error.into())
    }
}

impl Store for RedbStore {
    fn commit(&self, batch: &[Operation]) -> Result<(), StoreError> {
        let mut writer = self.writer.lock();
        if writer.failed {
            return Err(StoreError::NeedsReopen);
        }
        let mut interner = match writer.interner.take() {
            Some(interner) => interner,
            // Without a recovery the use counts of the recipient sets are unknown.
            None => {
                // It may change any row.
                writer.touched = None;
                recover::recover(self, &mut |_| {})?.1
            }
        };
        // A panic on the way leaves it so.
        writer.failed = true;
        let first_new = interner.next();
        let gone = self
            .apply(&mut interner, batch)
            .map_err(|error| self.error(error))?;
        writer.failed = false;
        if let Some(touched) = &mut writer.touched {
            batch.iter().for_each(|operation| touched.record(operation));
            let sets = (first_new..interner.next()).chain(gone);
            sets.for_each(|set| touched.sets.insert(set));
            if touched.is_too_much() {
                writer.touched = None;
            }
        }
        writer.interner = Some(interner);
        Ok(())
    }

    fn read_part(
        &self,
        session: Incarnation,
        sequences: &[Sequence],
        bytes_max: usize,
    ) -> Result<Part, StoreError> {
        // Held to the end: a compaction closes the old one when nobody has it.
        let database = self.database();
        let snapshot = database.begin_read().map_err(|e| self.error(e))?;
        read::read_part(&snapshot, &self.recent, session, sequences, bytes_max)
            .map_err(|error| self.error(error))
    }

    fn recover(&self, visit: &mut dyn FnMut(Row)) -> Result<RecoveryReport, StoreError> {
        let mut writer = self.writer.lock();
        if writer.failed {
            return Err(StoreError::NeedsReopen);
        }
        // It may change any row.
        writer.touched = None;
        let (report, interner) = recover::recover(self, visit)?;
        writer.interner = Some(interner);
        Ok(report)
    }

    fn reusable_bytes(&self) -> u64 {
        self.extent.reusable()
    }
}
