//! The one thread that writes. It takes whatever waits, commits it with one fsync and reports it; while it does, the next
//! batch gathers. So the window of a group commit is the previous commit, and no timer delays anybody. Before each it looks
//! how much room the disk has.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, channel},
    },
    task::Waker,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use ebbtide_broker::{Batch, Broker};
use ebbtide_store::StoreError;

use super::{
    Shared, Source,
    error::StorageError,
    heal::{Healed, heal},
    room::Watch,
};
use crate::wake;

/// How often it looks at the disk when it has nothing to write: others fill it, or make room.
const LOOK: Duration = Duration::from_secs(1);

/// Starts the thread. What it gives beside it is closed when the thread ends.
pub(super) fn spawn(
    shared: Arc<Shared>,
    source: Source,
    stopping: Arc<AtomicBool>,
) -> Result<(JoinHandle<()>, Receiver<()>), StorageError> {
    let mut watch = Watch::new(source.disk_reserve_bytes);
    // Whoever is told that the broker is ready must not find a full disk afterwards.
    look(&shared, &source, &shared.broker(), &mut watch);
    let (until_end, ended) = channel();
    let thread = thread::Builder::new().name("writer".into());
    let writer = thread.spawn(move || {
        let _until_end = until_end;
        write(&shared, &source, watch, &stopping);
    });
    Ok((writer.map_err(StorageError::Thread)?, ended))
}

fn write(shared: &Shared, source: &Source, mut watch: Watch, stopping: &AtomicBool) {
    let waker = wake::unpark(thread::current());
    let mut broker = attend(shared, source, &waker);
    loop {
        pace(&broker, source, stopping);
        look(shared, source, &broker, &mut watch);
        // Read before the look at the journal: what was queued before the stop is still written.
        let is_stopping = stopping.load(Ordering::Acquire);
        match broker.journal().take() {
            Some(batch) => match commit(shared, &batch) {
                Ok(()) => broker.journal().finish(batch),
                Err(error) => match heal(shared, source, &broker, &batch, error, stopping) {
                    Healed::Same => {}
                    Healed::Replaced => broker = attend(shared, source, &waker),
                    Healed::Stopped => return,
                },
            },
            None if is_stopping => return,
            None => thread::park_timeout(LOOK),
        }
    }
}

fn attend(shared: &Shared, source: &Source, waker: &Waker) -> Broker {
    let broker = shared.broker();
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

fn look(shared: &Shared, source: &Source, broker: &Broker, watch: &mut Watch) {
    let reader = shared.reader();
    let store = reader.shared.store.read();
    let reusable_bytes = store.as_ref().map_or(0, |store| store.reusable_bytes());
    drop(store);
    let room_bytes = watch.room_bytes(source.place.free_bytes(), reusable_bytes);
    broker.journal().set_room_bytes(room_bytes);
}

fn commit(shared: &Shared, batch: &Batch) -> Result<(), StoreError> {
    if batch.operations.is_empty() {
        return Ok(());
    }
    match &*shared.reader().shared.store.read() {
        Some(store) => {
            let started = Instant::now();
            store.commit(&batch.operations)?;
            let operations = batch.operations.len();
            shared.times.add(started.elapsed(), operations);
            Ok(())
        }
        None => Err(StoreError::NeedsReopen),
    }
}
