//! The retained messages that answer a subscription, a chunk at a time, at their place in the order.
//!
//! A value that has changed since the subscription is left out: its live copy stands further behind. Only if there is none, dropped at
//! QoS 0 for a client that is behind, kept out by a full queue or not wanted by its publisher, the value of now comes in its place. So
//! nothing is missed, and nothing goes back.
//!
//! Copies that would be kept need room. Without it the rest is put off for a while, and what stands behind it goes on: it
//! may be what makes room.

use std::{ops::ControlFlow, sync::Arc};

use ebbtide_protocol::QoS;
use ebbtide_store::{Accept, Message, Operation, Queue, RetainedRow, Revision, Sequence};

use super::{open::Open, outbound::Outbound};
use crate::{
    Now, expiry,
    route::{
        self,
        mailbox::{Delivery, Mail, Snapshot, Snapshots},
    },
    shared::Shared,
    work::{FILTERS_PER_LOCK, SNAPSHOT_STEPS, STEPS_PER_TURN},
};

/// The most messages of one chunk.
const MESSAGES: usize = 256;
/// The most bytes of one chunk, but for its last message.
const BYTES: usize = 64 * 1024;
/// The most levels of topics that are looked at for one chunk, whether or not anything there matches.
pub(super) const VISITS: usize = 4096;
/// How long the rest is put off when there is no room for it.
const PUT_OFF_MS: u64 = 1000;

impl Open {
    /// Replaces the snapshot at the front of the mail by its next messages and itself, or by nothing at its end or when
    /// there is no room.
    pub fn advance_snapshot(&mut self, shared: &Shared, now: Now) {
        let Some(Mail::Snapshot(mut snapshot)) = self.outbound.mail.pop_front() else {
            unreachable!("the caller has looked at it")
        };
        match self.session.subscriptions.get(&snapshot.filter) {
            Some(subscription) if subscription.generation == snapshot.generation => {
                // They may have been replaced without asking for the retained messages again.
                snapshot.options = subscription.row.options;
                snapshot.identifier = subscription.row.identifier;
            }
            // It has ended, or begun anew, meanwhile [MQTT-3.10.4-2].
            _ => return,
        }
        if snapshot.is_complete {
            return self.settle_owed(shared, &snapshot);
        }
        let (identifier, generation) = (snapshot.identifier, snapshot.generation);
        self.outbound.ends.begin(identifier, generation);
        let before = snapshot.position.clone();
        // Held from the look at the values until the journal has them: else one that is replaced meanwhile would get the later
        // number, and after a crash go out behind the newer one.
        let mut numbers = (self.session.kept && snapshot.options.qos > QoS::AtMostOnce)
            .then(|| shared.numbers.lock());
        let copies = numbers
            .as_ref()
            .map(|_| route::copies(shared, &self.session.mailbox));
        // One at least: it may be one that is not kept.
        let most = copies.map_or(MESSAGES, |copies| copies.clamp(1, MESSAGES));
        let (mut messages, later, is_complete, visits) =
            next_chunk(shared, &mut snapshot, most, now);
        if !later.is_empty() {
            if numbers.is_none() {
                // Whoever has changed one of them has pushed its live copy by then, or dropped it.
                drop(shared.numbers.lock());
            }
            self.leave_to_live_copies(&mut messages, &later, &snapshot);
        }
        self.outbound.steps += SNAPSHOT_STEPS + visits;
        let kept = messages
            .iter()
            .filter(|message| self.is_kept(message, &snapshot))
            .count();
        let first = match &mut numbers {
            _ if kept == 0 => Some(Sequence(0)),
            Some(numbers) if copies.is_some_and(|copies| kept <= copies) => {
                numbers.sequences(kept as u64, &shared.journal).ok()
            }
            _ => None,
        };
        let Some(first) = first else {
            snapshot.position = before;
            return self.outbound.put_off(*snapshot, now);
        };
        let is_kept = kept == messages.len();
        let deliveries = self.deliveries(shared, first, &snapshot, messages, now);
        drop(numbers);
        snapshot.is_complete = is_complete;
        if is_complete && (is_kept || !self.session.kept) {
            self.settle_owed(shared, &snapshot);
        } else {
            self.outbound.mail.push_front(Mail::Snapshot(snapshot));
        }
        for delivery in deliveries.into_iter().rev() {
            self.outbound.mail.push_front(Mail::Message(delivery));
        }
    }

    /// Of the messages at these places, which have changed since, keeps those whose live copies do not stand further behind.
    fn leave_to_live_copies(
        &self,
        messages: &mut Vec<Arc<Message>>,
        later: &[usize],
        snapshot: &Snapshot,
    ) {
        let mailbox = &self.session.mailbox;
        for at in later.iter().rev() {
            if !mailbox.has_missed(&messages[*at].topic, snapshot.number) {
                messages.remove(*at);
            }
        }
    }

    /// Those that were put off have another turn, behind what waits now.
    pub fn retry_snapshots(&mut self, shared: &Shared, now: Now) {
        let outbound = &mut self.outbound;
        if outbound.retry_at.is_none_or(|at| at > now.monotonic) {
            return;
        }
        outbound.retry_at = None;
        let mut put_off = std::mem::take(&mut outbound.put_off).into_values();
        loop {
            let part: Snapshots = put_off.by_ref().take(FILTERS_PER_LOCK).collect();
            if part.is_empty() {
                break;
            }
            // Nobody accepts a message between the look at the revision and the place in the mailbox.
            let numbers = shared.numbers.lock();
            let revision = numbers.last_revision();
            self.session.mailbox.push_snapshots(part, revision);
        }
        for end in outbound.ends.take_put_off() {
            self.session.mailbox.push_end(end);
        }
    }

    /// Whether the store is to keep it for this session.
    fn is_kept(&self, message: &Message, snapshot: &Snapshot) -> bool {
        self.session.kept && qos_of(message, snapshot) > QoS::AtMostOnce
    }

    /// Numbers those that are kept for this session, from `sequence` on. The caller holds the order lock if any is.
    fn deliveries(
        &self,
        shared: &Shared,
        mut sequence: Sequence,
        snapshot: &Snapshot,
        messages: Vec<Arc<Message>>,
        now: Now,
    ) -> Vec<Delivery> {
        let mut deliveries = Vec::with_capacity(messages.len());
        for message in messages {
            let mut delivery = Delivery {
                qos: qos_of(&message, snapshot),
                message,
                sequence: None,
                // [MQTT3-3.3.1-8]
                retain: true,
                dup: false,
                is_snapshot: true,
                subscription_identifiers: snapshot.identifier.into_iter().collect(),
                lease: None,
            };
            if self.is_kept(&delivery.message, snapshot) {
                delivery.sequence = Some(sequence);
                shared
                    .journal
                    .submit(Operation::Accept(self.accept(&delivery, sequence)));
                expiry::watch_queued(shared, &delivery.message, now);
                sequence = sequence.next();
            }
            deliveries.push(delivery);
        }
        deliveries
    }

    /// A delivery to this session alone.
    fn accept(&self, delivery: &Delivery, sequence: Sequence) -> Accept {
        let recipient = delivery.recipient(self.session.incarnation);
        let message = Arc::clone(&delivery.message);
        let queued = Some(Queue {
            sequence,
            message,
            recipients: Arc::new([recipient]),
        });
        Accept {
            queued,
            retained: None,
            inbound: None,
        }
    }

    /// All of it is queued or on its way: a crash from now on must not repeat it.
    fn settle_owed(&mut self, shared: &Shared, snapshot: &Snapshot) {
        let session = self.session.incarnation;
        if let Some(subscription) = self.session.subscriptions.get_mut(&snapshot.filter)
            && subscription.row.retained_owed
        {
            let row = &mut subscription.row;
            row.retained_owed = false;
            if self.session.kept {
                shared.journal.submit(Operation::PutSubscription {
                    session,
                    subscription: row.clone(),
                });
            }
        }
    }
}

impl Outbound {
    /// Enough has been looked at in this turn, whatever came of it.
    pub fn has_looked_enough(&self) -> bool {
        self.steps >= STEPS_PER_TURN
    }

    /// It gets another turn later. Of one filter the last is wanted.
    fn put_off(&mut self, snapshot: Snapshot, now: Now) {
        self.put_off.insert(snapshot.filter.clone(), snapshot);
        self.retry_at
            .get_or_insert(now.monotonic.plus_ms(PUT_OFF_MS));
    }
}

/// [MQTT-3.8.4-8]
fn qos_of(message: &Message, snapshot: &Snapshot) -> QoS {
    message.qos.min(snapshot.options.qos)
}

/// Whether the snapshot of this revision has it. A later value is left to its live copy; what has expired by now is gone.
pub(super) fn is_due(row: &RetainedRow, revision: Revision, now: Now) -> bool {
    row.revision <= revision && is_there(row, now)
}

fn is_there(row: &RetainedRow, now: Now) -> bool {
    let expires_at = row.message.expires_at();
    expires_at.is_none_or(|expires_at| expires_at > now.wall)
}

/// The next messages, at most so many; the places of those that are of a later revision; `true` when these were the last; and how
/// many levels of topics were looked at.
fn next_chunk(
    shared: &Shared,
    snapshot: &mut Snapshot,
    most: usize,
    now: Now,
) -> (Vec<Arc<Message>>, Vec<usize>, bool, usize) {
    let (mut messages, mut later) = (Vec::new(), Vec::new());
    let (mut bytes, mut visits) = (0, 0);
    let retained = shared.retained.read();
    let position = retained.visit(&snapshot.filter, snapshot.position.as_deref(), &mut |row| {
        visits += 1;
        if let Some(row) = row
            && is_there(row, now)
        {
            if row.revision > snapshot.revision {
                later.push(messages.len());
            }
            bytes += row.message.size_bytes();
            messages.push(Arc::clone(&row.message));
        }
        match messages.len() >= most || bytes >= BYTES || visits >= VISITS {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    drop(retained);
    let is_complete = position.is_none();
    snapshot.position = position;
    (messages, later, is_complete, visits)
}
