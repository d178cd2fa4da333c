//! Giving space back while the store is in use: its rows are copied into a new file, which then takes the place of the old one.
//!
//! The copy is of one snapshot. Commits go on meanwhile and note which rows they touch; those are copied again, round after
//! round, until a round is short. For the last one commits wait, then the new file is synced, gets the name of the old
//! one, and readers and commits go to it. Until that moment the old file is the store, and a crash leaves it untouched; after it the
//! new one is, and has everything. Why so: `docs/decisions/008-compaction.md`.

mod catch_up;
mod touched;

use std::{
    fs::{self, File},
    io, mem,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use redb::{Database, ReadTransaction, ReadableDatabase, StorageBackend, backends::FileBackend};

use self::catch_up::catch_up;
pub(super) use self::touched::Touched;
use super::{
    RedbStore, Writer,
    chunk::Chunk,
    error::to_store_error,
    filling::Filling,
    open::{beside, sync_directory},
    shape,
};
use crate::StoreError;

/// Appended to the name of the file while the copy is made; one that a crash has left is removed at the next start.
pub(super) const COMPACT_SUFFIX: &str = ".compact";

/// The last round is one about as long as the round before it, and that one copied no longer than this. What it waits for the disk
/// does not count: a slow disk takes that for the last round, too, however little there is to copy.
const PAUSE_MAX: Duration = Duration::from_millis(100);
/// Rounds until it is given up: commits touch rows faster than they are copied.
const ROUNDS_MAX: u32 = 30;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// Size of the old file.
    pub before_bytes: u64,
    /// Size of the new file.
    pub after_bytes: u64,
    /// How long commits had to wait at the end.
    pub paused: Duration,
}

/// Why nothing was done. The store is as it was, and goes on.
#[derive(Debug, thiserror::Error)]
pub enum CompactError {
    /// One is under way.
    #[error("a compaction is under way")]
    UnderWay,
    /// Whoever asked for it no longer wants it.
    #[error("the compaction was stopped")]
    Stopped,
    /// It does not come to an end.
    #[error(
        "too much is being written: the copy does not catch up; try again when less is going on"
    )]
    TooBusy,
    /// The store failed, or the copy could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompactProgress {
    /// Rows of the first snapshot.
    Rows {
        /// Copied.
        done: u64,
        /// There are.
        total: u64,
    },
    /// A round is done.
    Round,
}

/// Where the copy is made.
pub(super) trait Place {
    type Backend: StorageBackend;
    /// An empty one.
    fn create(&mut self) -> io::Result<Self::Backend>;
    /// Gives the copy, which is whole and synced, the name of the old file.
    fn put(&mut self) -> io::Result<()>;
    /// Makes the name durable.
    fn settle(&mut self) -> io::Result<()>;
}

impl RedbStore {
    /// Copies the store into a new file and goes on with that one. Whoever reads and commits meanwhile notices a pause at
    /// most. `progress` may stop it.
    ///
    /// # Errors
    /// See [`CompactError`].
    pub fn compact(
        &self,
        progress: &mut dyn FnMut(CompactProgress) -> ControlFlow<()>,
    ) -> Result<Compacted, CompactError> {
        let mut files = Files {
            path: &self.path,
            copy: beside(&self.path, COMPACT_SUFFIX),
        };
        let size = || match fs::metadata(&self.path) {
            Ok(found) => Ok(found.len()),
            Err(error) => Err(to_store_error(&self.path, error.into())),
        };
        let before_bytes = size()?;
        let recording = Recording::begin(self)?;
        let switched = recording.copy(&mut files, progress);
        if switched.is_err() {
            // There is none if it has become the store.
            let _ = fs::remove_file(&files.copy);
        }
        Ok(Compacted {
            paused: switched?,
            before_bytes,
            after_bytes: size()?,
        })
    }
}

struct Files<'a> {
    path: &'a Path,
    copy: PathBuf,
}

impl Place for Files<'_> {
    type Backend = FileBackend;

    fn create(&mut self) -> io::Result<FileBackend> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&self.copy)?;
        FileBackend::new(file).map_err(io::Error::other)
    }

    fn put(&mut self) -> io::Result<()> {
        fs::rename(&self.copy, self.path)
    }

    fn settle(&mut self) -> io::Result<()> {
        sync_directory(self.path)
    }
}

/// While it is there, commits note what they touch.
pub(super) struct Recording<'a> {
    store: &'a RedbStore,
    /// What there was when it began.
    snapshot: Option<ReadTransaction>,
}

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        self.store.writer.lock().touched = None;
    }
}

impl<'a> Recording<'a> {
    pub(super) fn begin(store: &'a RedbStore) -> Result<Self, CompactError> {
        let mut writer = store.writer.lock();
        if writer.failed {
            return Err(StoreError::NeedsReopen.into());
        }
        if writer.touched.is_some() {
            return Err(CompactError::UnderWay);
        }
        let snapshot = store.database().begin_read().map_err(|e| store.error(e))?;
        writer.touched = Some(Touched::default());
        Ok(Self {
            store,
            snapshot: Some(snapshot),
        })
    }

    /// Copies into the new file and switches to it. Gives how long commits had to wait.
    pub(super) fn copy(
        mut self,
        place: &mut impl Place,
        progress: &mut dyn FnMut(CompactProgress) -> ControlFlow<()>,
    ) -> Result<Duration, CompactError> {
        self.copy_and_switch(place, progress)
            .map_err(|stop| match stop {
                Stop::Failed(error) => self.store.error(error).into(),
                Stop::GivenUp(error) => error,
            })
    }

    fn copy_and_switch(
        &mut self,
        place: &mut impl Place,
        progress: &mut dyn FnMut(CompactProgress) -> ControlFlow<()>,
    ) -> Result<Duration, Stop> {
        let mut filling = Filling::begin(place.create()?, &self.store.settings)?;
        if let Some(snapshot) = self.snapshot.take() {
            self.fill(&mut filling, &snapshot, progress)?;
        }
        let mut copy = filling.finish()?;
        // A file grows in large steps; this cuts off what the last one has left over.
        copy.compact().map_err(redb::Error::from)?;
        for _ in 0..ROUNDS_MAX {
            let (touched, snapshot) = take(self.store, &mut self.store.writer.lock())?;
            let copying = catch_up(&copy, &snapshot, &touched)?;
            drop(snapshot);
            go_on(progress(CompactProgress::Round))?;
            if copying <= PAUSE_MAX {
                return self.switch(copy, place);
            }
        }
        Err(CompactError::TooBusy.into())
    }

    fn fill(
        &self,
        filling: &mut Filling,
        snapshot: &ReadTransaction,
        progress: &mut dyn FnMut(CompactProgress) -> ControlFlow<()>,
    ) -> Result<(), Stop> {
        let mut total = 0;
        for table in shape::ALL {
            total += table.len(snapshot)?;
        }
        let mut done = 0;
        let mut put = |chunk: &mut Chunk| -> Result<(), Stop> {
            filling.put(chunk)?;
            done += chunk.count();
            chunk.clear();
            go_on(progress(CompactProgress::Rows { done, total }))?;
            // While a commit is under way nothing has failed yet; it is no reason to wait for its disk after each chunk.
            match self.store.writer.try_lock() {
                Some(writer) => goes_on(&writer),
                None => Ok(()),
            }
        };
        for shape in shape::ALL {
            let mut chunk = Chunk::new(shape);
            shape.scan(snapshot, &mut |key, row| -> Result<(), Stop> {
                chunk.push(key, row);
                if chunk.is_full() {
                    put(&mut chunk)?;
                }
                Ok(())
            })?;
            if chunk.count() > 0 {
                put(&mut chunk)?;
            }
        }
        Ok(())
    }

    /// The last round, for which commits wait, and the switch.
    fn switch(&self, copy: Database, place: &mut impl Place) -> Result<Duration, Stop> {
        let mut writer = self.store.writer.lock();
        let started = Instant::now();
        let (touched, snapshot) = take(self.store, &mut writer)?;
        catch_up(&copy, &snapshot, &touched)?;
        drop(snapshot);
        place.put()?;
        self.store.extent.compacted();
        let old = mem::replace(&mut *self.store.database.write(), Arc::new(copy));
        if let Err(error) = place.settle() {
            // Both files hold the same now, but which of them the next start finds is not known.
            writer.failed = true;
            return Err(error.into());
        }
        drop(writer);
        let paused = started.elapsed();
        // Closes it, if no reader is at it any more; until it is closed, its space is not free.
        drop(old);
        Ok(paused)
    }
}

/// What has been touched since the last time, and what is committed by now.
fn take(store: &RedbStore, writer: &mut Writer) -> Result<(Touched, ReadTransaction), Stop> {
    goes_on(writer)?;
    let snapshot = store.database().begin_read().map_err(redb::Error::from)?;
    let touched = writer.touched.replace(Touched::default());
    Ok((touched.unwrap_or_default(), snapshot))
}

fn go_on(wanted: ControlFlow<()>) -> Result<(), Stop> {
    match wanted {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(CompactError::Stopped.into()),
    }
}

/// A commit that failed, or that touched too much, ends it.
fn goes_on(writer: &Writer) -> Result<(), Stop> {
    if writer.failed {
        return Err(CompactError::Store(StoreError::NeedsReopen).into());
    }
    if writer.touched.is_none() {
        return Err(CompactError::TooBusy.into());
    }
    Ok(())
}

enum Stop {
    Failed(redb::Error),
    GivenUp(CompactError),
}

impl From<redb::Error> for Stop {
    fn from(error: redb::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<CompactError> for Stop {
    fn from(error: CompactError) -> Self {
        Self::GivenUp(error)
    }
}
