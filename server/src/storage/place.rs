//! Where a store is: it is opened there, opened again after it has failed, and asked how much room is left.

use std::{
    fmt::Debug,
    fs, io, mem,
    path::{Path, PathBuf},
    sync::Arc,
};

use ebbtide_store::{
    StoreError,
    memory::MemoryStore,
    redb::{RedbStore, Stamps},
};

use parking_lot::Mutex;

use super::kept::Kept;

/// A place for one store.
pub(super) trait Place: Debug + Send {
    /// Opens the store; makes it if there is none.
    fn open(&self) -> Result<Kept, StoreError>;

    /// Opens the store that was open and has failed. Never makes one: where there is none, the disk may be away.
    fn open_again(&self) -> Result<Again, StoreError>;

    /// Bytes that the file system has left for this program; `None`: nobody can tell, or there is no limit.
    fn free_bytes(&self) -> Option<u64>;
}

/// What is found where a store was.
pub(super) enum Again {
    /// The same one, with all that was committed.
    Same(Kept),
    /// And with the commit that failed last: it was there by then.
    Landed(Kept),
    /// Another one, or what the same one was earlier.
    Other(Kept),
}

impl Again {
    /// By the stamps of the store that was open before.
    pub fn of(store: Arc<RedbStore>, before: &Stamps) -> Self {
        let (is_same, has_landed) = (before.include(&store), before.has_landed(&store));
        let store = Kept::File(store);
        match (is_same, has_landed) {
            (true, true) => Self::Landed(store),
            (true, false) => Self::Same(store),
            (false, _) => Self::Other(store),
        }
    }
}

/// A file in a folder.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    /// Of the store that was opened last.
    stamps: Mutex<Arc<Stamps>>,
}

impl File {
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            stamps: Mutex::default(),
        }
    }

    /// With the stamps of the one that was open before.
    fn open_file(&self) -> Result<(Arc<RedbStore>, Arc<Stamps>), StoreError> {
        let store = RedbStore::open(&self.path)?;
        let before = mem::replace(&mut *self.stamps.lock(), store.stamps());
        if let Some(format) = store.migrated_from() {
            tracing::warn!(
                "the file had format {format} and was brought to today's: an earlier ebbtide cannot read it any more"
            );
        }
        Ok((Arc::new(store), before))
    }
}

impl Place for File {
    fn open(&self) -> Result<Kept, StoreError> {
        Ok(Kept::File(self.open_file()?.0))
    }

    fn open_again(&self) -> Result<Again, StoreError> {
        let failed = |error: io::Error| {
            let path = self.path.display();
            StoreError::Io(format!("{path}: {error}"))
        };
        // Fails if there is none.
        forget(&self.path).map_err(failed)?;
        let (store, before) = self.open_file()?;
        Ok(Again::of(store, &before))
    }

    #[cfg(unix)]
    fn free_bytes(&self) -> Option<u64> {
        let found = rustix::fs::statvfs(self.path.parent()?).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }

    /// A commit that fails for want of room says so.
    #[cfg(not(unix))]
    fn free_bytes(&self) -> Option<u64> {
        None
    }
}

/// Makes the system read the file from the disk again. After a sync that failed its cache may hold pages as if they were
/// on disk that are not: what is built on those would be lost with the next power cut.
#[cfg(target_os = "linux")]
fn forget(path: &Path) -> io::Result<()> {
    use rustix::fs::{Advice, fadvise};
    // Writing too: a file system that has become read-only is not healed.
    let file = fs::File::options().read(true).write(true).open(path)?;
    // What can still be written is not lost; only clean pages are let go.
    file.sync_all()?;
    Ok(fadvise(&file, 0, None, Advice::DontNeed)?)
}

#[cfg(not(target_os = "linux"))]
fn forget(path: &Path) -> io::Result<()> {
    let file = fs::File::options().read(true).write(true).open(path)?;
    file.sync_all()
}

/// Memory, which is gone with the program and does not fail.
#[derive(Debug)]
pub(super) struct Memory;

impl Place for Memory {
    fn open(&self) -> Result<Kept, StoreError> {
        Ok(Kept::Memory(MemoryStore::new()))
    }

    fn open_again(&self) -> Result<Again, StoreError> {
        Err(StoreError::NeedsReopen)
    }

    fn free_bytes(&self) -> Option<u64> {
        None
    }
}

#[cfg(test)]
mod tests {
    use ebbtide_store::Store;

    use super::*;

    fn place(folder: &tempfile::TempDir) -> File {
        File::new(folder.path().join(super::super::FILE))
    }

    /// Opens it, and commits as every start does.
    fn start(place: &File) -> Kept {
        let store = place.open().expect("opens");
        store.commit(&[]).expect("commits");
        store
    }

    #[test]
    fn the_same_store_is_known_again_and_another_one_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = place(&folder);
        drop(start(&place));
        assert!(matches!(place.open_again(), Ok(Again::Same(_))));
        let other = folder.path().join("other");
        let store = RedbStore::open(&other).expect("makes one");
        store.commit(&[]).expect("commits");
        drop(store);
        fs::rename(&other, &place.path).expect("replaces");
        assert!(matches!(place.open_again(), Ok(Again::Other(_))));
        assert!(matches!(place.open_again(), Ok(Again::Same(_))));
    }

    /// As on a disk that was made from a snapshot, where everything has the name and the number that it had.
    #[test]
    fn what_the_same_file_was_earlier_is_another_store() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = place(&folder);
        let store = start(&place);
        let earlier = fs::read(&place.path).expect("reads");
        store.commit(&[]).expect("commits");
        drop(store);
        fs::write(&place.path, earlier).expect("writes into the same file");
        assert!(matches!(place.open_again(), Ok(Again::Other(_))));
    }

    #[test]
    fn a_compacted_file_is_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = place(&folder);
        let Kept::File(store) = start(&place) else {
            panic!("a file");
        };
        let go_on = &mut |_| std::ops::ControlFlow::Continue(());
        store.compact(go_on).expect("compacts");
        drop(store);
        assert!(matches!(place.open_again(), Ok(Again::Same(_))));
    }

    #[test]
    fn a_store_that_has_gone_is_not_replaced_by_an_empty_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = place(&folder);
        drop(start(&place));
        let away = folder.path().join("away");
        fs::rename(&place.path, &away).expect("moves");
        assert!(matches!(place.open_again(), Err(StoreError::Io(_))));
        assert!(!place.path.exists());
        fs::rename(&away, &place.path).expect("moves back");
        assert!(matches!(place.open_again(), Ok(Again::Same(_))));
    }

    #[cfg(unix)]
    #[test]
    fn the_file_system_says_how_much_is_left() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(place(&folder).free_bytes().is_some_and(|bytes| bytes > 0));
    }
}
