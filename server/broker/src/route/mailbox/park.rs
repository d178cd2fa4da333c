//! A mailbox without an owner: its connection has gone, its session has come from the store, or has ended.

use std::collections::VecDeque;

use ebbtide_protocol::TopicFilter;
use ebbtide_store::Sequence;

use super::{Mail, Mailbox, State};

impl Mailbox {
    /// The connection has gone: keeps only numbers, and gives how many messages in the queue have none and are lost. `unsent` and, behind
    /// them, `unread`, of so many bytes, had been taken out and were not sent; `in_flight` is the lowest number of an exchange that is
    /// still under way.
    pub fn park(
        &self,
        unsent: impl IntoIterator<Item = Mail>,
        unread: Vec<Sequence>,
        unread_bytes: u64,
        in_flight: Option<Sequence>,
    ) -> usize {
        let mut state = self.state.lock();
        state.in_flight = in_flight;
        state.waker = None;
        state.woken = false;
        state.spilling = true;
        state.crowding.clear();
        let queued: Vec<Mail> = state.queue.drain(..).collect();
        state.queue = VecDeque::new();
        let unkept = queued.iter().filter(|mail| mail.is_unkept()).count();
        (state.queue_bytes, state.queue_kept) = (0, 0);
        state.snapshot_bytes = 0;
        state.changes.end();
        state.ends = Vec::new();
        state.kept_bytes += unread_bytes;
        let mut numbers = Vec::new();
        for mail in unsent {
            state.kept_bytes += mail.kept_bytes();
            numbers.extend(mail.sequence());
            state.owe(mail);
        }
        numbers.extend(unread);
        for mail in queued {
            numbers.extend(mail.sequence());
            state.owe(mail);
        }
        // Messages made from a snapshot have later numbers than live ones that wait behind them.
        let (last, next) = (numbers.last().copied(), state.spilled.front());
        let is_sorted = numbers.is_sorted() && (next.is_none() || last <= next);
        state.is_sorted = is_sorted && (state.is_sorted || state.spilled.is_empty());
        // What has spilled stays where it is: it may be much.
        for sequence in numbers.into_iter().rev() {
            state.spilled.push_front(sequence);
        }
        unkept
    }

    /// Whether nobody empties it.
    pub fn is_away(&self) -> bool {
        self.state.lock().waker.is_none()
    }

    /// The lowest number of an exchange that is under way, while the session is away.
    pub fn set_in_flight(&self, lowest: Option<Sequence>) {
        self.state.lock().in_flight = lowest;
    }

    /// Numbers recovered at start, ascending, with the bytes of their messages.
    pub fn recover(&self, sequence: Sequence, bytes: u64) {
        let mut state = self.state.lock();
        state.spilling = true;
        state.kept_bytes += bytes;
        state.spilled.push_back(sequence);
    }

    /// A snapshot that was still owed at start.
    pub fn recover_owed(&self, filter: TopicFilter) {
        let mut state = self.state.lock();
        state.spilling = true;
        state.owed.insert(filter);
    }

    /// The subscription has ended, and what it was owed with it.
    pub fn forget_owed(&self, filter: &TopicFilter) {
        self.state.lock().owed.remove(filter);
    }

    /// The session ends: everything that still waits for it.
    pub fn drain(&self) -> Vec<Sequence> {
        let mut state = self.state.lock();
        let mut numbers: Vec<Sequence> = state
            .queue
            .drain(..)
            .filter_map(|mail| mail.sequence())
            .collect();
        numbers.extend(std::mem::take(&mut state.spilled).iter_from(0));
        (state.queue_kept, state.kept_bytes) = (0, 0);
        state.crowding.clear();
        numbers
    }
}

impl State {
    /// A snapshot that has not come to its end begins anew.
    pub(super) fn owe(&mut self, mail: Mail) {
        if let Mail::Snapshot(snapshot) = mail {
            self.owed.insert(snapshot.filter);
        }
    }
}
