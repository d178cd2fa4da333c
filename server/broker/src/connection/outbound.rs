//! What is on its way to the client: from its mailbox, through the window of its Receive Maximum, to the wire.
//!
//! One strict order for all QoS levels [MQTT-4.6.0-5]. `mail` has been taken from the mailbox; `staged` has its packet id and leaves as soon
//! as its commit allows; what stands behind a message that has to wait, waits too.

use std::collections::{BTreeMap, VecDeque};

use ebbtide_protocol::{PacketId, QoS, TopicFilter, codec::publish_len};
use ebbtide_store::{FlowStage, Operation, Sequence};

use super::{
    announce::Ends,
    open::Open,
    reading::{Read, ReadCount, Reading},
    transmit::publish_ref,
};
use crate::{
    Durability, Fate, Monotonic, Now, durability,
    fates::TopicKey,
    journal::{Journal, Ticket},
    route::{
        self,
        group::Lease,
        mailbox::{Delivery, End, Mail, Snapshot},
    },
    shared::Shared,
    stats::DropReason,
    work::{DROP_STEPS, SENT_STEPS},
};

/// How much is taken from the mailbox at a time.
pub(super) const MAIL_CHUNK: usize = 256;

/// How much may be staged: what stands here is lost with the connection and counts in no mailbox.
const STAGED_MAX: usize = 4096;
const STAGED_BYTES_MAX: usize = 256 * 1024;

#[derive(Debug)]
pub(super) struct Outbound {
    pub mail: VecDeque<Mail>,
    staged: VecDeque<Staged>,
    staged_bytes: usize,
    /// Exchanges of the resumed session whose messages have not been read yet.
    pub to_resend: VecDeque<(PacketId, Sequence)>,
    /// They can be read once this is durable.
    pub resend_after: Ticket,
    pub reading: Option<Reading>,
    pub read_count: ReadCount,
    /// What has spilled and is to be read next: behind what is being read, and before what still is in the mailbox.
    pub unread: VecDeque<Sequence>,
    /// The next message needs a number, and there is none before this commit.
    pub numbers_after: Option<Ticket>,
    /// Snapshots that there was no room for, and when they have another turn.
    pub put_off: BTreeMap<TopicFilter, Snapshot>,
    pub retry_at: Option<Monotonic>,
    /// What is to be told of snapshots.
    pub ends: Ends,
    /// How much has been done in this turn to find what is to be sent, and whether that ended it.
    pub steps: usize,
    pub is_cut_short: bool,
    /// How many more QoS 1 and 2 messages may be sent [MQTT-3.3.4-9, MQTT-4.9.0-1, MQTT-4.9.0-2].
    pub quota: u16,
    quota_max: u16,
    /// Which of its groups is asked first when there is room again.
    pub group_turn: u16,
    durability: Durability,
}

/// A message with its packet id.
#[derive(Debug)]
pub(super) struct Staged {
    pub ticket: Ticket,
    pub packet_id: Option<PacketId>,
    /// Its exchange has it as a group's: it is not lost with the connection.
    pub is_leased: bool,
    /// It marks this end, and is no message of anybody's.
    pub marks: Option<End>,
    pub delivery: Delivery,
}

impl Staged {
    /// Whether it has expired while the client did not read, or a commit was waited for [MQTT-3.3.2-5]. What has a packet id does not
    /// any more [MQTT-4.3.3-7], nor does what answers a subscription: its snapshot counts it as sent, and the client may have been told how
    /// many come.
    pub fn has_expired(&self, now: Now) -> bool {
        let delivery = &self.delivery;
        self.packet_id.is_none() && !delivery.is_snapshot && delivery.has_expired(now)
    }
}

impl Outbound {
    pub fn new(receive_maximum: u16, durability: Durability) -> Self {
        Self {
            mail: VecDeque::new(),
            staged: VecDeque::new(),
            staged_bytes: 0,
            to_resend: VecDeque::new(),
            resend_after: durability::AT_ONCE,
            reading: None,
            read_count: ReadCount::FIRST,
            unread: VecDeque::new(),
            numbers_after: None,
            put_off: BTreeMap::new(),
            retry_at: None,
            ends: Ends::default(),
            steps: 0,
            is_cut_short: false,
            quota: receive_maximum,
            quota_max: receive_maximum,
            group_turn: 0,
            durability,
        }
    }

    /// Nothing is on its way to the client that has not left yet.
    pub fn is_idle(&self) -> bool {
        let is_empty = self.mail.is_empty() && self.staged.is_empty() && self.put_off.is_empty();
        let is_read = self.to_resend.is_empty() && self.unread.is_empty();
        is_empty && is_read && self.reading.is_none()
    }

    /// The marker of an end has its turn.
    pub fn stage_marker(&mut self, end: End, delivery: Delivery) {
        self.stage(Staged {
            ticket: durability::delivery(QoS::AtMostOnce, None),
            packet_id: None,
            is_leased: false,
            marks: Some(end),
            delivery,
        });
    }

    pub fn stage(&mut self, mut staged: Staged) {
        staged.ticket = self.durability.wait(staged.ticket);
        self.steps += SENT_STEPS;
        self.staged_bytes += staged.delivery.bytes();
        self.staged.push_back(staged);
    }

    fn is_full(&self) -> bool {
        self.staged.len() >= STAGED_MAX || self.staged_bytes >= STAGED_BYTES_MAX
    }

    /// The next message on its way out, if its commit is there.
    pub fn next_staged(&mut self, journal: &Journal) -> Option<Staged> {
        if !journal.is_durable(self.staged.front()?.ticket) {
            return None;
        }
        let staged = self.staged.pop_front()?;
        self.staged_bytes -= staged.delivery.bytes();
        Some(staged)
    }

    /// How many messages nobody keeps: they are lost with the connection.
    pub fn unkept(&self) -> usize {
        let mail = self.mail.iter().filter(|mail| mail.is_unkept());
        let staged = self
            .staged
            .iter()
            .filter(|staged| !staged.is_leased && staged.delivery.sequence.is_none())
            .filter(|staged| staged.marks.is_none());
        mail.count() + staged.count()
    }

    /// The client's Receive Maximum.
    pub fn receive_maximum(&self) -> u16 {
        self.quota_max
    }

    /// An exchange is over.
    pub fn give_back(&mut self) {
        self.quota = self.quota.saturating_add(1).min(self.quota_max);
    }

    /// The lowest number that was taken from the mailbox and is not in an exchange.
    pub fn lowest(&self) -> Option<Sequence> {
        let mail = self.mail.iter().filter_map(Mail::sequence);
        mail.chain(self.unread()).min()
    }

    /// What has spilled, was taken from the mailbox and has not been read, in order.
    pub fn unread(&self) -> impl Iterator<Item = Sequence> {
        let being_read = match &self.reading {
            Some(Reading {
                what: Read::Spilled(sequences),
                ..
            }) => &sequences[..],
            _ => &[],
        };
        being_read.iter().chain(&self.unread).copied()
    }

    /// What has been taken from the mailbox and not been sent, for another connection or none.
    pub fn into_unsent(mut self) -> (VecDeque<Mail>, Vec<Sequence>) {
        let put_off = std::mem::take(&mut self.put_off).into_values();
        let put_off = put_off.map(|one| Mail::Snapshot(Box::new(one)));
        self.mail.extend(put_off);
        let unread = self.unread().collect();
        (self.mail, unread)
    }

    /// The commit that the next message waits for.
    pub fn waits_for(&self) -> Option<Ticket> {
        let reading = self
            .reading
            .as_ref()
            .filter(|reading| !reading.is_asked)
            .map(|reading| reading.after);
        self.staged
            .front()
            .map(|staged| staged.ticket)
            .into_iter()
            .chain(reading)
            .chain(self.numbers_after)
            .min()
    }
}

impl Open {
    /// Gives messages their turn until the window is full, something has to be waited for, or nothing is left.
    pub fn stage(&mut self, shared: &Shared, is_sent: impl Fn(u64) -> bool, now: Now) {
        while !self.outbound.is_full() {
            if self.outbound.has_looked_enough() {
                self.outbound.is_cut_short = true;
                return;
            }
            if let Some(after) = self.outbound.numbers_after {
                if !shared.journal.is_durable(after) {
                    return;
                }
                self.outbound.numbers_after = None;
            }
            match self.outbound.mail.front() {
                None => {
                    if !self.refill(shared) {
                        return;
                    }
                }
                Some(Mail::Snapshot(snapshot)) => {
                    if !is_sent(snapshot.after_reply) {
                        return;
                    }
                    self.advance_snapshot(shared, now);
                }
                Some(Mail::End(end)) => {
                    if !is_sent(end.after_reply) {
                        return;
                    }
                    self.end_snapshots(now);
                }
                Some(Mail::Unread(_)) => {
                    if self.outbound.reading.is_some() {
                        return;
                    }
                    self.read_leased(shared);
                }
                Some(mail @ (Mail::Message(delivery) | Mail::Resend(_, delivery))) => {
                    // What is repeated has its packet id.
                    let has_no_id = matches!(mail, Mail::Message(_))
                        && self.session.flows.len() >= usize::from(u16::MAX);
                    let is_full = self.outbound.quota == 0
                        || has_no_id
                        || self.has_no_room_for(delivery, shared);
                    if delivery.qos > QoS::AtMostOnce && is_full {
                        return;
                    }
                    match self.outbound.mail.pop_front() {
                        Some(Mail::Message(delivery)) => self.stage_message(delivery, shared, now),
                        Some(Mail::Resend(packet_id, delivery)) => {
                            self.stage_again(packet_id, delivery, shared, now);
                        }
                        Some(Mail::Snapshot(_) | Mail::Unread(_) | Mail::End(_)) | None => {
                            unreachable!("looked at above")
                        }
                    }
                }
            }
        }
    }

    /// At QoS 2 a message of a group becomes this session's own: a copy, unless nobody else waits for it. Without room for copies each waits
    /// until all before it are acknowledged, for what is acknowledged makes room.
    fn has_no_room_for(&self, delivery: &Delivery, shared: &Shared) -> bool {
        let is_copied = |lease: &Lease| {
            let sequence = lease.sequence();
            sequence.is_none_or(|sequence| shared.journal.is_shared(sequence))
        };
        let becomes_own = delivery.qos == QoS::ExactlyOnce && self.session.kept;
        becomes_own
            && self.session.flows.len() > 0
            && !route::has_room_for_copies(shared)
            && delivery.lease.as_ref().is_some_and(is_copied)
    }

    fn stage_message(&mut self, mut delivery: Delivery, shared: &Shared, now: Now) {
        let topic = TopicKey::of(&delivery.message.topic);
        if let Some((reason, fate)) = self.why_unsent(&delivery, now) {
            shared.counters.dropped(reason);
            self.session.fates.note(topic, fate, now.wall);
            return self.discard(delivery, shared);
        }
        if self.may_not_receive(&delivery.message.topic, shared) {
            return self.deny(delivery, topic, shared, now);
        }
        if delivery.qos == QoS::AtMostOnce {
            self.session.fates.note(topic, Fate::Sent, now.wall);
        }
        if let Some(lease) = delivery.lease.take() {
            return self.stage_leased(lease, delivery, topic, shared, now);
        }
        self.outbound.ends.count_staged();
        let Delivery { sequence, qos, .. } = delivery;
        if qos == QoS::AtMostOnce {
            let staged = Staged {
                ticket: durability::delivery(qos, None),
                packet_id: None,
                is_leased: false,
                marks: None,
                delivery,
            };
            self.outbound.stage(staged);
            return;
        }
        let packet_id = self.session.flows.begin(sequence, qos, None, topic);
        let session = self.session.incarnation;
        let sent = sequence.map(|sequence| {
            delivery.dup |= sequence <= self.session.maybe_sent && qos == QoS::AtLeastOnce;
            self.session.raise_packet_id_mark(shared);
            shared.journal.submit(Operation::Sent {
                session,
                sequence,
                packet_id,
            })
        });
        self.outbound.quota -= 1;
        let ticket = durability::delivery(qos, sent);
        self.outbound.stage(Staged {
            ticket,
            packet_id: Some(packet_id),
            is_leased: false,
            marks: None,
            delivery,
        });
    }

    /// A message whose exchange was under way. It may have ended while the message was being read.
    fn stage_again(&mut self, packet_id: PacketId, delivery: Delivery, shared: &Shared, now: Now) {
        if !self.is_to_repeat(packet_id, delivery.sequence) {
            return;
        }
        if self.is_too_large(&delivery, now) {
            shared.counters.dropped(DropReason::TooLarge);
            return self.finish(packet_id, Fate::TooLarge, shared, now.wall);
        }
        // At QoS 2 it is past recall.
        if delivery.qos == QoS::AtLeastOnce && self.may_not_receive(&delivery.message.topic, shared)
        {
            shared.counters.dropped(DropReason::Denied);
            return self.finish(packet_id, Fate::Denied, shared, now.wall);
        }
        let topic = TopicKey::of(&delivery.message.topic);
        self.session.flows.count(packet_id, topic);
        self.outbound.quota = self.outbound.quota.saturating_sub(1);
        self.outbound.stage(Staged {
            ticket: durability::delivery(delivery.qos, None),
            packet_id: Some(packet_id),
            is_leased: false,
            marks: None,
            delivery,
        });
    }

    /// Whether the exchange that was under way still is, and at its PUBLISH.
    pub(super) fn is_to_repeat(&self, packet_id: PacketId, sequence: Option<Sequence>) -> bool {
        let flow = self.session.flows.get(packet_id);
        flow.is_some_and(|flow| flow.stage == FlowStage::Sent && flow.sequence == sequence)
    }

    /// Why a message that has no packet id yet is not sent at all. One that has does not expire any more [MQTT-4.3.3-7].
    fn why_unsent(&self, delivery: &Delivery, now: Now) -> Option<(DropReason, Fate)> {
        if delivery.has_expired(now) {
            // [MQTT-3.3.2-5]
            return Some((DropReason::Expired, Fate::Expired));
        }
        self.is_too_large(delivery, now)
            .then_some((DropReason::TooLarge, Fate::TooLarge))
    }

    /// Larger than the client takes: it is dropped as if it had been sent [MQTT-3.1.2-25].
    fn is_too_large(&self, delivery: &Delivery, now: Now) -> bool {
        if self.tolerance.maximum_packet_size == u32::MAX {
            return false;
        }
        let packet_id = (delivery.qos > QoS::AtMostOnce).then_some(PacketId::MIN);
        let publish = publish_ref(delivery, packet_id, now);
        publish_len(&publish, self.version) > self.tolerance.maximum_packet_size as usize
    }

    /// Drops a message without sending it.
    pub(super) fn discard(&mut self, delivery: Delivery, shared: &Shared) {
        self.outbound.steps += DROP_STEPS;
        if let Some(lease) = delivery.lease {
            lease.settle(shared);
        } else if let Some(sequence) = delivery.sequence {
            let outbound = &self.outbound;
            self.session
                .done(shared, sequence, None, || outbound.lowest());
        }
    }

    /// Takes more from the mailbox; `false` when nothing is there now.
    fn refill(&mut self, shared: &Shared) -> bool {
        if self.outbound.reading.is_some() {
            return false;
        }
        if self.begin_resend() {
            return false;
        }
        if !self.session.mailbox.held.is_nothing() {
            self.take_of_groups(shared);
        }
        let mailbox = &self.session.mailbox;
        let leased = self.outbound.mail.len();
        // What is in the mailbox stands behind what is still to be read.
        if self.outbound.unread.is_empty() {
            mailbox.take_queue(&mut self.outbound.mail, MAIL_CHUNK);
            // Messages of groups must not keep the session from its own.
            if self.outbound.mail.len() > leased {
                self.outbound.read_count = ReadCount::FIRST;
            } else {
                self.begin_backlog(shared);
            }
        }
        self.read_spilled(shared);
        !self.outbound.mail.is_empty()
    }
}
