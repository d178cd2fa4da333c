//! The queue of operations on their way to the store, and which of them have arrived.
//!
//! Every operation has a [`Ticket`], its place in one order. The writer takes all that waits, commits it, and reports
//! the last ticket; a reply that stands for an operation leaves when its ticket is durable (`durability`).
//! A message that every recipient is done with before it was taken is not written at all; nothing else is ever left
//! out.

pub(crate) mod expiring;
mod measure;
mod needed;

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    task::Waker,
};

use ebbtide_protocol::PacketId;
use ebbtide_store::{DroppedRow, Incarnation, Operation, Sequence};
use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHashSet};

use self::{
    expiring::Expiring,
    measure::{queue_of, size_of},
    needed::is_needed,
};
use crate::{
    room::{NoRoom, Room},
    sequence_map::SequenceMap,
};

/// As many operations as an emptied batch may have had for its memory to be used again.
const SPARE_OPERATIONS_MAX: usize = 16 * 1024;

/// The place of an operation in the journal; later is greater. Zero is durable from the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// Operations to be committed together, in this order.
#[derive(Debug)]
pub struct Batch {
    /// Empty when all that was queued has proved unnecessary: then there is nothing to commit, but the batch still has
    /// to be reported.
    pub operations: Vec<Operation>,
    /// The last ticket in it.
    pub last: Ticket,
    /// Bytes of memory that they held when they were queued, roughly.
    bytes: usize,
}

/// The queue between the core and the writer.
#[derive(Debug, Default)]
pub struct Journal {
    state: Mutex<State>,
    durable: AtomicU64,
    room: Room,
    /// Of `State::queue`, to be read without the lock.
    queue_bytes: AtomicUsize,
    /// Of what the writer has taken and not reported.
    taken_bytes: AtomicUsize,
    /// The writer takes its time as long as nobody waits.
    paced: AtomicBool,
    /// Of `State::messages`, to be read without the lock.
    waiting_messages: AtomicUsize,
    waiting_bytes: AtomicU64,
    /// Messages that have expired, and whose numbers still stand in a queue.
    expired_messages: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    queue: Vec<Operation>,
    /// Empty, with memory: the next queue.
    spare: Vec<Operation>,
    last: u64,
    /// The last ticket that the writer has taken.
    taken: u64,
    writer: Option<Waker>,
    /// Who wants to know when a ticket is durable.
    waiting: Vec<(Ticket, Waker)>,
    /// Messages that somebody waits for.
    messages: SequenceMap<Waiting>,
    /// Those of them that have an end.
    expiring: Expiring,
    /// Messages in `queue` that nobody waits for any more.
    unneeded: FxHashSet<Sequence>,
    /// What sessions have lost, as it is now; `None`: they have been told. Written once per batch, however much is lost.
    dropped: FxHashMap<Incarnation, Option<DroppedRow>>,
}

#[derive(Debug)]
struct Waiting {
    recipients: NonZeroU32,
    /// Of topic, payload and properties.
    bytes: u32,
    /// Of its `Accept`; zero if it was on disk at start.
    accepted: Ticket,
}

impl Journal {
    /// Who is woken when a batch waits.
    pub fn set_waker(&self, waker: Waker) {
        let mut state = self.state.lock();
        if !state.queue.is_empty() || !state.dropped.is_empty() {
            waker.wake_by_ref();
        }
        state.writer = Some(waker);
    }

    /// The writer takes its time as long as nobody waits for a commit: wake it when somebody does.
    pub fn set_paced(&self) {
        self.paced.store(true, Ordering::Release);
    }

    /// Whether somebody waits for a commit.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        !self.state.lock().waiting.is_empty()
    }

    /// Everything that waits, as one batch; `None` when nothing does.
    pub fn take(&self) -> Option<Batch> {
        let mut state = self.state.lock();
        if state.queue.is_empty() && state.dropped.is_empty() {
            return None;
        }
        let spare = std::mem::take(&mut state.spare);
        let mut operations = std::mem::replace(&mut state.queue, spare);
        let dropped = std::mem::take(&mut state.dropped);
        let bytes = self.queue_bytes.swap(0, Ordering::Relaxed);
        self.taken_bytes.fetch_add(bytes, Ordering::Relaxed);
        let unneeded = std::mem::take(&mut state.unneeded);
        state.taken = state.last;
        let last = Ticket(state.last);
        drop(state);
        if !unneeded.is_empty() {
            operations.retain_mut(|operation| is_needed(operation, &unneeded));
        }
        operations.extend(dropped.into_iter().map(|(session, row)| match row {
            Some(row) => Operation::PutDropped(row),
            None => Operation::RemoveDropped(session),
        }));
        Some(Batch {
            operations,
            last,
            bytes,
        })
    }

    /// As [`Journal::committed`], for a batch that nobody needs any more. Its operations are dropped before anybody is woken: the
    /// connection that a message came from then has the last hold on it, and memory goes back for less in the thread that took
    /// it than in the writer ([`crate::route::Published::message`]).
    pub fn finish(&self, mut batch: Batch) {
        let mut spare = std::mem::take(&mut batch.operations);
        spare.clear();
        if spare.capacity() <= SPARE_OPERATIONS_MAX {
            self.state.lock().spare = spare;
        }
        self.committed(&batch);
    }

    /// The batch is durable: the replies that wait for it may leave. Batches are reported in the order they were taken.
    pub fn committed(&self, batch: &Batch) {
        self.durable.fetch_max(batch.last.0, Ordering::AcqRel);
        self.taken_bytes.fetch_sub(batch.bytes, Ordering::Relaxed);
        let mut state = self.state.lock();
        let (ready, later): (Vec<_>, Vec<_>) = std::mem::take(&mut state.waiting)
            .into_iter()
            .partition(|(ticket, _)| *ticket <= batch.last);
        state.waiting = later;
        drop(state);
        for (_, waker) in ready {
            waker.wake();
        }
    }

    /// A commit failed. Whether its batch is on disk is unknown, so nobody is kept waiting for it: connections that wait are
    /// closed without an acknowledgement, and everything that needs the disk is refused. The writer opens the store again,
    /// commits the same batch once more, which does no harm if it is there already, and reports [`Journal::healed`].
    pub fn failed(&self) {
        self.room.set_failed(true);
        // They stay: the store may have healed before they have looked, and then they wait on.
        let waiting = self.state.lock().waiting.clone();
        for (_, waker) in waiting {
            waker.wake();
        }
    }

    /// The store is in use again, with the batch that had failed.
    pub fn healed(&self) {
        self.room.set_failed(false);
    }

    /// How many bytes more the disk has room for; at the start it has no limit.
    pub fn set_room_bytes(&self, bytes: u64) {
        self.room.set_bytes(bytes);
    }

    /// Why what has to be kept is not taken in now; `None`: it is.
    #[must_use]
    pub fn no_room(&self) -> Option<NoRoom> {
        self.room.hindrance(|| {
            let taken_bytes = self.taken_bytes.load(Ordering::Relaxed);
            self.queue_bytes() + taken_bytes
        })
    }

    /// Whether a commit has failed and the store is not in use again.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.room.has_failed()
    }

    /// Whether everything up to the ticket has been committed.
    #[must_use]
    pub fn is_durable(&self, ticket: Ticket) -> bool {
        ticket.0 <= self.durable.load(Ordering::Acquire)
    }

    /// Bytes of operations that the writer has not taken yet, roughly.
    #[must_use]
    pub fn queue_bytes(&self) -> usize {
        self.queue_bytes.load(Ordering::Relaxed)
    }

    /// Messages that somebody waits for.
    #[must_use]
    pub fn waiting_messages(&self) -> usize {
        self.waiting_messages.load(Ordering::Relaxed)
    }

    /// Bytes of topics, payloads and properties of messages that somebody waits for.
    #[must_use]
    pub fn waiting_bytes(&self) -> u64 {
        self.waiting_bytes.load(Ordering::Relaxed)
    }

    /// Bytes of topics, payloads and properties of these messages, of those that somebody waits for.
    pub(crate) fn bytes_of(&self, sequences: &[Sequence]) -> u64 {
        let state = self.state.lock();
        let found = sequences
            .iter()
            .filter_map(|sequence| state.messages.get(*sequence));
        found.map(|message| u64::from(message.bytes)).sum()
    }

    /// Whether more than one session or group waits for the message.
    pub(crate) fn is_shared(&self, sequence: Sequence) -> bool {
        let state = self.state.lock();
        let message = state.messages.get(sequence);
        message.is_some_and(|message| message.recipients.get() > 1)
    }

    /// When all of these messages are on disk, of those that somebody waits for.
    pub(crate) fn ticket_of(&self, sequences: impl IntoIterator<Item = Sequence>) -> Ticket {
        let state = self.state.lock();
        let found = sequences
            .into_iter()
            .filter_map(|sequence| state.messages.get(sequence));
        found
            .map(|message| message.accepted)
            .max()
            .unwrap_or_default()
    }

    /// What a session has lost has changed; `None`: it has been told.
    pub(crate) fn note_dropped(&self, session: Incarnation, row: Option<DroppedRow>) {
        let mut state = self.state.lock();
        state.dropped.insert(session, row);
        state.wake_writer();
    }

    /// The ticket of the newest operation.
    #[must_use]
    pub fn last(&self) -> Ticket {
        Ticket(self.state.lock().last)
    }

    /// Wakes when the ticket is durable, and whenever a commit has failed before.
    pub fn wake_when_durable(&self, ticket: Ticket, waker: &Waker) {
        let mut state = self.state.lock();
        // Under the lock: `committed` raises `durable`, and `failed` breaks the journal, before they look at who waits.
        if self.is_durable(ticket) {
            return waker.wake_by_ref();
        }
        state.waiting.push((ticket, waker.clone()));
        if self.is_broken() {
            waker.wake_by_ref();
        } else if self.paced.load(Ordering::Acquire) {
            state.wake_writer();
        }
    }

    /// Queues one operation.
    pub(crate) fn submit(&self, operation: Operation) -> Ticket {
        self.submit_all([operation])
    }

    /// Queues operations one after the other; the ticket is the last one's.
    pub(crate) fn submit_all(&self, operations: impl IntoIterator<Item = Operation>) -> Ticket {
        let mut state = self.state.lock();
        for operation in operations {
            self.push(&mut state, operation);
        }
        Ticket(state.last)
    }

    /// Operations hold a recipient set from now on that others have hold of, too.
    pub(crate) fn hold(&self, bytes: usize) {
        self.queue_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Queues it and counts what it holds.
    fn push(&self, state: &mut State, operation: Operation) {
        self.queue_bytes
            .fetch_add(size_of(&operation), Ordering::Relaxed);
        if let Some(bytes) = state.enqueue(operation) {
            self.waiting_messages.fetch_add(1, Ordering::Relaxed);
            self.waiting_bytes
                .fetch_add(bytes.into(), Ordering::Relaxed);
        }
    }

    /// Queues `move_shared`, by which a member takes the message `sequence` from its group; removes the message if nobody else
    /// waits for it.
    pub(crate) fn moved(&self, sequence: Sequence, move_shared: Operation) -> Ticket {
        let mut state = self.state.lock();
        self.push(&mut state, move_shared);
        let ticket = Ticket(state.last);
        if matches!(self.forget(&mut state, sequence), Forgotten::Last) {
            state.enqueue(Operation::RemoveMessage(sequence));
        }
        ticket
    }

    /// The session is done with a message. Not waited for by anybody: losing it costs a repetition at QoS 1.
    pub(crate) fn done(
        &self,
        session: Incarnation,
        sequence: Sequence,
        packet_id: Option<PacketId>,
        cursor: Sequence,
    ) -> Ticket {
        let mut state = self.state.lock();
        if packet_id.is_some() {
            state.expiring.end(sequence);
        }
        match self.forget(&mut state, sequence) {
            Forgotten::NeverWritten | Forgotten::Expired => {}
            Forgotten::Last => {
                state.enqueue(Operation::Done {
                    session,
                    sequence,
                    packet_id,
                    cursor,
                });
                state.enqueue(Operation::RemoveMessage(sequence));
            }
            Forgotten::OthersWait => {
                state.enqueue(Operation::Done {
                    session,
                    sequence,
                    packet_id,
                    cursor,
                });
            }
        }
        Ticket(state.last)
    }

    /// A session is removed that waited for these messages.
    pub(crate) fn abandon(&self, sequences: impl IntoIterator<Item = Sequence>) {
        let mut state = self.state.lock();
        for sequence in sequences {
            if matches!(self.forget(&mut state, sequence), Forgotten::Last) {
                state.enqueue(Operation::RemoveMessage(sequence));
            }
        }
    }

    /// A message that was on disk at start.
    pub(crate) fn recovered(&self, sequence: Sequence, recipients: usize, bytes: u64) {
        self.waiting_messages.fetch_add(1, Ordering::Relaxed);
        self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        let message = Waiting {
            recipients: count(recipients),
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
            accepted: Ticket(0),
        };
        self.state.lock().messages.insert(sequence, message);
    }

    /// One recipient less.
    fn forget(&self, state: &mut State, sequence: Sequence) -> Forgotten {
        let Some(message) = state.messages.get_mut(sequence) else {
            // Its last recipient was somebody whom recovery has swept.
            return Forgotten::Last;
        };
        if let Some(others) = NonZeroU32::new(message.recipients.get() - 1) {
            message.recipients = others;
            return match state.expiring.has_expired(sequence) {
                true => Forgotten::Expired,
                false => Forgotten::OthersWait,
            };
        }
        let (accepted, bytes) = (message.accepted, message.bytes);
        state.messages.remove(sequence);
        if state.expiring.remove(sequence) {
            self.expired_messages.fetch_sub(1, Ordering::Relaxed);
            return Forgotten::Expired;
        }
        self.waiting_messages.fetch_sub(1, Ordering::Relaxed);
        self.waiting_bytes
            .fetch_sub(bytes.into(), Ordering::Relaxed);
        if accepted.0 > state.taken {
            state.unneeded.insert(sequence);
            Forgotten::NeverWritten
        } else {
            Forgotten::Last
        }
    }
}

enum Forgotten {
    /// It had not been taken, and nobody waits: it will not be written.
    NeverWritten,
    /// It has been taken off the disk before.
    Expired,
    /// It is (about to be) on disk, and nobody waits any more.
    Last,
    OthersWait,
}

impl State {
    /// Gives the bytes of a message that somebody waits for from now on.
    ///
    /// What the journal queues by itself, `Done` and `RemoveMessage`, comes here without being counted in `queue_bytes`: it
    /// holds no message, makes the store smaller, and is taken however full the disk is.
    fn enqueue(&mut self, operation: Operation) -> Option<u32> {
        let message = queue_of(&operation).map(|queue| {
            let message = Waiting {
                recipients: count(queue.recipients.len()),
                bytes: u32::try_from(queue.message.content_bytes()).unwrap_or(u32::MAX),
                accepted: Ticket(self.last + 1),
            };
            let bytes = message.bytes;
            self.messages.insert(queue.sequence, message);
            if let Some(expires_at) = queue.message.expires_at() {
                self.expiring.insert(queue.sequence, expires_at);
            }
            bytes
        });
        match &operation {
            Operation::RemoveSession(session) => {
                self.dropped.remove(session);
            }
            Operation::Sent { sequence, .. } => self.expiring.begin(*sequence),
            Operation::MoveShared { copy, .. } => self.expiring.begin(copy.sequence),
            _ => {}
        }
        self.last += 1;
        self.queue.push(operation);
        if self.queue.len() == 1 {
            self.wake_writer();
        }
        message
    }

    fn wake_writer(&self) {
        if let Some(writer) = &self.writer {
            writer.wake_by_ref();
        }
    }
}

/// How many wait: nobody queues a message for no one.
fn count(recipients: usize) -> NonZeroU32 {
    u32::try_from(recipients)
        .ok()
        .and_then(NonZeroU32::new)
        .unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
mod tests;
