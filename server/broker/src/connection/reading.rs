//! Messages that are being read from the store for a client, and how many at a time.
//!
//! Few at first, for the client waits for them, and twice as many each time: to ask costs as much as some dozens of messages. Large messages
//! are asked for as many as one answer holds.

use ebbtide_protocol::PacketId;
use ebbtide_store::Sequence;

use crate::{journal::Ticket, route::group::Lease};

/// How much one answer may hold, but for its last message.
pub(super) const READ_BYTES_MAX: usize = 256 * 1024;
/// From a group: what one member has taken, the others cannot have.
pub(super) const LEASED_MAX: usize = 32;

/// How many numbers are taken from the mailbox at a time: with the last of them the session is live. What stands here counts in no mailbox.
/// More than come while they are read and the newest of them is committed.
pub(super) const UNREAD_MAX: usize = 1024;

const FIRST: usize = 32;
const MAX: usize = 512;

/// A question to the store.
#[derive(Debug)]
pub(super) struct Reading {
    /// They can be read once this is durable.
    pub after: Ticket,
    pub is_asked: bool,
    pub what: Read,
}

#[derive(Debug)]
pub(super) enum Read {
    Resend(Vec<(PacketId, Sequence)>),
    Spilled(Vec<Sequence>),
    /// All of one group.
    Leased(Vec<Lease>),
}

impl Read {
    pub fn len(&self) -> usize {
        match self {
            Self::Resend(flows) => flows.len(),
            Self::Spilled(sequences) => sequences.len(),
            Self::Leased(leases) => leases.len(),
        }
    }
}

/// How many messages the next question is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadCount(u16);

impl ReadCount {
    pub const FIRST: Self = Self(FIRST as u16);

    /// For the question that is asked now.
    pub fn take(&mut self) -> usize {
        let count = usize::from(self.0);
        self.set(2 * count);
        count
    }

    /// The answer held so many of those that were asked for.
    pub fn answered(&mut self, asked: usize, looked_at: usize) {
        if looked_at < asked {
            self.set(looked_at);
        }
    }

    fn set(&mut self, count: usize) {
        self.0 = count.clamp(1, MAX) as u16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_at_first_and_then_more() {
        let mut count = ReadCount::FIRST;
        let taken = [(); 6].map(|()| count.take());
        assert_eq!(taken, [32, 64, 128, 256, 512, 512]);
        count.answered(512, 512);
        assert_eq!(count.take(), 512);
    }

    #[test]
    fn large_ones_are_not_asked_for_in_vain() {
        let mut count = ReadCount::FIRST;
        count.take();
        count.answered(32, 4);
        assert_eq!((count.take(), count.take()), (4, 8));
        count.answered(8, 0);
        assert_eq!(count.take(), 1, "one has to be looked at");
    }
}
