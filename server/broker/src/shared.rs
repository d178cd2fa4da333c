//! The state behind all connections.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use arc_swap::{ArcSwap, Guard};
use ebbtide_protocol::ByteString;
use ebbtide_store::{Incarnation, RetainedChange, Sequence, WallTime};
use parking_lot::{Mutex, RwLock};

use crate::{
    Journal, Limit, Limits, Monotonic,
    event::Observer,
    inspect::RecentLosses,
    numbers::{Exhausted, Numbers},
    presence::Presence,
    registry::Registry,
    route::{excess::Excess, index::Index, mailbox::Mailbox, retained::Retained, sets::RecentSets},
    rules::Book,
    stats::Counters,
    timers::{Timer, Timers},
    wills::Wills,
    work::ABANDONED_PER_LOCK,
};

/// What every connection and the broker itself work on. Locks are taken in the order of the fields, those of a group and of a
/// mailbox between `retained` and `timers`. These are held while others are taken:
///
/// - `registry`: to hand a session over, or to look at its mailbox;
/// - `presence` and `wills`: while an entry or a will is published, with all that follows;
/// - `index`, then `numbers`: in `route::publish` and its like; SUBSCRIBE holds `index` alone while groups are joined, the
///   journal is told and snapshots are queued;
/// - `numbers`: while retained messages expire, while a snapshot or a backlog finds its place in the order, and while a message
///   of a group becomes a member's;
/// - a group: to reach the mailboxes of its members, `excess`, and the journal;
/// - a mailbox, and what counts its losses: to reach the journal.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Those of now. A connection keeps what it began with: CONNACK has announced it.
    pub limits: ArcSwap<Limits>,
    pub registry: Registry,
    /// If it is kept at all.
    pub presence: Option<Presence>,
    /// Held while one of them is published.
    pub wills: Wills,
    /// Who may do what; `None`: everybody may do anything.
    pub rules: Option<Book>,
    pub index: RwLock<Index>,
    /// Also the lock that puts accepted messages in order.
    pub numbers: Mutex<Numbers>,
    pub retained: RwLock<Retained>,
    pub recent_sets: Mutex<RecentSets>,
    /// Messages that nobody waits for any more, to be forgotten part by part.
    pub abandoned: Mutex<Vec<Vec<Sequence>>>,
    /// Queues with more in them than may wait.
    pub excess: Excess,
    pub timers: Timers,
    pub journal: Journal,
    /// When this run began.
    pub started: WallTime,
    pub counters: Counters,
    /// What takes memory for long is refused.
    pub is_short_of_memory: AtomicBool,
    /// Who has lost messages since somebody looked.
    pub recent_losses: RecentLosses,
    /// Who watches, if anybody may.
    pub observer: Option<Arc<dyn Observer>>,
    /// Set once the server stops: the Server Reference, if its clients are sent to another one.
    pub stopping: OnceLock<Option<ByteString>>,
    /// For client ids that the broker assigns.
    pub seed: u64,
    pub assigned: AtomicU64,
}

impl Shared {
    /// What holds for all of them now.
    pub fn limits(&self) -> Guard<Arc<Limits>> {
        self.limits.load()
    }

    pub fn new_mailbox(&self, session: Incarnation, client_id: ByteString, kept: bool) -> Mailbox {
        Mailbox::new(session, client_id, kept, &self.limits())
    }

    pub fn new_incarnation(&self) -> Result<Incarnation, Exhausted> {
        self.numbers.lock().incarnation(&self.journal)
    }

    /// Changes the retained message of a topic. The caller holds the order lock. Gives whether there was one.
    pub fn change_retained(&self, change: RetainedChange) -> bool {
        match change {
            RetainedChange::Set(row) => self.retained.write().set(row),
            RetainedChange::Clear { topic, .. } => self.retained.write().clear(&topic),
        }
    }

    /// A name for a client that came without one; unlike that of any other client, also of other runs.
    pub fn assign_client_id(&self) -> ByteString {
        let count = self.assigned.fetch_add(1, Ordering::Relaxed);
        format!(
            "auto-{:016x}{count:x}",
            scramble(self.seed ^ scramble(count))
        )
        .into()
    }

    /// Nobody waits for these messages any more, one recipient of each at least: as many as go at once, and the rest in turns of the
    /// timers. A crash in between leaves them to recovery, which sweeps what no session owns.
    pub fn abandon(&self, mut sequences: Vec<Sequence>) {
        let rest = sequences.split_off(sequences.len().min(ABANDONED_PER_LOCK));
        self.journal.abandon(sequences);
        if !rest.is_empty() {
            self.abandoned.lock().push(rest);
            self.timers.ensure(Monotonic(0), Timer::Abandoned);
        }
    }

    /// The next of them. Gives how many.
    pub fn abandon_more(&self) -> usize {
        let mut abandoned = self.abandoned.lock();
        let Some(last) = abandoned.last_mut() else {
            return 0;
        };
        let part = last.split_off(last.len().saturating_sub(ABANDONED_PER_LOCK));
        if last.is_empty() {
            abandoned.pop();
        }
        if !abandoned.is_empty() {
            self.timers.ensure(Monotonic(0), Timer::Abandoned);
        }
        drop(abandoned);
        let count = part.len();
        self.journal.abandon(part);
        count
    }

    /// Whether too much memory is in use for something that takes more of it for long; counted if so.
    pub fn lacks_memory(&self) -> bool {
        let is_short = self.is_short_of_memory.load(Ordering::Relaxed);
        if is_short {
            self.counters.limits.hit(Limit::MemoryBytesMax);
        }
        is_short
    }

    /// No more bytes than these may wait in memory for one session or group, whatever its own limit is.
    pub fn outgoing_bytes_ceiling(&self) -> usize {
        match self.is_short_of_memory.load(Ordering::Relaxed) {
            true => Limits::SCARCE_BYTES_MAX,
            false => usize::MAX,
        }
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.get().is_some()
    }

    /// Where clients are sent to when the server stops.
    pub fn server_reference(&self) -> Option<&ByteString> {
        self.stopping.get()?.as_ref()
    }
}

/// One round of SplitMix64: spreads a counter over all bits.
pub(crate) fn scramble(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
