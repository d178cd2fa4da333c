//! The two places where data is kept. Whoever reads or commits sees a [`Store`]; backups and compactions want the file.

use std::{ops::Deref, sync::Arc};

use ebbtide_store::{
    Store,
    memory::MemoryStore,
    redb::{RedbStore, SweepPace},
};

pub(super) enum Kept {
    File(Arc<RedbStore>),
    Memory(MemoryStore),
}

impl Kept {
    /// See [`RedbStore::sweep_at`].
    pub fn sweep_at(&self, pace: &Arc<SweepPace>) {
        match self {
            Self::File(store) => store.sweep_at(Arc::clone(pace)),
            Self::Memory(_) => {}
        }
    }
}

impl Deref for Kept {
    type Target = dyn Store;

    fn deref(&self) -> &(dyn Store + 'static) {
        match self {
            Self::File(store) => &**store,
            Self::Memory(store) => store,
        }
    }
}
