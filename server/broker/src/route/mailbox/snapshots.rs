//! Snapshots among what waits, and their ends: in order with the rest, and no more of them than are wanted.

use std::collections::{BTreeSet, HashSet, VecDeque};

use ebbtide_protocol::TopicFilter;
use ebbtide_store::Revision;

use super::{End, Mail, Mailbox, Snapshot, State};
use crate::trim;

/// So many bytes of snapshots wait without a look at whether they are still wanted.
pub(super) const SNAPSHOT_BYTES: usize = 1024 * 1024;

/// Snapshots behind each other, made before any lock is taken: there may be one for each subscription.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    pub(super) mail: VecDeque<Mail>,
    bytes: usize,
}

impl FromIterator<Snapshot> for Snapshots {
    fn from_iter<T: IntoIterator<Item = Snapshot>>(snapshots: T) -> Self {
        let mut bytes = 0;
        let mail = snapshots.into_iter().map(|snapshot| {
            bytes += snapshot.bytes();
            Mail::Snapshot(Box::new(snapshot))
        });
        let mail = mail.collect();
        Self { mail, bytes }
    }
}

impl Snapshots {
    pub fn is_empty(&self) -> bool {
        self.mail.is_empty()
    }

    fn into_filters(self) -> BTreeSet<TopicFilter> {
        let filter = |mail| match mail {
            Mail::Snapshot(snapshot) => Some(snapshot.filter),
            _ => None,
        };
        self.mail.into_iter().filter_map(filter).collect()
    }
}

impl Mailbox {
    /// These have not come into the queue, and are owed still.
    pub fn owe(&self, snapshots: Snapshots) {
        // A publisher may wait for the lock, and all others for that one.
        let mut filters = snapshots.into_filters();
        self.state.lock().owed.append(&mut filters);
    }

    /// As [`Mailbox::push_snapshot`], one after the other, with this revision.
    pub fn push_snapshots(&self, snapshots: Snapshots, revision: Revision) {
        let mut state = self.state.lock();
        for mut mail in snapshots.mail {
            if state.spilling {
                state.owe(mail);
                continue;
            }
            if let Mail::Snapshot(snapshot) = &mut mail {
                state.snapshot_bytes += snapshot.bytes();
                (snapshot.revision, snapshot.number) = (revision, state.changes.begin());
            }
            state.queue.push_back(mail);
        }
        state.wake();
    }

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
    /// The queue, which is empty, begins with these, of different filters. Between them nothing can happen, so they share a number, and
    /// get it with the revision when they are taken out.
    pub(super) fn begin_with(&mut self, snapshots: Snapshots, revision: Revision) {
        if snapshots.is_empty() {
            return;
        }
        self.begun_revision = revision;
        self.begun_number = self.changes.begin();
        self.queue = snapshots.mail;
        self.snapshot_bytes = snapshots.bytes;
        // All of them are wanted.
        self.snapshot_bytes_max = self.snapshot_bytes_max.max(2 * snapshots.bytes);
    }

    fn queue_snapshot(&mut self, mut snapshot: Snapshot) {
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
