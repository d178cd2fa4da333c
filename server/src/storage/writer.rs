//! The one thread that writes. It takes whatever waits, commits it with one fsync and reports it; while it does, the next
//! batch gathers. So the window of a group commit is the previous commit, and no timer delays anybody.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use ebbtide_broker::{Batch, Broker};
use ebbtide_store::StoreError;

use super::{Shared, Source, error::StorageError};
use crate::wake;

/// How long it waits before it tries again to open a store that failed: doubled each time, up to the second one.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LAST: Duration = Duration::from_secs(10);

/// Starts the thread.
pub(super) fn spawn(
    shared: Arc<Shared>,
    source: Source,
    stopping: Arc<AtomicBool>,
) -> Result<JoinHandle<()>, StorageError> {
    let thread = thread::Builder::new().name("writer".into());
    thread
        .spawn(move || write(&shared, &source, &stopping))
        .map_err(StorageError::Thread)
}

fn write(shared: &Shared, source: &Source, stopping: &AtomicBool) {
    let waker = wake::unpark(thread::current());
    let mut broker = attend(shared, source, &waker);
    loop {
        pace(&broker, source, stopping);
        // Read before the look at the journal: what was queued before the stop is still written.
        let is_stopping = stopping.load(Ordering::Acquire);
        match broker.journal().take() {
            Some(batch) => {
                if let Err(error) = commit(shared, &batch) {
                    tracing::error!(%error, "a commit failed: nothing that waits for it is acknowledged");
                    shared.healthy.store(false, Ordering::Release);
                    broker.journal().failed();
                    broker.shut_down(None);
                    if reopen(shared, source, stopping).is_err() {
                        return;
                    }
                    broker = attend(shared, source, &waker);
                    continue;
                }
                broker.journal().committed(&batch);
            }
            None if is_stopping => return,
            None => thread::park(),
        }
    }
}

fn attend(shared: &Shared, source: &Source, waker: &Waker) -> Broker {
    let broker = shared.broker.read().clone();
    if source.relaxed_commit.is_some() {
        broker.journal().set_paced();
    }
    broker.journal().set_waker(waker.clone());
    broker
}

/// With relaxed listeners: what nobody waits for gathers for a while.
fn pace(broker: &Broker, source: &Source, stopping: &AtomicBool) {
    let Some(interval) = source.relaxed_commit else {
        return;
    };
    let end = Instant::now() + interval;
    while !stopping.load(Ordering::Acquire) && !broker.journal().is_awaited() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        thread::park_timeout(left);
    }
}

fn commit(shared: &Shared, batch: &Batch) -> Result<(), StoreError> {
    if batch.operations.is_empty() {
        return Ok(());
    }
    match &*shared.reader.store.read() {
        Some(store) => store.commit(&batch.operations),
        None => Err(StoreError::NeedsReopen),
    }
}

/// Opens the store until it works; then a broker recovered from it takes over. An error: the program stops meanwhile.
fn reopen(shared: &Shared, source: &Source, stopping: &AtomicBool) -> Result<(), io::Error> {
    // What only memory holds cannot be opened again.
    if source.file.is_none() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    *shared.reader.store.write() = None;
    let mut pause = RETRY_FIRST;
    loop {
        if stopping.load(Ordering::Acquire) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        match source.open() {
            Ok((store, broker)) => {
                *shared.reader.store.write() = Some(store);
                *shared.broker.write() = broker;
                shared.healthy.store(true, Ordering::Release);
                shared.generation.fetch_add(1, Ordering::Release);
                Arc::clone(&shared.replaced).wake();
                tracing::info!("the store works again");
                return Ok(());
            }
            Err(error) => tracing::error!(%error, retry_in = ?pause, "the store cannot be opened"),
        }
        thread::park_timeout(pause);
        pause = (pause * 2).min(RETRY_LAST);
    }
}
