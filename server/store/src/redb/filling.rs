//! A new file that gets rows, chunk by chunk: from a backup, or from another file. It is committed now and then, which bounds
//! what redb has to remember; so it is not a store before it is finished.

use std::{
    fs::{File, TryLockError},
    path::Path,
};

use redb::{Builder, Database, WriteTransaction, backends::FileBackend};

use super::{chunk::Chunk, open::Settings, shape};

type Result<T> = std::result::Result<T, redb::Error>;

/// Written between two commits.
const COMMIT_BYTES: usize = 64 * 1024 * 1024;

pub(super) struct Filling {
    database: Database,
    transaction: Option<WriteTransaction>,
    bytes: usize,
}

impl Filling {
    /// Begins a new file there; one that is there already is the rest of a crash and is overwritten,
    /// unless somebody is at it.
    pub(super) fn begin(path: &Path, settings: &Settings) -> Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => file.set_len(0)?,
            Err(TryLockError::WouldBlock) => return Err(redb::Error::DatabaseAlreadyOpen),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let database = Builder::new()
            .set_cache_size(settings.cache_bytes)
            .create_with_backend(FileBackend::new(file)?)?;
        let transaction = database.begin_write()?;
        for table in shape::ALL {
            table.create(&transaction)?;
        }
        transaction.commit()?;
        Ok(Self {
            database,
            transaction: None,
            bytes: 0,
        })
    }

    /// Writes rows.
    pub(super) fn put(&mut self, chunk: &Chunk) -> Result<()> {
        let transaction = match self.transaction.take() {
            Some(transaction) => transaction,
            None => self.database.begin_write()?,
        };
        chunk.shape().fill(&transaction, chunk)?;
        self.bytes += chunk.bytes().len();
        if self.bytes < COMMIT_BYTES {
            self.transaction = Some(transaction);
        } else {
            transaction.commit()?;
            self.bytes = 0;
        }
        Ok(())
    }

    /// Everything is on disk.
    pub(super) fn finish(mut self) -> Result<Database> {
        if let Some(transaction) = self.transaction.take() {
            transaction.commit()?;
        }
        Ok(self.database)
    }
}
