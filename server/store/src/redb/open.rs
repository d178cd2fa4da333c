//! Opening the file, or making it. A file that is there is never overwritten: it opens as what it is, or not at all.

use std::{
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::{Mutex, RwLock};

use redb::{Builder, Database, DatabaseError, Durability, StorageBackend, backends::FileBackend};

use super::{
    RedbStore, Writer,
    compact::COMPACT_SUFFIX,
    error::{damaged, to_store_error},
    extent::Extent,
    migrate::{migrate, read_format, write_format},
    recent::Recent,
    shape,
    stamp::Stamps,
    table,
};
use crate::StoreError;

/// What can be tuned. Why the defaults are what they are: `docs/decisions/003-redb-settings.md`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Memory for pages of the file, bytes. The system's own cache holds the rest.
    pub cache_bytes: usize,
    /// Writes with each commit what makes opening fast after a kill; a commit then costs a second fsync. Without use
    /// when `check_on_open` is set, which trusts nothing recorded.
    pub quick_repair: bool,
    /// Verifies the checksum of every page in use before anything is trusted. Without it a damaged file can make
    /// redb panic, and a release build ends at a panic. It reads the file once.
    pub check_on_open: bool,
    pub(super) durability: Durability,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cache_bytes: 6 * 1024 * 1024,
            quick_repair: false,
            check_on_open: true,
            durability: Durability::Immediate,
        }
    }
}

impl RedbStore {
    /// Opens the file; makes it if there is none.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::Damaged`], [`StoreError::Version`], or what the disk says. The file is then as
    /// it was, except that redb may have noted in its header what it found after a kill.
    ///
    /// An empty file is refused as damaged: a crash while it was made never leaves one (see `create`), so it is what
    /// something else has left of a store, and to begin anew in its place would hide the loss.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, Settings::default())
    }

    /// Opens the file with other settings.
    ///
    /// # Errors
    /// As [`RedbStore::open`].
    pub fn open_with(path: impl AsRef<Path>, settings: Settings) -> Result<Self, StoreError> {
        let path = path.as_ref();
        match fs::metadata(path) {
            Ok(found) if found.len() == 0 => Err(damaged(path, "the file is empty")),
            Ok(found) => {
                let database = builder(&settings).open(path);
                let store = Self::check(path, settings, database)?;
                store.check_place(&found)?;
                let tidy = || {
                    // The copy that a compaction was making when it was killed.
                    match fs::remove_file(beside(path, COMPACT_SUFFIX)) {
                        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                        _ => {}
                    }
                    // Whoever gave the file its name may have been killed before that was on disk. The name must not come to
                    // stand for an earlier file while this one acknowledges.
                    sync_directory(path)
                };
                tidy().map_err(|error| store.error(error))?;
                Ok(store)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Self::create(path, settings),
            Err(error) => Err(to_store_error(path, error.into())),
        }
    }

    /// Opens what is behind the backend; makes it if that is empty. `path` is for messages only.
    ///
    /// # Errors
    /// As [`RedbStore::open`].
    pub fn open_backend(
        path: impl AsRef<Path>,
        backend: impl StorageBackend,
        settings: Settings,
    ) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let failed = |error| to_store_error(path, error);
        let empty = backend.len().map_err(|error| failed(error.into()))? == 0;
        let database = builder(&settings)
            .create_with_backend(backend)
            .map_err(|error| failed(error.into()))?;
        if empty {
            write_tables(&database).map_err(failed)?;
        }
        Self::check(path, settings, Ok(database))
    }

    /// Makes the file beside its place and moves it there when it is whole and on disk. So a crash leaves either no
    /// file or one that opens.
    fn create(path: &Path, settings: Settings) -> Result<Self, StoreError> {
        let beside = beside(path, ".new");
        let failed = |error: std::io::Error| to_store_error(path, error.into());
        let whole =
            || create_whole(&beside, &settings).map_err(|error| to_store_error(&beside, error));
        let database = match whole() {
            // The rest of a crash: it never was a store, so nothing in it was acknowledged.
            Err(StoreError::Damaged { .. }) => {
                fs::remove_file(&beside).map_err(failed)?;
                whole()?
            }
            database => database?,
        };
        // Whoever holds the lock on the file beside has the right to put it in place, unless another was faster.
        if fs::exists(path).map_err(failed)? {
            drop(database);
            fs::remove_file(&beside).map_err(failed)?;
            return Self::open_with(path, settings);
        }
        fs::rename(&beside, path).map_err(failed)?;
        sync_directory(path).map_err(failed)?;
        Self::check(path, settings, Ok(database))
    }

    /// Makes sure that the database is ours and of our version.
    fn check(
        path: &Path,
        settings: Settings,
        database: Result<Database, DatabaseError>,
    ) -> Result<Self, StoreError> {
        let failed = |error| to_store_error(path, error);
        let database = database.map_err(|error| failed(error.into()))?;
        let found = read_format(&database)
            .map_err(failed)?
            .ok_or_else(|| damaged(path, "it has no format version"))?;
        let migrated = migrate(&database, found, settings.durability).map_err(failed)?;
        let put_aside = migrated.ok_or_else(|| StoreError::Version {
            path: path.display().to_string(),
            found,
            expected: table::FORMAT_VERSION,
        })?;
        let stamps = Stamps::read(&database).map_err(failed)?;
        Ok(Self {
            database: RwLock::new(Arc::new(database)),
            path: path.to_owned(),
            settings,
            format_found: found,
            put_aside: Mutex::new(put_aside),
            stamps: Arc::new(stamps),
            writer: Mutex::new(Writer::default()),
            extent: Extent::default(),
            recent: Recent::default(),
            sweep_pace: Mutex::default(),
        })
    }

    /// Makes sure that what was opened still has the name it was opened by: a compaction may have put another file there, and
    /// let go of this one, in between.
    pub(super) fn check_place(&self, found: &fs::Metadata) -> Result<(), StoreError> {
        let now = fs::metadata(&self.path).map_err(|error| self.error(redb::Error::from(error)))?;
        if number(&now) == number(found) {
            return Ok(());
        }
        Err(StoreError::InUse {
            path: self.path.display().to_string(),
        })
    }

    /// The format that the file had when it was opened: if it is older than today's, it has been brought to that.
    #[must_use]
    pub fn migrated_from(&self) -> Option<u64> {
        (self.format_found < table::FORMAT_VERSION).then_some(self.format_found)
    }
}

pub(super) fn builder(settings: &Settings) -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(settings.cache_bytes);
    builder.set_check_integrity_on_open(settings.check_on_open);
    builder
}

/// What tells a file from another one of the same name, as long as both are there.
#[cfg(unix)]
fn number(found: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(found)
}

/// Other systems do not say, and do not replace a file that is open.
#[cfg(not(unix))]
fn number(_: &fs::Metadata) -> u64 {
    0
}

/// The name of a file with something behind it, in the same folder.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

fn create_whole(beside: &Path, settings: &Settings) -> Result<Database, redb::Error> {
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(beside)?;
    let database = builder(settings).create_with_backend(FileBackend::new(file)?)?;
    write_tables(&database)?;
    Ok(database)
}

/// Makes all tables, so that readers find them, and says what format they have.
fn write_tables(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    for table in shape::ALL {
        table.create(&transaction)?;
    }
    write_format(&transaction, table::FORMAT_VERSION)?;
    transaction.commit()?;
    Ok(())
}

/// Makes the new name of a file survive a power cut.
///
/// # Errors
/// What the disk says.
#[cfg(unix)]
pub fn sync_directory(path: &Path) -> std::io::Result<()> {
    let directory = match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    File::open(directory)?.sync_all()
}

/// Other systems do not open directories; their file systems log the rename.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn sync_directory(_: &Path) -> std::io::Result<()> {
    Ok(())
}
