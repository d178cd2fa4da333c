//! From a backup to a file in its place: all of it or nothing. It is built beside, read through, synced and then renamed.
//!
//! Nobody knows what the lost store has handed out since the backup, nor what another one does that is restored from it. So each goes on
//! with numbers far above, at a place of its own.

use std::{
    collections::hash_map::RandomState,
    fs::{self, File, TryLockError},
    hash::BuildHasher,
    io::Read,
    path::{Path, PathBuf},
};

use redb::{Database, Durability, ReadableDatabase, ReadableTable, backends::FileBackend};

use super::{
    backup::{BackupError, Reader},
    check::{self, CheckReport},
    encoding::{decode_marks, encode_marks},
    error::to_store_error,
    filling::Filling,
    migrate::{migrate, read_format},
    open::{Settings, beside, sync_directory},
    table,
};
use crate::{Incarnation, Marks, Revision, Sequence, StoreError};

/// Appended to the name of the file while it is being built.
pub const RESTORE_SUFFIX: &str = ".restore";
/// The marks go up by as much at least, and by less than twice as much: more than a broker hands out in ten days at a million a second,
/// and few enough to be restored from a restored one four thousand times before a number is greater than what JavaScript can hold.
const MARKS_STEP: u64 = 1 << 40;

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreProgress {
    /// Bytes of the backup read.
    Read(u64),
    /// The rows are read once more, and held against each other.
    Rows {
        /// Done.
        done: u64,
        /// There are.
        total: u64,
    },
}

/// What is there now.
#[derive(Clone, Debug)]
pub struct Restored {
    /// Rows of the backup.
    pub rows: u64,
    /// Bytes of the backup.
    pub bytes: u64,
    /// What is in the file. Faults were in the backup: the store had them when that was made.
    pub report: CheckReport,
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Nothing is ever overwritten.
    #[error("{0} is there already")]
    Exists(PathBuf),
    /// The backup cannot be used.
    #[error("the backup cannot be restored: {0}")]
    Backup(#[from] BackupError),
    /// The file cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes the file at `path` from a backup.
///
/// # Errors
/// When something is at `path`, the backup is not whole or not of this version, or the disk fails. Then nothing of it is at
/// `path`, unless the very last step failed, which makes the name durable: then the file is there, whole and synced, and a power cut
/// may take its name away.
pub fn restore(
    from: impl Read,
    path: &Path,
    progress: impl Fn(RestoreProgress),
) -> Result<Restored, RestoreError> {
    let failed = |error: redb::Error| RestoreError::Store(to_store_error(path, error));
    if fs::exists(path).map_err(|error| failed(error.into()))? {
        return Err(RestoreError::Exists(path.to_owned()));
    }
    let built = beside(path, RESTORE_SUFFIX);
    let restored = build(from, &built, &progress).and_then(|restored| {
        let put = || -> Result<(), redb::Error> {
            File::open(&built)?.sync_all()?;
            if fs::exists(path)? {
                return Err(std::io::Error::from(std::io::ErrorKind::AlreadyExists).into());
            }
            fs::rename(&built, path)?;
            sync_directory(path)?;
            Ok(())
        };
        put().map_err(failed)?;
        Ok(restored)
    });
    let in_use = matches!(
        &restored,
        Err(RestoreError::Store(StoreError::InUse { .. }))
    );
    if restored.is_err() && !in_use {
        // What is left of it is of no use; the next attempt would overwrite it.
        let _ = fs::remove_file(&built);
    }
    restored
}

fn build(
    from: impl Read,
    built: &Path,
    progress: &impl Fn(RestoreProgress),
) -> Result<Restored, RestoreError> {
    let failed = |error: redb::Error| RestoreError::Store(to_store_error(built, error));
    let (mut reader, format) = Reader::begin(from)?;
    if format == 0 || format > table::FORMAT_VERSION {
        return Err(RestoreError::Backup(BackupError::Newer {
            found: format,
            expected: table::FORMAT_VERSION,
        }));
    }
    let mut filling = claim(built)
        .and_then(|backend| Filling::begin(backend, &Settings::default()))
        .map_err(failed)?;
    while let Some(chunk) = reader.next()? {
        filling.put(&chunk).map_err(|error| match error {
            // The rows of a whole frame that cannot be written are no fault of the new file.
            redb::Error::Corrupted(why) => reader.senseless(why).into(),
            error => failed(error),
        })?;
        progress(RestoreProgress::Read(reader.bytes()));
    }
    let database = filling.finish().map_err(failed)?;
    if read_format(&database).map_err(failed)? != Some(format) {
        let why = "the format in its rows is not the one in its beginning";
        return Err(reader.senseless(why).into());
    }
    migrate(&database, format, Durability::Immediate).map_err(failed)?;
    let snapshot = database.begin_read().map_err(|e| failed(e.into()))?;
    let on_row = |done, total| progress(RestoreProgress::Rows { done, total });
    let mut report = check::walk(&snapshot, &on_row).map_err(failed)?;
    drop(snapshot);
    // Only now: rows are held against the marks that they were written under.
    raise_marks(&database).map_err(failed)?;
    database.close().map_err(|error| failed(error.into()))?;
    report.format = table::FORMAT_VERSION;
    report.file_bytes = fs::metadata(built)
        .map_err(|error| failed(error.into()))?
        .len();
    Ok(Restored {
        rows: reader.rows(),
        bytes: reader.bytes(),
        report,
    })
}

fn raise_marks(database: &Database) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    {
        let mut meta = transaction.open_table(table::META)?;
        let marks = match meta.get(table::MARKS)?.map(|row| decode_marks(row.value())) {
            None => Marks::default(),
            Some(Ok(marks)) => marks,
            // They have been reported, and stop the start.
            Some(Err(_)) => return Ok(()),
        };
        let random = RandomState::new();
        let raised = |mark: u64, of: &str| {
            let step = MARKS_STEP + random.hash_one(of) % MARKS_STEP;
            mark.saturating_add(step)
        };
        let marks = Marks {
            sequence: Sequence(raised(marks.sequence.0, "sequence")),
            revision: Revision(raised(marks.revision.0, "revision")),
            incarnation: Incarnation(raised(marks.incarnation.0, "incarnation")),
        };
        meta.insert(table::MARKS, encode_marks(&marks).as_slice())?;
    }
    transaction.commit()?;
    Ok(())
}

/// An empty file. One that is there already is the rest of a crash and is emptied, unless somebody is at it.
fn claim(path: &Path) -> Result<FileBackend, redb::Error> {
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
    Ok(FileBackend::new(file)?)
}
