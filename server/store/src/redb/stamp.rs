//! In which states a store may have left its file. Each commit writes a new stamp, so the file after it is told from what it was
//! before, from every copy of that, and from any other file: names, sizes and the numbers of the file system are alike in a
//! disk that was made from yesterday's.
//!
//! Backups have no stamp: what is restored is another store.

use std::{collections::hash_map::RandomState, hash::BuildHasher};

use parking_lot::Mutex;
use redb::{Database, ReadTransaction, ReadableDatabase, TableError, WriteTransaction};

use super::{RedbStore, table};

type Result<T> = std::result::Result<T, redb::Error>;

/// The states in which a store may have left its file.
#[derive(Debug, Default)]
pub struct Stamps(Mutex<Possible>);

#[derive(Debug, Default)]
struct Possible {
    /// `None`: the file was made by an earlier program, or from a backup, and nothing was committed since.
    last: Option<u64>,
    /// Of a commit that may be there.
    next: Option<u64>,
    count: u64,
    /// Of this store alone.
    random: RandomState,
}

impl Stamps {
    /// Of a store that has just been opened.
    pub(super) fn read(database: &Database) -> Result<Self> {
        Ok(Self(Mutex::new(Possible {
            last: find(&database.begin_read()?)?,
            ..Possible::default()
        })))
    }

    /// Writes a new one, which counts once [`Stamps::committed`] is called; until then it may be there.
    pub(super) fn write(&self, transaction: &WriteTransaction) -> Result<()> {
        let mut possible = self.0.lock();
        possible.count += 1;
        let next = possible.random.hash_one(possible.count);
        possible.next = Some(next);
        transaction.open_table(table::STAMP)?.insert((), next)?;
        Ok(())
    }

    pub(super) fn committed(&self) {
        let mut possible = self.0.lock();
        possible.last = possible.next.take();
    }

    /// Whether the file that this store has just opened is one of them.
    #[must_use]
    pub fn include(&self, opened: &RedbStore) -> bool {
        let found = opened.stamps.0.lock().last;
        let possible = self.0.lock();
        found.is_some() && (found == possible.last || found == possible.next)
    }

    /// Whether that file has the commit that failed last: it was there before it failed.
    #[must_use]
    pub fn has_landed(&self, opened: &RedbStore) -> bool {
        let found = opened.stamps.0.lock().last;
        let possible = self.0.lock();
        found.is_some() && found == possible.next
    }
}

/// Gives the copy of a snapshot the stamp of it.
pub(super) fn copy(from: &ReadTransaction, to: &WriteTransaction) -> Result<()> {
    if let Some(stamp) = find(from)? {
        to.open_table(table::STAMP)?.insert((), stamp)?;
    }
    Ok(())
}

fn find(snapshot: &ReadTransaction) -> Result<Option<u64>> {
    match snapshot.open_table(table::STAMP) {
        Ok(table) => Ok(table.get(())?.map(|row| row.value())),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
