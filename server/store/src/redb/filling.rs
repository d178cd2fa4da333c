//! A new file that gets rows, chunk by chunk: from a backup, or from another file. It is committed now and then, which bounds
//! what redb has to remember; so it is not a store before it is finished.

use redb::{Database, StorageBackend, WriteTransaction};

use super::{
    chunk::Chunk,
    open::{Settings, builder},
    shape,
};

type Result<T> = std::result::Result<T, redb::Error>;

/// Written between two commits.
const COMMIT_BYTES: usize = 64 * 1024 * 1024;

pub(super) struct Filling {
    database: Database,
    transaction: Option<WriteTransaction>,
    bytes: usize,
}

impl Filling {
    /// Begins in an empty one.
    pub(super) fn begin(backend: impl StorageBackend, settings: &Settings) -> Result<Self> {
        let database = builder(settings).create_with_backend(backend)?;
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
