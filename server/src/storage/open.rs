//! From a folder to a store and the broker recovered from it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use ebbtide_broker::{Broker, Recovery};
use ebbtide_store::{
    Row, Store, StoreError,
    redb::{SweepPace, sync_directory},
};

use super::{FILE, Source, error::StorageError, kept::Kept, sweep::sweep};

/// Makes the folder, readable for its owner only, and gives the path of the file in it. What was made survives a power cut: a file
/// in a folder without a name is lost.
pub fn folder(path: &Path) -> Result<PathBuf, StorageError> {
    let is_missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
    let missing: Vec<&Path> = path.ancestors().take_while(is_missing).collect();
    let made = make(path).and_then(|()| missing.into_iter().try_for_each(sync_directory));
    made.map_err(|source| StorageError::Directory {
        path: path.into(),
        source,
    })?;
    Ok(path.join(FILE))
}

#[cfg(unix)]
fn make(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

#[cfg(not(unix))]
fn make(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

impl Source {
    /// Opens the store and brings up a broker from what it holds.
    pub(super) fn open(&self) -> Result<(Kept, Broker), StorageError> {
        let open = || {
            let pace = Arc::default();
            let mut store = self.place.open()?;
            store.sweep_at(&pace);
            let mut recovered = self.recover(&*store);
            if let Err(StoreError::Full(_)) = &recovered {
                drop(store);
                store = self.open_swept(&pace)?;
                recovered = self.recover(&*store);
            }
            Ok((store, recovered?))
        };
        open().map_err(|error| StorageError::Open { error })
    }

    /// Opens the store that could not be recovered for want of room, and removes what no session owns in parts.
    fn open_swept(&self, pace: &Arc<SweepPace>) -> Result<Kept, StoreError> {
        loop {
            let store = self.place.open()?;
            store.sweep_at(pace);
            let reached = pace.reached();
            match sweep(&store) {
                Err(_) if pace.reached() != reached => {}
                swept => return swept.map(|()| store),
            }
        }
    }

    /// Brings up a broker from what the store holds.
    pub(super) fn recover(&self, store: &dyn Store) -> Result<Broker, StoreError> {
        let started = Instant::now();
        let mut rows: u64 = 0;
        let mut access = Vec::new();
        let mut recovery = Recovery::new(self.limits.clone(), seed());
        if let Some(topic) = &self.presence {
            recovery.keep_presence(topic.clone());
        }
        recovery.observe(Arc::new(self.events.clone()));
        let report = store.recover(&mut |row| {
            rows += 1;
            match row {
                Row::Access(row) => access.push(*row),
                row => recovery.row(row),
            }
        })?;
        let mut new = Vec::new();
        if let Some((config, directory)) = &self.access {
            let found = directory.load(access, config, self.clock.now().wall);
            recovery.guard(found.rules);
            new = found.new;
        }
        for row in &report.put_aside {
            tracing::error!("a damaged row was put aside: {row}");
        }
        let broker = recovery.finish(self.clock.now());
        for row in new {
            broker.put_access(row);
        }
        let implausible = broker.stats().implausible_times;
        if implausible > 0 {
            tracing::warn!(
                "the clock was set: {implausible} times on disk make no sense and count as now"
            );
        }
        // The numbers that may be handed out are reserved, and who was connected counts as gone.
        while let Some(batch) = broker.journal().take() {
            store.commit(&batch.operations)?;
            broker.journal().committed(&batch);
        }
        tracing::info!(rows, swept = report.swept, took = ?started.elapsed(), "recovered");
        Ok(broker)
    }
}

/// Differs between runs; nothing secret hangs on it.
fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}
