//! The way from publishers to one session: a queue that any thread may push to and only the session's owner empties.
//!
//! While the owner keeps up, messages wait in memory. Once it is away, or has more than its bytes waiting, a kept
//! session's mailbox *spills*: only sequence numbers are noted and the content is read from the store later. It ends with the last number
//! that the owner takes. What waits is always in the order it was pushed: `queue` before `spilled`. A mailbox never blocks whoever
//! pushes.

mod catch_up;
mod changes;
mod held;
mod look;
mod numbers;
mod park;
mod snapshots;

use std::{
    collections::{BTreeSet, VecDeque},
    sync::atomic::AtomicU32,
    task::Waker,
};

use ebbtide_protocol::{ByteString, QoS, TopicFilter};
use ebbtide_store::{Incarnation, Revision, Sequence};
use parking_lot::Mutex;

use self::{changes::Changes, held::Held, look::Gauges, snapshots::SNAPSHOT_BYTES};
pub(crate) use self::{look::Unsent, numbers::Numbers, snapshots::Snapshots};
use super::{
    crowding::Crowding,
    group::{Group, Lease},
    losses::Losses,
};
pub(crate) use super::{
    mail::{Delivery, Mail, take_leases},
    snapshot::{End, Snapshot},
};
use crate::{
    Fate, Limits, Monotonic,
    fates::{Fates, TopicKey},
    trim,
};

/// What becomes of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    Queued,
    /// And more waits than should: its publisher is to be read no further, until then at the latest.
    Crowded(Monotonic),
    /// Dropped: QoS 0 for a session that is away or behind.
    DroppedQoS0,
    /// A transient session has too much waiting: its connection ends (0x97).
    Overflow,
}

/// What a push comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub pushed: Pushed,
    /// More is kept now than may be, see [`Mailbox::pop_above`].
    pub is_above: bool,
}

#[derive(Debug)]
pub(crate) struct Mailbox {
    pub session: Incarnation,
    /// Whose session it is, for the log.
    pub client_id: ByteString,
    /// The store keeps messages for this session.
    pub kept: bool,
    /// What it lost and does not know of.
    pub losses: Losses,
    pub gauges: Gauges,
    /// What its connection has of groups.
    pub held: Held,
    /// In how many groups it is.
    pub groups: AtomicU32,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    queue: VecDeque<Mail>,
    queue_bytes: usize,
    /// Of the snapshots in `queue`, and with how many those that are no longer wanted are looked for.
    snapshot_bytes: usize,
    snapshot_bytes_max: usize,
    /// Revision and number of those that came when the session went live, and have no number.
    begun_revision: Revision,
    begun_number: u32,
    changes: Changes,
    /// Messages of groups: in no order with the rest, and never spilled, for the group keeps them.
    leased: Option<Box<Leased>>,
    spilled: Numbers,
    /// How many in `queue` the store keeps for this session.
    queue_kept: usize,
    /// Topics and payloads of what is kept, in `queue` and `spilled`.
    kept_bytes: u64,
    /// Whether `spilled` ascends; it does but for the rest of an interrupted snapshot.
    is_sorted: bool,
    spilling: bool,
    /// Snapshots that were asked for while spilling: they are queued when the last that has spilled is taken.
    owed: BTreeSet<TopicFilter>,
    /// The ends that were asked for meanwhile: behind those. They go with the connection.
    ends: Vec<End>,
    overflowed: bool,
    /// Of the owner; `None` while the session is away.
    waker: Option<Waker>,
    /// The lowest number of the session's exchanges, while it is away.
    in_flight: Option<Sequence>,
    /// The owner has been woken and has not looked yet.
    woken: bool,
    bytes_max: usize,
    crowding: Crowding,
    /// What became of messages that got no further than here.
    fates: Fates,
}

/// Most sessions share nothing.
#[derive(Debug, Default)]
struct Leased(VecDeque<Mail>);

/// Each session keeps one, with two counts before it. Allocators have sizes: one byte more than this, and all of them take a seventh more.
const _: () = assert!(size_of::<Mailbox>() <= 448 - 2 * size_of::<usize>());

impl Mailbox {
    pub fn new(session: Incarnation, client_id: ByteString, kept: bool, limits: &Limits) -> Self {
        let state = State {
            queue: VecDeque::new(),
            queue_bytes: 0,
            snapshot_bytes: 0,
            snapshot_bytes_max: SNAPSHOT_BYTES,
            begun_revision: Revision(0),
            begun_number: 0,
            changes: Changes::default(),
            leased: None,
            spilled: Numbers::default(),
            queue_kept: 0,
            kept_bytes: 0,
            is_sorted: true,
            spilling: false,
            owed: BTreeSet::new(),
            ends: Vec::new(),
            overflowed: false,
            waker: None,
            in_flight: None,
            woken: false,
            bytes_max: limits.outgoing_bytes_max,
            crowding: Crowding::new(limits),
            fates: Fates::default(),
        };
        Self {
            session,
            client_id,
            kept,
            losses: Losses::default(),
            gauges: Gauges::default(),
            held: Held::default(),
            groups: AtomicU32::new(0),
            state: Mutex::new(state),
        }
    }

    /// Whether one message more, of so many bytes, may wait.
    pub fn has_room(&self, bytes: u64, limits: &Limits) -> bool {
        let state = self.state.lock();
        state.waiting() < limits.queue_messages_per_session_max
            && state.kept_bytes + bytes <= limits.queue_bytes_per_session_max
    }

    /// Takes out what has waited longest if more waits than may; `false`: no more does. `size_of` knows the bytes of a number;
    /// `done` is told the number that was taken out, and one below which the session waits for nothing.
    pub fn pop_above(
        &self,
        limits: &Limits,
        size_of: impl Fn(Sequence) -> u64,
        done: impl FnOnce(Sequence, Sequence, TopicKey),
    ) -> bool {
        let mut state = self.state.lock();
        state.is_above(limits) && state.pop_oldest(size_of, done)
    }

    /// As [`Mailbox::pop_above`], if what has waited longest has expired.
    pub fn pop_expired(
        &self,
        has_expired: impl Fn(Sequence) -> bool,
        size_of: impl Fn(Sequence) -> u64,
        done: impl FnOnce(Sequence, Sequence, TopicKey),
    ) -> bool {
        let mut state = self.state.lock();
        let queued = state.queue.iter().find_map(Mail::sequence);
        let oldest = queued.or_else(|| state.spilled.front());
        oldest.is_some_and(has_expired) && state.pop_oldest(size_of, done)
    }

    /// How many messages wait, and their bytes.
    pub fn waiting(&self) -> (usize, u64) {
        let state = self.state.lock();
        (state.waiting(), state.kept_bytes)
    }

    /// `limits`: of what the store keeps, if it keeps this. `ceiling`: of what waits in memory, see [`Shared::outgoing_bytes_ceiling`].
    ///
    /// [`Shared::outgoing_bytes_ceiling`]: crate::shared::Shared::outgoing_bytes_ceiling
    pub fn push(
        &self,
        delivery: Delivery,
        limits: Option<&Limits>,
        ceiling: usize,
        now: Monotonic,
    ) -> Outcome {
        let mut state = self.state.lock();
        let pushed = state.push(delivery, self.kept, ceiling, now);
        Outcome {
            pushed,
            is_above: limits.is_some_and(|limits| state.is_above(limits)),
        }
    }

    /// A message of a group, and the memory that it takes. The group sees to it that there are not too many.
    pub fn push_leased(&self, mail: Mail, bytes: usize) {
        self.held.add(bytes);
        let mut state = self.state.lock();
        state.leased.get_or_insert_default().0.push_back(mail);
        state.wake();
    }

    /// Moves messages of groups into `into`, up to so many.
    pub fn take_leased(&self, into: &mut VecDeque<Mail>, max: usize) {
        let mut state = self.state.lock();
        if let Some(leased) = &mut state.leased {
            let count = leased.0.len().min(max);
            into.extend(leased.0.drain(..count));
        }
    }

    /// What its connection did not take of such groups.
    pub fn drain_leased(&self, is_of: impl Fn(&Group) -> bool) -> Vec<Lease> {
        let mut state = self.state.lock();
        let leased = state.leased.as_mut();
        leased.map_or_else(Vec::new, |leased| take_leases(&mut leased.0, is_of))
    }

    /// Nothing waits here.
    pub fn is_idle(&self) -> bool {
        let state = self.state.lock();
        let has_leased = state
            .leased
            .as_ref()
            .is_some_and(|leased| !leased.0.is_empty());
        !state.spilling && state.queue.is_empty() && !has_leased
    }

    /// From now on this connection is woken. What has waited while the session was away is still spilled.
    pub fn attach(&self, waker: Waker, limits: &Limits) {
        let mut state = self.state.lock();
        state.waker = Some(waker);
        state.bytes_max = limits.outgoing_bytes_max;
        state.crowding.set_limits(limits);
    }

    /// The owner looks: whatever is pushed from now on wakes it again.
    pub fn looked(&self) -> bool {
        let mut state = self.state.lock();
        state.woken = false;
        state.overflowed
    }

    /// Moves queued mail into `into`, which has no snapshots in it any more, up to so many.
    pub fn take_queue(&self, into: &mut VecDeque<Mail>, max: usize) {
        let mut state = self.state.lock();
        if state.snapshot_bytes == 0 {
            state.changes.end();
        }
        for _ in 0..max {
            let Some(mut mail) = state.queue.pop_front() else {
                break;
            };
            match &mut mail {
                Mail::Message(delivery) => state.taken(delivery),
                Mail::Snapshot(snapshot) => {
                    state.snapshot_bytes -= snapshot.bytes();
                    if snapshot.number == 0 {
                        snapshot.revision = state.begun_revision;
                        snapshot.number = state.begun_number;
                    }
                }
                Mail::Resend(..) | Mail::Unread(_) | Mail::End(_) => {}
            }
            trim::push(into, mail);
        }
        if state.queue.is_empty() && state.queue.capacity() > 64 {
            state.queue = VecDeque::new();
        }
        let left = state.queue_bytes;
        state.crowding.taken(left);
    }

    /// See [`Crowding`].
    pub fn with_crowding<T>(&self, look: impl FnOnce(&mut Crowding) -> T) -> T {
        look(&mut self.state.lock().crowding)
    }

    /// The lowest number that waits here.
    pub fn lowest(&self) -> Option<Sequence> {
        self.state.lock().lowest()
    }
}

impl State {
    fn push(
        &mut self,
        delivery: Delivery,
        is_kept: bool,
        ceiling: usize,
        now: Monotonic,
    ) -> Pushed {
        self.kept_bytes += delivery.kept_bytes();
        let is_full = self.queue_bytes > self.bytes_max.min(ceiling);
        if is_kept && !self.spilling && is_full {
            self.spilling = true;
        }
        if self.spilling {
            let Some(sequence) = delivery.sequence else {
                let fate = match self.waker {
                    Some(_) => Fate::QoS0Behind,
                    None => Fate::QoS0Away,
                };
                self.lost(&delivery, fate);
                return Pushed::DroppedQoS0;
            };
            // What was out of order may have left.
            self.is_sorted |= self.spilled.is_empty();
            self.spilled.push_back(sequence);
        } else {
            if !is_kept && is_full {
                if delivery.qos == QoS::AtMostOnce {
                    self.lost(&delivery, Fate::QoS0Behind);
                    return Pushed::DroppedQoS0;
                }
                self.lost(&delivery, Fate::Overflow);
                self.overflowed = true;
                self.wake();
                return Pushed::Overflow;
            }
            self.queue_bytes += delivery.bytes();
            self.queue_kept += usize::from(delivery.sequence.is_some());
            trim::push(&mut self.queue, Mail::Message(delivery));
        }
        self.wake();
        match self.crowded(ceiling, now) {
            Some(until) => Pushed::Crowded(until),
            None => Pushed::Queued,
        }
    }

    /// What the store keeps for this session and waits here.
    fn waiting(&self) -> usize {
        self.queue_kept + self.spilled.len()
    }

    fn is_above(&self, limits: &Limits) -> bool {
        self.waiting() > limits.queue_messages_per_session_max
            || self.kept_bytes > limits.queue_bytes_per_session_max
    }

    /// See [`Mailbox::pop_above`].
    fn pop_oldest(
        &mut self,
        size_of: impl Fn(Sequence) -> u64,
        done: impl FnOnce(Sequence, Sequence, TopicKey),
    ) -> bool {
        let position = self.queue.iter().position(|mail| mail.sequence().is_some());
        let mut topic = TopicKey::UNKNOWN;
        let sequence = match position.and_then(|at| self.queue.remove(at)) {
            Some(Mail::Message(delivery)) => {
                self.taken(&delivery);
                topic = TopicKey::of(&delivery.message.topic);
                delivery.sequence
            }
            _ => {
                let sequence = self.spilled.pop_front();
                let bytes = sequence.map_or(0, size_of);
                self.kept_bytes = self.kept_bytes.saturating_sub(bytes);
                sequence
            }
        };
        debug_assert!(sequence.is_some(), "what waits can be taken out");
        if let Some(sequence) = sequence {
            done(sequence, self.cursor(sequence), topic);
        }
        sequence.is_some()
    }

    fn lowest(&self) -> Option<Sequence> {
        let queued = self.queue.iter().filter_map(Mail::sequence).min();
        let spilled = match self.is_sorted {
            true => self.spilled.front(),
            false => self.spilled.min(),
        };
        queued.into_iter().chain(spilled).min()
    }

    /// Who spills does not fill the memory, and who is away empties nothing.
    fn crowded(&mut self, ceiling: usize, now: Monotonic) -> Option<Monotonic> {
        if self.spilling || self.waker.is_none() {
            return None;
        }
        self.crowding.pushed(self.queue_bytes, ceiling, now)
    }

    /// Below it the session waits for nothing, as far as can be told here: `done` has been taken out just now. An owner alone
    /// knows what it holds, and to look through all that waits is too much.
    fn cursor(&self, done: Sequence) -> Sequence {
        if self.waker.is_some() || !self.is_sorted {
            return Sequence(0);
        }
        let open = self.lowest().into_iter().chain(self.in_flight).min();
        open.unwrap_or(done.next())
    }

    /// It is not taken in.
    fn lost(&mut self, delivery: &Delivery, fate: Fate) {
        let message = &delivery.message;
        let topic = TopicKey::of(&message.topic);
        self.fates.note(topic, fate, message.accepted_at);
    }

    /// It is no longer in `queue`.
    fn taken(&mut self, delivery: &Delivery) {
        self.queue_bytes -= delivery.bytes();
        self.queue_kept -= usize::from(delivery.sequence.is_some());
        self.kept_bytes -= delivery.kept_bytes();
    }

    fn wake(&mut self) {
        if !self.woken
            && let Some(waker) = &self.waker
        {
            self.woken = true;
            waker.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests;
