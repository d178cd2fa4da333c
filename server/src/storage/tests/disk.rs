//! A disk in memory that fails when it is told to, and the place of a store on it.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ebbtide_store::{
    StoreError,
    redb::{RedbStore, Settings, Stamps},
};
use redb::StorageBackend;

use crate::storage::{
    kept::Kept,
    place::{Again, Place},
};

/// Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    content: Vec<u8>,
    steps: usize,
    /// From this step on everything that changes the disk fails so.
    failing: Option<(usize, io::ErrorKind)>,
    /// Half of a write that fails is there.
    tears: bool,
    free_bytes: Option<u64>,
    /// It is full when more than this is written between two syncs.
    unsynced_bytes_max: Option<usize>,
    unsynced_bytes: usize,
    /// Of the store that was opened last.
    stamps: Arc<Stamps>,
    is_away: bool,
    openings: usize,
    /// Whoever opens it again waits for this.
    held: Arc<Mutex<()>>,
}

impl Disk {
    /// After so many more steps it fails.
    pub fn fail_after(&self, steps: usize, how: io::ErrorKind, tears: bool) {
        let mut state = self.state();
        state.failing = Some((state.steps + steps, how));
        state.tears = tears;
    }

    /// It works.
    pub fn heal(&self) {
        self.state().failing = None;
    }

    pub fn set_free_bytes(&self, bytes: u64) {
        self.state().free_bytes = Some(bytes);
    }

    /// There is no room for transactions that write more.
    pub fn limit_transactions(&self, bytes_max: usize) {
        let mut state = self.state();
        state.unsynced_bytes_max = Some(bytes_max);
        state.unsynced_bytes = 0;
    }

    /// Nothing is written meanwhile.
    pub fn hold(&self, while_held: impl FnOnce()) {
        let _state = self.state();
        while_held();
    }

    /// It does not answer who opens it again while that is locked.
    pub fn held(&self) -> Arc<Mutex<()>> {
        Arc::clone(&self.state().held)
    }

    /// It cannot be reached.
    pub fn set_away(&self, is_away: bool) {
        self.state().is_away = is_away;
    }

    /// Somebody puts another, empty store in its place.
    pub fn replace(&self) {
        let other = Self::default();
        drop(other.open_store().expect("a new store"));
        self.become_like(&other);
    }

    /// Everything on it is as on another one, as it is at this moment.
    pub fn become_like(&self, other: &Self) {
        let content = other.state().content.clone();
        self.state().content = content;
    }

    /// How often it was tried to open the store again.
    pub fn openings(&self) -> usize {
        self.state().openings
    }

    /// How often the disk was changed.
    pub fn steps(&self) -> usize {
        self.state().steps
    }

    /// A disk of the same content, as it is at this moment.
    pub fn copy(&self) -> Self {
        let copy = Self::default();
        copy.become_like(self);
        copy
    }

    pub fn open_store(&self) -> Result<RedbStore, StoreError> {
        RedbStore::open_backend("disk", self.clone(), Settings::default())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, apply: impl FnOnce(&mut Vec<u8>, bool)) -> io::Result<()> {
        let mut state = self.state();
        state.steps += 1;
        match state.failing {
            Some((step, how)) if state.steps > step => {
                if state.tears {
                    apply(&mut state.content, true);
                }
                Err(how.into())
            }
            _ => {
                apply(&mut state.content, false);
                Ok(())
            }
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().content.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (state, offset) = (self.state(), offset as usize);
        let found = state.content.get(offset..offset + out.len());
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(|content, is_torn| {
            if !is_torn {
                content.resize(len as usize, 0);
            }
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.state().unsynced_bytes = 0;
        self.change(|_, _| {})
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        {
            let mut state = self.state();
            state.unsynced_bytes += data.len();
            let bytes = state.unsynced_bytes;
            if state.unsynced_bytes_max.is_some_and(|most| bytes > most) {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        self.change(|content, is_torn| {
            let data = if is_torn {
                &data[..data.len() / 2]
            } else {
                data
            };
            let offset = offset as usize;
            content[offset..offset + data.len()].copy_from_slice(data);
        })
    }
}

impl Place for Disk {
    fn open(&self) -> Result<Kept, StoreError> {
        // What was not synced has been given up.
        self.state().unsynced_bytes = 0;
        let store = self.open_store()?;
        self.state().stamps = store.stamps();
        Ok(Kept::File(Arc::new(store)))
    }

    fn open_again(&self) -> Result<Again, StoreError> {
        {
            // Whoever sees that it was tried knows what came of it.
            let mut state = self.state();
            state.openings += 1;
            if state.is_away {
                return Err(StoreError::Io("it is away".into()));
            }
        }
        drop(self.held().lock());
        let before = Arc::clone(&self.state().stamps);
        let Kept::File(store) = self.open()? else {
            unreachable!("it opens files");
        };
        Ok(Again::of(store, &before))
    }

    fn free_bytes(&self) -> Option<u64> {
        self.state().free_bytes
    }
}
