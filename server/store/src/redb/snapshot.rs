//! What is committed at one moment, for a backup while commits go on.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use redb::{ReadTransaction, ReadableDatabase};

use super::{
    RedbStore,
    backup::{self, Written},
    error::to_store_error,
};
use crate::StoreError;

/// All that was committed when it was taken. The pages that it needs are not reused while it is there, so the file grows
/// with what changes meanwhile: it is for seconds or minutes. It does not keep the store open.
pub struct Snapshot {
    transaction: ReadTransaction,
    path: PathBuf,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Snapshot")
    }
}

/// Why a backup was not finished.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The store failed, or was closed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It could not be written to where it should go.
    #[error("the backup cannot be written: {0}")]
    Write(io::Error),
}

impl RedbStore {
    /// Everything that is committed now.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let transaction = self.database().begin_read();
        Ok(Snapshot {
            transaction: transaction.map_err(|error| self.error(error))?,
            path: self.path.clone(),
        })
    }
}

impl Snapshot {
    /// Writes it as a backup (the format: `redb/backup/mod.rs`). Whoever wants to stop it lets `out` fail.
    ///
    /// # Errors
    /// When the store is closed meanwhile, the disk fails, or `out` does.
    pub fn write(&self, out: impl Write) -> Result<Written, SnapshotError> {
        backup::write(&self.transaction, out).map_err(|error| match error {
            backup::WriteError::Read(error) => to_store_error(&self.path, error).into(),
            backup::WriteError::Write(error) => SnapshotError::Write(error),
        })
    }
}
