//! What stands between the core and the disk: it opens the store, brings up a broker from it, writes in one thread and
//! reads in others.
//!
//! A disk that fills up closes the door to what has to be kept (`room`); a commit that failed leaves the disk unknown, and
//! the store is opened again until it works (`heal`). The rest of the broker goes on meanwhile. If another store is found
//! then, a broker is recovered from that one; whoever asks [`CurrentBroker`] gets the new one.

mod error;
mod heal;
mod kept;
mod open;
mod parts;
mod place;
mod room;
mod sweep;
#[cfg(test)]
mod tests;
mod threads;
mod writer;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use ebbtide_broker::{Broker, Limits, NoRoom, PresenceTopic};
use ebbtide_store::{Incarnation, Part, Sequence, StoreError, redb::RedbStore};
use parking_lot::RwLock;
use tokio::runtime::Handle;

pub use self::{error::StorageError, open::folder};
use self::{kept::Kept, place::Place, threads::Threads};
use crate::{
    auth::Directory,
    clock::Clock,
    config::{self, AuthConfig, Config},
    events::Events,
    stats::CommitTimes,
    wake::Signal,
};

/// The name of the database in the data folder.
pub const FILE: &str = "ebbtide.redb";

/// How long a stop waits for a store that has failed and is opened once more: a disk that answers nothing would hold it for ever.
const LAST_ATTEMPT: Duration = Duration::from_secs(20);
/// How often it looks meanwhile whether it has failed.
const LOOK: Duration = Duration::from_millis(100);

/// The broker of now, and the way to its messages on disk.
#[derive(Clone, Debug)]
pub struct CurrentBroker {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    current: RwLock<Current>,
    /// How often another broker has taken over.
    generation: AtomicU64,
    /// Sent when another broker has taken over.
    replaced: Arc<Signal>,
    /// How long commits take.
    times: CommitTimes,
}

/// Changed together: what one broker has numbered is not to be read from another one's store.
#[derive(Debug)]
struct Current {
    broker: Broker,
    reader: Reader,
}

impl Shared {
    fn broker(&self) -> Broker {
        self.current.read().broker.clone()
    }

    fn reader(&self) -> Reader {
        self.current.read().reader.clone()
    }
}

/// Reads messages from the store of one broker; blocks on the disk.
#[derive(Clone)]
pub struct Reader {
    shared: Arc<Readable>,
}

struct Readable {
    /// `None`: it does not work, or another broker has taken over.
    store: RwLock<Option<Kept>>,
    threads: Arc<Threads>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Reader")
    }
}

impl Reader {
    fn new(store: Kept) -> Self {
        Self::with(store, Arc::new(Threads::new()))
    }

    fn with(store: Kept, threads: Arc<Threads>) -> Self {
        Self {
            shared: Arc::new(Readable {
                store: RwLock::new(Some(store)),
                threads,
            }),
        }
    }

    /// Where reads of sessions wait for the disk, and for their turn: first come, first served.
    pub fn threads(&self) -> &Handle {
        self.shared.threads.handle()
    }

    /// See [`Store::read_part`].
    pub fn read(
        &self,
        session: Incarnation,
        sequences: &[Sequence],
        bytes_max: usize,
    ) -> Result<Part, StoreError> {
        match &*self.shared.store.read() {
            Some(store) => store.read_part(session, sequences, bytes_max),
            None => Err(StoreError::NeedsReopen),
        }
    }

    /// The file that everything is kept in; `None` if it is in memory only.
    ///
    /// # Errors
    /// [`StoreError::NeedsReopen`] while the store does not work.
    pub fn file(&self) -> Result<Option<Arc<RedbStore>>, StoreError> {
        match &*self.shared.store.read() {
            Some(Kept::File(store)) => Ok(Some(Arc::clone(store))),
            Some(Kept::Memory(_)) => Ok(None),
            None => Err(StoreError::NeedsReopen),
        }
    }
}

impl CurrentBroker {
    /// The broker of now.
    pub fn get(&self) -> (Broker, Reader) {
        let current = self.shared.current.read();
        (current.broker.clone(), current.reader.clone())
    }

    /// From now on these hold, also for the broker that may take over.
    pub fn set_limits(&self, limits: Limits) {
        self.shared.current.read().broker.set_limits(limits);
    }

    /// Why what has to be kept is not taken in now.
    pub fn no_room(&self) -> Option<NoRoom> {
        self.shared.broker().journal().no_room()
    }

    /// Differs once another broker has taken over.
    pub fn generation(&self) -> u64 {
        self.shared.generation.load(Ordering::Acquire)
    }

    /// Waits until another broker has taken over; for one task only.
    pub async fn replaced(&self) {
        self.shared.replaced.wait().await;
    }
}

/// The running storage.
#[derive(Debug)]
pub struct Storage {
    current: CurrentBroker,
    stopping: Arc<AtomicBool>,
    writer: JoinHandle<()>,
    /// Closed when the writer ends.
    ended: Receiver<()>,
}

impl Storage {
    /// Opens and recovers; everything the recovery itself changes is on disk before this returns.
    ///
    /// # Errors
    /// When the folder or the file in it cannot be used.
    pub fn start(
        config: &Config,
        clock: Clock,
        events: &Events,
        directory: &Directory,
    ) -> Result<Self, StorageError> {
        let place: Box<dyn Place> = match &config.storage {
            config::Storage::Directory(folder) => Box::new(place::File::new(open::folder(folder)?)),
            config::Storage::Ephemeral => Box::new(place::Memory),
        };
        Self::start_at(Source {
            place,
            limits: config.limits.clone(),
            presence: config.presence.clone(),
            relaxed_commit: config.relaxed().next().map(|_| config.relaxed_commit),
            disk_reserve_bytes: config.disk_reserve_bytes,
            clock,
            events: events.clone(),
            access: (config.auth.is_on()).then(|| (config.auth.clone(), directory.clone())),
        })
    }

    fn start_at(source: Source) -> Result<Self, StorageError> {
        let (store, broker) = source.open()?;
        let current = Current {
            broker,
            reader: Reader::new(store),
        };
        let shared = Arc::new(Shared {
            current: RwLock::new(current),
            generation: AtomicU64::new(0),
            replaced: Signal::new(),
            times: CommitTimes::default(),
        });
        let stopping = Arc::new(AtomicBool::new(false));
        let (writer, ended) = writer::spawn(Arc::clone(&shared), source, Arc::clone(&stopping))?;
        Ok(Self {
            current: CurrentBroker { shared },
            stopping,
            writer,
            ended,
        })
    }

    /// The broker that runs on it.
    pub fn current(&self) -> &CurrentBroker {
        &self.current
    }

    /// How long commits take.
    pub fn commit_times(&self) -> &CommitTimes {
        &self.current.shared.times
    }

    /// Commits what waits and ends the writer. `false`: not everything could be written.
    pub fn finish(self) -> bool {
        self.finish_within(LAST_ATTEMPT)
    }

    /// A commit that has not failed has all the time it takes.
    fn finish_within(self, last_attempt: Duration) -> bool {
        self.stopping.store(true, Ordering::Release);
        self.writer.thread().unpark();
        let has_failed = || self.current.no_room() == Some(NoRoom::Failed);
        let mut failed_at = None;
        while self.ended.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
            failed_at = has_failed().then(|| failed_at.unwrap_or_else(Instant::now));
            if failed_at.is_some_and(|at| at.elapsed() >= last_attempt) {
                tracing::error!("the store did not answer in time");
                return false;
            }
        }
        self.writer.join().is_ok() && !has_failed()
    }
}

/// Where a store comes from, again and again.
#[derive(Debug)]
struct Source {
    place: Box<dyn Place>,
    limits: Limits,
    presence: Option<PresenceTopic>,
    /// How often is committed while nobody waits for it; `None`: at once.
    relaxed_commit: Option<Duration>,
    /// Held back on the disk.
    disk_reserve_bytes: u64,
    clock: Clock,
    /// Who is told what happens.
    events: Events,
    /// Who may do what, and where that is kept in memory; `None`: everybody may do anything.
    access: Option<(AuthConfig, Directory)>,
}
