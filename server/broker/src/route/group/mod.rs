//! The group behind a shared subscription: its members, and which of them gets the next message (section 4.8.2).
//!
//! A message belongs to the group until a member is done with it. Members hold it on a [`Lease`]: the least loaded one
//! gets the next, in turn among equals, and none gets more than it could send at once. When its connection ends, what
//! it had not been acknowledged for comes back and goes to another. Only QoS 2, once it is sent, and what is under way when
//! a member leaves the group become that member's own for good. The store knows the group as one who waits for messages, like a session.

mod evict;
mod state;

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
};

use ebbtide_protocol::{PacketId, QoS, TopicFilter, packet::SubscriptionOptions};
use ebbtide_store::{
    Accept, GroupRow, Incarnation, Message, Operation, Queue, Recipient, Sequence,
};
use parking_lot::Mutex;

use self::state::{Item, Member, State};
use super::{
    crowding::Crowding,
    index::Subscriber,
    mailbox::{Delivery, Mail, Mailbox, Pushed},
    overflow::SWEPT_PER_PUSH,
};
use crate::{Limits, Now, QueueOverflow, journal::Ticket, shared::Shared, stats::DropReason};

/// The most messages that one member holds: what stands here waits for it alone while others may be idle.
const LEASES_PER_MEMBER_MAX: u16 = 256;

#[derive(Debug)]
pub(crate) struct Group {
    /// It stands among the recipients of a message like the number of a session.
    pub number: Incarnation,
    /// As subscribed to, `$share` and name included.
    pub filter: TopicFilter,
    state: Mutex<State>,
}

/// One message of a group in the hands of one member. It is settled or given back, never just dropped.
#[derive(Debug)]
pub(crate) struct Lease(Box<Terms>);

#[derive(Debug)]
struct Terms {
    group: Arc<Group>,
    /// Of the member.
    mailbox: Arc<Mailbox>,
    /// Its number, if the store keeps it for the group.
    sequence: Option<Sequence>,
    /// Held here if nothing else has it, or if it may have to become the member's own.
    message: Option<Arc<Message>>,
    bytes: usize,
    /// Of topic, payload and properties, if the store keeps it.
    kept_bytes: u64,
    options: SubscriptionOptions,
    identifier: Option<u32>,
}

impl Group {
    pub fn new(number: Incarnation, filter: TopicFilter, limits: &Limits) -> Self {
        Self {
            number,
            filter,
            state: Mutex::new(State::new(limits)),
        }
    }

    pub fn row(&self) -> GroupRow {
        GroupRow {
            group: self.number,
            filter: self.filter.clone(),
        }
    }

    /// Adds a member, away at first, or changes its subscription. `true` when it is new.
    pub fn join(&self, subscriber: Subscriber) -> bool {
        let mut state = self.state.lock();
        let Subscriber {
            mailbox,
            options,
            identifier,
        } = subscriber;
        if let Some(member) = state.member(mailbox.session) {
            member.options = options;
            member.identifier = identifier;
            return false;
        }
        mailbox.groups.fetch_add(1, Ordering::Relaxed);
        let leases = state.take_left(mailbox.session);
        state.members.push(Member {
            mailbox,
            options,
            identifier,
            leases_max: 0,
            leases,
        });
        true
    }

    /// How many there are: each is looked at for each message.
    pub fn members(&self) -> usize {
        self.state.lock().members.len()
    }

    /// For recovery: whether it is closed, because nobody is left in it.
    pub fn has_no_members(&self) -> bool {
        let mut state = self.state.lock();
        state.is_closed = state.members.is_empty();
        state.is_closed
    }

    /// From now on the store keeps its messages. `true` when it did not before.
    pub fn keep(&self) -> bool {
        let mut state = self.state.lock();
        !std::mem::replace(&mut state.is_kept, true)
    }

    /// Removes a member. `true` when it was the last one: the group is closed then.
    pub fn leave(&self, session: Incarnation) -> bool {
        let mut state = self.state.lock();
        let mut members = state.members.iter();
        if let Some(at) = members.position(|member| member.session() == session) {
            let member = state.members.remove(at);
            member.mailbox.groups.fetch_sub(1, Ordering::Relaxed);
            if member.leases > 0 {
                state.left.push((session, member.leases));
            }
        }
        state.is_closed = state.members.is_empty();
        state.is_closed
    }

    /// The group is out of the index and has no members: nobody waits for its messages any more.
    pub fn end(&self, shared: &Shared) -> Option<Ticket> {
        let (open, is_kept) = {
            let mut state = self.state.lock();
            state.waiting = VecDeque::new();
            (std::mem::take(&mut state.open), state.is_kept)
        };
        shared.abandon(open.into_iter().collect());
        is_kept.then(|| shared.journal.submit(Operation::RemoveGroup(self.number)))
    }

    /// A member is there: it can be sent messages, as many at once as it takes.
    pub fn attach(self: &Arc<Self>, session: Incarnation, receive_maximum: u16, shared: &Shared) {
        let mut state = self.state.lock();
        if let Some(member) = state.member(session) {
            member.leases_max = receive_maximum.min(LEASES_PER_MEMBER_MAX);
        }
        self.hand_out(&mut state, shared);
    }

    /// A member can be sent more, for it holds less of its other groups.
    pub fn go_on(self: &Arc<Self>, shared: &Shared) {
        self.hand_out(&mut self.state.lock(), shared);
    }

    /// A member's connection ends, or it is about to leave: it gets nothing more.
    pub fn detach(&self, session: Incarnation, shared: &Shared) {
        let mut state = self.state.lock();
        if let Some(member) = state.member(session) {
            member.leases_max = 0;
        }
        let_go(&mut state, shared);
    }

    /// What a detached member held of it goes to others, before what waits, in the order given; if there is nobody else, it waits in the store.
    pub fn give_back(self: &Arc<Self>, leases: Vec<Lease>, shared: &Shared) {
        let mut state = self.state.lock();
        for lease in leases.into_iter().rev() {
            state.free(&lease.0);
            if state.is_closed {
                continue;
            }
            let item = match (lease.0.sequence, lease.0.message) {
                (Some(sequence), _) => Item::Stored(sequence, lease.0.kept_bytes),
                (None, Some(message)) => Item::InMemory(message, None),
                // It has become the member's own.
                (None, None) => continue,
            };
            state.count(&item);
            state.waiting.push_front(item);
        }
        self.hand_out(&mut state, shared);
        let_go(&mut state, shared);
    }

    /// Whether the store is to keep messages of this QoS for it.
    pub fn keeps(&self, qos: QoS) -> bool {
        let state = self.state.lock();
        state.is_kept
            && qos > QoS::AtMostOnce
            && (state.members.iter()).any(|member| member.options.qos > QoS::AtMostOnce)
    }

    /// Whether one message more, of so many bytes, may wait, once what has expired before all others makes room for it.
    pub fn make_room(&self, bytes: u64, limits: &Limits, shared: &Shared) -> bool {
        let mut state = self.state.lock();
        while !state.has_room(bytes, limits) {
            if !self.lose_expired(&mut state, shared) {
                return false;
            }
        }
        true
    }

    /// As a recipient of the message: for it, as published; the member's subscription decides.
    pub fn recipient(&self, message: &Message) -> Recipient {
        Recipient {
            session: self.number,
            qos: message.qos,
            retain: message.retain,
            subscription_identifiers: Vec::new(),
        }
    }

    /// Takes in a published message. Nothing keeps it, and nobody is there, or it is of QoS 0 and too much waits in memory:
    /// [`Pushed::DroppedQoS0`]. At QoS 1 and 2 too much waits of what nothing keeps: [`Pushed::Overflow`].
    pub fn push(
        self: &Arc<Self>,
        message: &Arc<Message>,
        sequence: Option<Sequence>,
        shared: &Shared,
        now: Now,
    ) -> Pushed {
        let limits = shared.limits();
        let mut state = self.state.lock();
        state.set_limits(&limits);
        if let Some(sequence) = sequence {
            state.open.insert(sequence);
            state.highest = state.highest.max(sequence);
        }
        let groups = state.fewest_groups();
        let mut ceiling = shared.outgoing_bytes_ceiling();
        let mut bytes_max = state.bytes_max.min(ceiling);
        // Who is in many has no more memory for all of them than for one.
        if let Some(groups @ 2..) = groups {
            bytes_max /= groups;
            ceiling = bytes_max;
        }
        let lost = if groups.is_some() && message.qos > QoS::AtMostOnce {
            Pushed::Overflow
        } else {
            Pushed::DroppedQoS0
        };
        let has_memory = groups.is_some() && state.waiting_bytes <= bytes_max;
        let item = match sequence {
            Some(sequence) if !has_memory => Item::Stored(sequence, message.content_bytes()),
            None if !has_memory => return lost,
            sequence => Item::InMemory(Arc::clone(message), sequence),
        };
        state.count(&item);
        state.waiting.push_back(item);
        self.hand_out(&mut state, shared);
        // Nor for one message more in each.
        if groups > Some(1) && state.waiting_bytes > bytes_max && !state.release_newest() {
            return lost;
        }
        if shared.journal.has_any_expired() {
            self.sweep(&mut state, shared);
        }
        match limits.queue_overflow {
            QueueOverflow::DropOldest => {
                self.evict_for_push(&mut state, &limits, shared);
            }
            // What the store keeps had room when it was taken in.
            QueueOverflow::DropNewest if sequence.is_some() => {}
            QueueOverflow::DropNewest => {
                if !state.is_within(&limits)
                    && let Some(newest) = state.waiting.pop_back()
                {
                    self.lose(&mut state, &newest, shared);
                }
            }
        }
        let bytes = state.waiting_bytes;
        let until = match groups {
            Some(_) => state.crowding.pushed(bytes, ceiling, now.monotonic),
            None => None,
        };
        until.map_or(Pushed::Queued, Pushed::Crowded)
    }

    /// Whether nobody else is there to take its messages.
    pub fn has_only(&self, session: Incarnation) -> bool {
        let state = self.state.lock();
        let mut there = state.members.iter().filter(|member| member.leases_max > 0);
        there.all(|member| member.session() == session)
    }

    /// See [`Crowding`].
    pub fn with_crowding<T>(&self, look: impl FnOnce(&mut Crowding) -> T) -> T {
        look(&mut self.state.lock().crowding)
    }

    /// As for a session, see [`super::overflow`].
    fn sweep(&self, state: &mut State, shared: &Shared) {
        for _ in 0..SWEPT_PER_PUSH {
            if !self.lose_expired(state, shared) {
                return;
            }
        }
    }

    /// Takes out what has waited longest if it has expired.
    fn lose_expired(&self, state: &mut State, shared: &Shared) -> bool {
        let has_expired = |item: &mut Item| {
            let sequence = item.sequence();
            sequence.is_some_and(|sequence| shared.journal.has_expired(sequence))
        };
        let oldest = state.waiting.pop_front_if(has_expired);
        if let Some(oldest) = &oldest {
            self.lose(state, oldest, shared);
        }
        oldest.is_some()
    }

    /// It is out of `waiting`, because there was no room for it or it has expired.
    fn lose(&self, state: &mut State, item: &Item, shared: &Shared) {
        state.uncount(item);
        let mut reason = DropReason::QueueFull;
        if let Some(sequence) = item.sequence() {
            if shared.journal.has_expired(sequence) {
                reason = DropReason::Expired;
            }
            let cursor = state.close(sequence);
            shared.journal.done(self.number, sequence, None, cursor);
        }
        shared.counters.dropped(reason);
    }

    /// A message of so many bytes that waited when the broker was started.
    pub fn recover(&self, sequence: Sequence, bytes: u64) {
        let mut state = self.state.lock();
        state.open.insert(sequence);
        state.highest = state.highest.max(sequence);
        let item = Item::Stored(sequence, bytes);
        state.count(&item);
        state.waiting.push_back(item);
    }

    /// Gives what waits to members as long as there are some who can send more.
    fn hand_out(self: &Arc<Self>, state: &mut State, shared: &Shared) {
        let bytes_max = state.bytes_max.min(shared.outgoing_bytes_ceiling());
        while !state.waiting.is_empty()
            && let Some(at) = state.next_member(bytes_max)
            && let Some(item) = state.waiting.pop_front()
        {
            state.uncount(&item);
            let bytes = item.leased_bytes();
            let member = &mut state.members[at];
            member.leases += 1;
            let mut terms = Box::new(Terms {
                group: Arc::clone(self),
                mailbox: Arc::clone(&member.mailbox),
                sequence: None,
                message: None,
                bytes,
                kept_bytes: item.kept_bytes(),
                options: member.options,
                identifier: member.identifier,
            });
            let mail = match item {
                Item::InMemory(message, sequence) => {
                    terms.sequence = sequence;
                    terms.message = sequence.is_none().then(|| Arc::clone(&message));
                    Mail::Message(Lease(terms).delivery(message))
                }
                Item::Stored(sequence, _) => {
                    terms.sequence = Some(sequence);
                    Mail::Unread(Lease(terms))
                }
            };
            member.mailbox.push_leased(mail, bytes);
        }
        if state.waiting.is_empty() && state.waiting.capacity() > 64 {
            state.waiting = VecDeque::new();
        }
    }
}

fn let_go(state: &mut State, shared: &Shared) {
    for _ in 0..state.let_go() {
        shared.counters.dropped(DropReason::NobodyThere);
    }
}

impl Lease {
    pub fn group(&self) -> &Arc<Group> {
        &self.0.group
    }

    /// Its number, if the store keeps it for the group.
    pub fn sequence(&self) -> Option<Sequence> {
        self.0.sequence
    }

    /// The message as this member is to get it: at no more than its QoS [MQTT-4.8.2-3], with the identifier of this
    /// subscription of its and no other [MQTT-3.3.4-5].
    pub fn delivery(self, message: Arc<Message>) -> Delivery {
        Delivery {
            qos: self.0.options.qos.min(message.qos),
            retain: message.retain && self.0.options.retain_as_published,
            message,
            sequence: None,
            dup: false,
            is_snapshot: false,
            subscription_identifiers: self.0.identifier.into_iter().collect(),
            lease: Some(self),
        }
    }

    /// The message is held until its exchange is over.
    pub fn hold(&mut self, message: &Arc<Message>) {
        self.0.message = Some(Arc::clone(message));
    }

    /// A copy for this member alone of the message that is held.
    pub fn copy(&self, sequence: Sequence) -> Option<Queue> {
        let message = Arc::clone(self.0.message.as_ref()?);
        let recipient = Recipient {
            session: self.0.mailbox.session,
            qos: self.0.options.qos.min(message.qos),
            retain: message.retain && self.0.options.retain_as_published,
            subscription_identifiers: self.0.identifier.into_iter().collect(),
        };
        Some(Queue {
            sequence,
            message,
            recipients: Arc::new([recipient]),
        })
    }

    /// The member is done with the message, and so is the group.
    pub fn settle(mut self, shared: &Shared) -> Option<Ticket> {
        let sequence = self.0.sequence.take();
        let cursor = {
            let mut state = self.0.group.state.lock();
            state.free(&self.0);
            self.0.group.hand_out(&mut state, shared);
            sequence
                .filter(|_| !state.is_closed)
                .map(|sequence| state.close(sequence))
        };
        let number = self.0.group.number;
        let done = |(sequence, cursor)| shared.journal.done(number, sequence, None, cursor);
        sequence.zip(cursor).map(done)
    }

    /// The message becomes the member's own, under the number of its copy, and never goes to another [MQTT-4.8.2-4,
    /// MQTT-4.8.2-5].
    pub fn make_own(&mut self, copy: Queue, packet_id: PacketId, shared: &Shared) -> Ticket {
        self.0.message = None;
        let to = self.0.mailbox.session;
        if let Some(sequence) = self.0.sequence.take() {
            let mut state = self.0.group.state.lock();
            if !state.is_closed {
                // Nobody else's cursor may pass it before: a crash must not find it done without having moved.
                let move_shared = Operation::MoveShared {
                    sequence,
                    from: self.0.group.number,
                    cursor: state.close(sequence),
                    to,
                    copy,
                    packet_id,
                };
                return shared.journal.moved(sequence, move_shared);
            }
        }
        // The store does not keep it for the group, which has ended or had no member then whose session is kept.
        let sent = Operation::Sent {
            session: to,
            sequence: copy.sequence,
            packet_id,
        };
        let accept = Operation::Accept(Accept {
            queued: Some(copy),
            retained: None,
            inbound: None,
        });
        shared.journal.submit_all([accept, sent])
    }

    /// The member may hold another one. What it had was its own.
    pub fn release(self, shared: &Shared) {
        let mut state = self.0.group.state.lock();
        state.free(&self.0);
        self.0.group.hand_out(&mut state, shared);
    }

    /// Whether the group has ended: the message is nobody's any more.
    pub fn is_void(&self) -> bool {
        self.0.group.state.lock().is_closed
    }
}
