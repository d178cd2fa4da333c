//! Snapshots among what waits, and their ends: in order with the rest, and no more of them than are wanted.

use std::collections::{HashSet, VecDeque};

use super::{End, Mail, Mailbox, Snapshot, State};
use crate::trim;

/// So many bytes of snapshots wait without a look at whether they are still wanted.
pub(super) const SNAPSHOT_BYTES: usize = 1024 * 1024;

impl Mailbox {
    /// Asks for the retained messages of a subscription, in order with what else is pushed.
    pub fn push_snapshot(&self, snapshot: Snapshot) {
        let mut state = self.state.lock();
        if state.spilling {
            state.owed.insert(snapshot.filter);
        } else {
            state.queue_snapshot(snapshot);
        }
        state.wake();
    }

    /// Asks to be told that the snapshots asked for before are out. Its owner sees to it that there are not too many.
    pub fn push_end(&self, end: End) {
        let mut state = self.state.lock();
        if state.spilling {
            state.ends.push(end);
        } else {
            state.queue.push_back(Mail::End(end));
        }
        state.wake();
    }
}

impl State {
    pub(super) fn queue_snapshot(&mut self, mut snapshot: Snapshot) {
        self.snapshot_bytes += snapshot.bytes();
        snapshot.number = self.changes.begin();
        trim::push(&mut self.queue, Mail::Snapshot(Box::new(snapshot)));
        if self.snapshot_bytes > self.snapshot_bytes_max {
            self.forget_replaced_snapshots();
        }
    }

    /// A client may subscribe to the same filter again and again: only its last snapshot is still wanted.
    fn forget_replaced_snapshots(&mut self) {
        let mut seen = HashSet::new();
        let mut kept = VecDeque::with_capacity(self.queue.len());
        while let Some(mail) = self.queue.pop_back() {
            if let Mail::Snapshot(snapshot) = &mail
                && !seen.insert(snapshot.filter.clone())
            {
                self.snapshot_bytes -= snapshot.bytes();
                continue;
            }
            kept.push_front(mail);
        }
        self.queue = kept;
        self.snapshot_bytes_max = SNAPSHOT_BYTES.max(2 * self.snapshot_bytes);
    }
}
