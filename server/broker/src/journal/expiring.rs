//! Messages that wait and have an end: once it has come they are taken off the disk, though nobody returns for them.
//!
//! Only they stand here; whoever sets no Message Expiry Interval pays nothing. A message that is in an exchange stays, for
//! what has a packet id does not expire any more. The numbers of those that are gone stay until each session and group is
//! done with them: when it is there, or when more comes for it (`sweep` in `route/overflow.rs`).

use std::{collections::BTreeSet, sync::atomic::Ordering};

use ebbtide_store::{Operation, Sequence, WallTime};

use super::Journal;
use crate::sequence_map::SequenceMap;

/// A connection goes by the time at which its turn began: it may still begin an exchange a moment after the end.
const GRACE_MS: u64 = 10_000;

/// When one that is in an exchange is looked at again.
const AGAIN_MS: u64 = 60_000;

/// How many go under one lock.
const CHUNK: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Expiring {
    messages: SequenceMap<Entry>,
    /// Those that have not expired, by when they are looked at.
    due: BTreeSet<(WallTime, Sequence)>,
}

#[derive(Debug)]
struct Entry {
    due: WallTime,
    /// How many have it under a packet id.
    exchanges: u32,
    has_expired: bool,
}

impl Expiring {
    pub fn insert(&mut self, sequence: Sequence, expires_at: WallTime) {
        let entry = Entry {
            due: due(expires_at),
            exchanges: 0,
            has_expired: false,
        };
        self.due.insert((entry.due, sequence));
        self.messages.insert(sequence, entry);
    }

    /// It gets a packet id.
    pub fn begin(&mut self, sequence: Sequence) {
        if let Some(entry) = self.messages.get_mut(sequence) {
            entry.exchanges += 1;
        }
    }

    /// One of its exchanges is over.
    pub fn end(&mut self, sequence: Sequence) {
        if let Some(entry) = self.messages.get_mut(sequence) {
            entry.exchanges = entry.exchanges.saturating_sub(1);
        }
    }

    /// Nobody waits for it any more. `true`: it had expired.
    pub fn remove(&mut self, sequence: Sequence) -> bool {
        let Some(entry) = self.messages.remove(sequence) else {
            return false;
        };
        self.due.remove(&(entry.due, sequence));
        entry.has_expired
    }

    pub fn has_expired(&self, sequence: Sequence) -> bool {
        let entry = self.messages.get(sequence);
        entry.is_some_and(|entry| entry.has_expired)
    }

    /// One whose end has come.
    fn take(&mut self, now: WallTime) -> Option<Sequence> {
        loop {
            let (at, sequence) = *self.due.first()?;
            if at > now {
                return None;
            }
            self.due.pop_first();
            let Some(entry) = self.messages.get_mut(sequence) else {
                continue;
            };
            if entry.exchanges == 0 {
                entry.has_expired = true;
                return Some(sequence);
            }
            entry.due = WallTime(now.0.saturating_add(AGAIN_MS));
            self.due.insert((entry.due, sequence));
        }
    }
}

impl Journal {
    /// Takes off the disk what has expired, not all at once if it is much. It no longer counts as waiting. Gives how
    /// many.
    pub(crate) fn expire(&self, now: WallTime) -> usize {
        let mut state = self.state.lock();
        for count in 0..CHUNK {
            let Some(sequence) = state.expiring.take(now) else {
                return count;
            };
            let Some(message) = state.messages.get(sequence) else {
                continue;
            };
            let accepted = message.accepted;
            self.expired_messages.fetch_add(1, Ordering::Relaxed);
            self.waiting_messages.fetch_sub(1, Ordering::Relaxed);
            self.waiting_bytes
                .fetch_sub(message.bytes.into(), Ordering::Relaxed);
            if accepted.0 > state.taken {
                state.unneeded.insert(sequence);
            } else {
                state.enqueue(Operation::RemoveMessage(sequence));
            }
        }
        CHUNK
    }

    /// Whether the number of any message that has expired still stands in a queue.
    pub(crate) fn has_any_expired(&self) -> bool {
        self.expired_messages.load(Ordering::Relaxed) > 0
    }

    /// Whether the message has been taken off the disk because it has expired.
    pub(crate) fn has_expired(&self, sequence: Sequence) -> bool {
        self.state.lock().expiring.has_expired(sequence)
    }

    /// The session that has them under way ends.
    pub(crate) fn end_exchanges(&self, sequences: &[Sequence]) {
        let mut state = self.state.lock();
        for sequence in sequences {
            state.expiring.end(*sequence);
        }
    }

    /// When [`Journal::expire`] has something to do.
    pub(crate) fn next_expiry(&self) -> Option<WallTime> {
        let state = self.state.lock();
        state.expiring.due.first().map(|(due, _)| *due)
    }

    /// A message that was on disk at start has an end.
    pub(crate) fn recovered_expiry(&self, sequence: Sequence, expires_at: WallTime) {
        self.state.lock().expiring.insert(sequence, expires_at);
    }

    /// An exchange that was under way at start.
    pub(crate) fn recovered_exchange(&self, sequence: Sequence) {
        self.state.lock().expiring.begin(sequence);
    }
}

/// When a message is looked at that has this end.
pub(crate) fn due(expires_at: WallTime) -> WallTime {
    WallTime(expires_at.0.saturating_add(GRACE_MS))
}
