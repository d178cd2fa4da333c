//! A commit has failed: what is on disk is unknown, and the store refuses everything until it is opened again.
//!
//! Nobody is kept waiting meanwhile, and nothing that needs the disk is taken (`Journal::failed`). The broker itself stays:
//! once the store is open again it gets the same batch once more, unless the batch is found there; in both cases the store then is what
//! the broker has in memory. If the disk was full, it gets it in `parts`. Only if another store is found in its place, a new broker is
//! recovered from that one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Wake,
    thread,
    time::{Duration, Instant},
};

use ebbtide_broker::{Batch, Broker, NoRoom};
use ebbtide_store::{StoreError, redb::SweepPace};

use super::{
    Current, Reader, Shared, Source, kept::Kept, parts::Parts, place::Again, sweep::sweep,
};

/// How long it waits before it tries again to open a store that failed: doubled each time, up to the second one.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LAST: Duration = Duration::from_secs(10);
/// How long it waits to ask a full disk again, which is cheap.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// With less than this free, a full disk is tried no more often than at the slowest, bytes.
const WORTH_TRYING: u64 = 1024 * 1024;

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Healed {
    /// The store works again and has the batch.
    Same,
    /// Another store was found; a broker recovered from it has taken over.
    Replaced,
    /// The program stops before that.
    Stopped,
}

/// What an attempt has to do.
struct Todo<'a> {
    parts: Parts<'a>,
    pace: Arc<SweepPace>,
    /// Another store was found at an earlier one.
    is_other: bool,
}

impl Todo<'_> {
    /// Changes with whatever an attempt has achieved.
    fn reached(&self) -> (usize, (usize, u64)) {
        (self.parts.left(), self.pace.reached())
    }
}

/// Opens the store again until it has taken the batch, and once more when the program stops: the disk may have been well since long
/// before the next attempt.
pub(super) fn heal(
    shared: &Shared,
    source: &Source,
    broker: &Broker,
    batch: &Batch,
    error: StoreError,
    stopping: &AtomicBool,
) -> Healed {
    tracing::error!(%error, "a commit failed: nothing that waits for it is acknowledged; the store is opened again");
    broker.journal().failed();
    source
        .events
        .store(source.clock.now().wall, Some(NoRoom::Failed));
    let started = Instant::now();
    let mut complaint = error.to_string();
    let mut is_stuck = matches!(error, StoreError::Full(_));
    let mut todo = Todo {
        parts: Parts::of(&batch.operations, &error),
        pace: Arc::default(),
        is_other: false,
    };
    let mut pause = RETRY_FIRST;
    let mut tried_at = started;
    loop {
        *shared.reader().shared.store.write() = None;
        let is_last = !rest(pause, stopping);
        let free_bytes = source.place.free_bytes();
        let has_little = free_bytes.is_some_and(|free_bytes| free_bytes < WORTH_TRYING);
        if !is_last && is_stuck && has_little && tried_at.elapsed() < RETRY_LAST {
            pause = ASK_AGAIN;
            continue;
        }
        tried_at = Instant::now();
        let before = todo.reached();
        match attempt(shared, source, broker, &mut todo, is_last) {
            Ok(Healed::Stopped) => return Healed::Stopped,
            Ok(healed) => {
                if healed == Healed::Same {
                    broker.journal().committed(batch);
                    broker.journal().healed();
                }
                tracing::info!(after = ?started.elapsed(), "the store works again");
                let no_room = shared.broker().journal().no_room();
                source.events.store(source.clock.now().wall, no_room);
                return healed;
            }
            Err(error) => {
                // What has been committed has made room, perhaps; and a smaller part may have some.
                let has_progressed = todo.reached() != before;
                is_stuck = matches!(error, StoreError::Full(_)) && !has_progressed;
                pause = match has_progressed {
                    true => RETRY_FIRST,
                    false => (pause * 2).min(RETRY_LAST),
                };
                let text = error.to_string();
                if text != complaint {
                    tracing::warn!(error = text, "the store does not work yet");
                    complaint = text;
                }
                if is_last {
                    return Healed::Stopped;
                }
            }
        }
    }
}

fn attempt(
    shared: &Shared,
    source: &Source,
    broker: &Broker,
    todo: &mut Todo<'_>,
    is_last: bool,
) -> Result<Healed, StoreError> {
    let again = source.place.open_again()?;
    if matches!(again, Again::Landed(_)) {
        todo.parts.landed();
    }
    match again {
        Again::Same(store) | Again::Landed(store) if !todo.is_other => {
            store.sweep_at(&todo.pace);
            sweep(&store)?;
            todo.parts.commit(&*store)?;
            *shared.reader().shared.store.write() = Some(store);
            Ok(Healed::Same)
        }
        // The same as at the last attempt may be the other one, which could not be recovered then.
        Again::Same(store) | Again::Landed(store) | Again::Other(store) => {
            todo.is_other = true;
            if is_last {
                // Nobody would come to a new broker, and that one would know nothing of the batch that was not written.
                return Ok(Healed::Stopped);
            }
            store.sweep_at(&todo.pace);
            replace(shared, source, broker, store)?;
            Ok(Healed::Replaced)
        }
    }
}

/// Whoever is connected to the old broker has to come anew. Its reader stays without a store: the numbers that it asks for may be
/// those of other clients' messages in the new one.
fn replace(shared: &Shared, source: &Source, old: &Broker, store: Kept) -> Result<(), StoreError> {
    tracing::error!("another store was found in the place of the one that failed: it is used");
    let broker = source.recover(&*store)?;
    old.shut_down(None);
    let mut current = shared.current.write();
    // They may have changed since the start.
    broker.set_limits((*old.limits()).clone());
    let threads = Arc::clone(&current.reader.shared.threads);
    *current = Current {
        broker,
        reader: Reader::with(store, threads),
    };
    drop(current);
    shared.generation.fetch_add(1, Ordering::Release);
    Arc::clone(&shared.replaced).wake();
    Ok(())
}

/// Waits; whoever queues something meanwhile does not cut it short. `false`: the program stops.
fn rest(pause: Duration, stopping: &AtomicBool) -> bool {
    let until = Instant::now() + pause;
    loop {
        if stopping.load(Ordering::Acquire) {
            return false;
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        thread::park_timeout(left);
    }
}
