//! A client returns: what was under way is repeated, then what has waited, then it is live.

use std::collections::{BTreeSet, VecDeque};

use ebbtide_protocol::{Packet, PacketId, QoS, ReasonCode, TopicFilter, packet::Ack};
use ebbtide_store::{FlowStage, Part, Queued, Revision, Sequence, StoreError, WallTime};

use super::{
    Connection, Phase,
    fault::Close,
    open::Open,
    outbound::MAIL_CHUNK,
    question::Question,
    reading::{LEASED_MAX, READ_BYTES_MAX, Read, Reading, UNREAD_MAX},
    replies::Replies,
};
use crate::{
    Fate, durability,
    fates::TopicKey,
    plausible,
    route::{
        group::Lease,
        mailbox::{Delivery, Mail, Snapshot, Snapshots},
        overflow,
    },
    shared::Shared,
    stats::DropReason,
};

impl Open {
    /// Repeats with their old ids, in order, what was not acknowledged [MQTT-4.4.0-1, MQTT3-4.6.0-6].
    pub fn resume(&mut self, shared: &Shared, replies: &mut Replies) {
        self.outbound.resend_after = durability::resend(shared.journal.last());
        for (packet_id, flow) in self.session.flows.in_order() {
            match (flow.stage, flow.sequence) {
                // [MQTT-4.3.3-6]
                (FlowStage::Released, _) => {
                    let pubrel = Ack::new(packet_id, ReasonCode::Success);
                    replies.push(durability::pubrel(None), Packet::PubRel(pubrel));
                }
                (FlowStage::Sent, Some(sequence)) => {
                    self.outbound.to_resend.push_back((packet_id, sequence));
                }
                (FlowStage::Sent, None) => {}
            }
        }
    }

    /// Begins to read what is to be repeated next; `false` when there is nothing more.
    pub fn begin_resend(&mut self) -> bool {
        if self.outbound.to_resend.is_empty() {
            return false;
        }
        let count = self.outbound.read_count.take();
        let count = count.min(self.outbound.to_resend.len());
        let flows = self.outbound.to_resend.drain(..count).collect();
        self.outbound.reading = Some(Reading {
            after: self.outbound.resend_after,
            is_asked: false,
            what: Read::Resend(flows),
        });
        true
    }

    /// Takes the next part of the backlog, when nothing that waits comes before it.
    pub fn begin_backlog(&mut self, shared: &Shared) {
        // A second time if all that was left of it has been dropped in between: nothing else would wake whoever waits for what is owed.
        for _ in 0..2 {
            let Some(owed) = self.session.mailbox.begin_catch_up(UNREAD_MAX) else {
                return;
            };
            self.catch_up(owed, shared);
            if !self.outbound.unread.is_empty() {
                return;
            }
        }
    }

    /// Takes the next numbers, to be read, when none are left to be. With the last of them the session is live, and its
    /// queue begins with the snapshots of what is `owed`. They are made before: nobody can publish under the lock.
    fn catch_up(&mut self, owed: BTreeSet<TopicFilter>, shared: &Shared) {
        let size_of = |sequences: &[Sequence]| shared.journal.bytes_of(sequences);
        let snapshots = owed.iter().filter_map(|filter| self.owed_snapshot(filter));
        let mut snapshots: Snapshots = snapshots.collect();
        let mailbox = &self.session.mailbox;
        // Nobody accepts a message between the look at the revision and at the mailbox.
        let numbers = shared.numbers.lock();
        let revision = numbers.last_revision();
        let sequences = mailbox.catch_up(UNREAD_MAX, size_of, &mut snapshots, revision);
        drop(numbers);
        if !snapshots.is_empty() {
            mailbox.owe(snapshots);
        }
        self.outbound.unread = sequences.into();
        if self.outbound.unread.is_empty() {
            // What it has gone live with.
            mailbox.take_queue(&mut self.outbound.mail, MAIL_CHUNK);
        }
    }

    /// Without revision and number, which it gets when the session goes live.
    fn owed_snapshot(&self, filter: &TopicFilter) -> Option<Snapshot> {
        let subscribed = self.session.subscriptions.get(filter)?;
        // A subscription to the same filter may have begun since that has not asked for them [MQTT-3.3.1-11].
        subscribed.row.retained_owed.then(|| Snapshot {
            filter: subscribed.row.filter.clone(),
            options: subscribed.row.options,
            identifier: subscribed.row.identifier,
            revision: Revision(0),
            number: 0,
            generation: subscribed.generation,
            after_reply: 0,
            position: None,
            is_complete: false,
        })
    }

    /// Begins to read the next part of what was taken of the backlog, if there is more.
    pub fn read_spilled(&mut self, shared: &Shared) {
        let unread = &mut self.outbound.unread;
        if unread.is_empty() {
            return;
        }
        let count = self.outbound.read_count.take().min(unread.len());
        let sequences: Vec<_> = unread.drain(..count).collect();
        if unread.is_empty() {
            *unread = VecDeque::new();
        }
        self.outbound.reading = Some(Reading {
            after: shared.journal.ticket_of(sequences.iter().copied()),
            is_asked: false,
            what: Read::Spilled(sequences),
        });
    }

    /// Begins to read messages of a group that this session holds: those at the front of the mail.
    pub fn read_leased(&mut self, shared: &Shared) {
        let mut leases: Vec<Lease> = Vec::new();
        while leases.len() < LEASED_MAX
            && let Some(Mail::Unread(lease)) = self.outbound.mail.front()
            && leases
                .first()
                .is_none_or(|first| first.group().number == lease.group().number)
            && let Some(Mail::Unread(lease)) = self.outbound.mail.pop_front()
        {
            leases.push(lease);
        }
        let sequences = leases.iter().filter_map(Lease::sequence);
        self.outbound.reading = Some(Reading {
            after: shared.journal.ticket_of(sequences),
            is_asked: false,
            what: Read::Leased(leases),
        });
    }

    /// The question that is to be asked now.
    pub fn question(&mut self, shared: &Shared) -> Option<Question> {
        let mut session = self.session.incarnation;
        let reading = self.outbound.reading.as_mut()?;
        if reading.is_asked || !shared.journal.is_durable(reading.after) {
            return None;
        }
        reading.is_asked = true;
        let sequences = match &reading.what {
            Read::Resend(flows) => flows.iter().map(|(_, sequence)| *sequence).collect(),
            Read::Spilled(sequences) => sequences.clone(),
            Read::Leased(leases) => {
                session = leases.first()?.group().number;
                leases.iter().filter_map(Lease::sequence).collect()
            }
        };
        Some(Question::Read {
            session,
            sequences,
            bytes_max: READ_BYTES_MAX,
        })
    }

    /// Queues what was read. What was not looked at has its turn again when these are out.
    fn take_read(&mut self, part: Part, shared: &Shared, at: WallTime) {
        let Some(reading) = self.outbound.reading.take() else {
            return;
        };
        let looked_at = part.looked_at;
        let asked = reading.what.len();
        self.outbound.read_count.answered(asked, looked_at);
        let messages = part.messages.into_iter().map(|mut queued| {
            if plausible::correct(&mut queued.message, shared.started, at) {
                shared.counters.implausible();
            }
            queued
        });
        let mut messages = messages.peekable();
        let next = |sequence: Sequence| messages.next_if(|queued| queued.sequence == sequence);
        match reading.what {
            Read::Resend(flows) => self.take_resend(flows, looked_at, next, shared, at),
            Read::Leased(leases) => self.take_leased(leases, looked_at, next, shared),
            Read::Spilled(sequences) => self.take_spilled(sequences, looked_at, next, shared, at),
        }
    }

    /// What is to be repeated. `next` gives the message with this number, if it was found.
    fn take_resend(
        &mut self,
        mut flows: Vec<(PacketId, Sequence)>,
        looked_at: usize,
        mut next: impl FnMut(Sequence) -> Option<Queued>,
        shared: &Shared,
        at: WallTime,
    ) {
        for flow in flows.drain(looked_at.min(flows.len())..).rev() {
            self.outbound.to_resend.push_front(flow);
        }
        for (packet_id, sequence) in flows {
            match next(sequence) {
                Some(queued) => {
                    let delivery = delivery(queued, true);
                    let mail = &mut self.outbound.mail;
                    mail.push_back(Mail::Resend(packet_id, delivery));
                }
                // Its row is damaged: the exchange cannot be repeated.
                None if self.is_to_repeat(packet_id, Some(sequence)) => {
                    let mailbox = &self.session.mailbox;
                    overflow::record(shared, mailbox, DropReason::Damaged, at);
                    self.finish(packet_id, Fate::Damaged, shared, at);
                }
                // It has been acknowledged since it was to be repeated.
                None => {}
            }
        }
    }

    /// Messages of a group. They go back to where they were: at the front.
    fn take_leased(
        &mut self,
        leases: Vec<Lease>,
        looked_at: usize,
        mut next: impl FnMut(Sequence) -> Option<Queued>,
        shared: &Shared,
    ) {
        let mut mail = Vec::with_capacity(leases.len());
        for (place, lease) in leases.into_iter().enumerate() {
            if place >= looked_at {
                mail.push(Mail::Unread(lease));
                continue;
            }
            match lease.sequence().and_then(&mut next) {
                Some(queued) => mail.push(Mail::Message(lease.delivery(queued.message))),
                None => settle_lost(lease, shared),
            }
        }
        for mail in mail.into_iter().rev() {
            self.outbound.mail.push_front(mail);
        }
    }

    /// A part of the backlog.
    fn take_spilled(
        &mut self,
        mut sequences: Vec<Sequence>,
        looked_at: usize,
        mut next: impl FnMut(Sequence) -> Option<Queued>,
        shared: &Shared,
        at: WallTime,
    ) {
        for sequence in sequences.drain(looked_at.min(sequences.len())..).rev() {
            self.outbound.unread.push_front(sequence);
        }
        let mut lost = Vec::new();
        for sequence in sequences {
            match next(sequence) {
                Some(queued) => {
                    let message = Mail::Message(delivery(queued, false));
                    self.outbound.mail.push_back(message);
                }
                None => lost.push(sequence),
            }
        }
        // Only now: what was read with them must count as waiting.
        for sequence in lost {
            self.lose_spilled(sequence, shared, at);
        }
    }

    /// It has expired, or its row is damaged.
    fn lose_spilled(&mut self, sequence: Sequence, shared: &Shared, at: WallTime) {
        let has_expired = shared.journal.has_expired(sequence);
        let fate = match has_expired {
            true => Fate::Expired,
            false => Fate::Damaged,
        };
        self.session.fates.note(TopicKey::UNKNOWN, fate, at);
        if has_expired {
            shared.counters.dropped(DropReason::Expired);
        } else {
            let mailbox = &self.session.mailbox;
            overflow::record(shared, mailbox, DropReason::Damaged, at);
        }
        let outbound = &self.outbound;
        self.session
            .done(shared, sequence, None, || outbound.lowest());
    }
}

impl Connection {
    pub(super) fn handle_read(&mut self, outcome: Result<Part, StoreError>) -> Result<(), Close> {
        let Phase::Open(open) = &mut self.phase else {
            return Ok(());
        };
        let part = outcome
            .map_err(|error| Close::new(ReasonCode::ServerBusy, format!("the backlog: {error}")))?;
        open.take_read(part, &self.shared, self.seen.wall);
        Ok(())
    }
}

/// Its message has expired, its group has ended, or its row is damaged.
fn settle_lost(lease: Lease, shared: &Shared) {
    let has_expired = |sequence| shared.journal.has_expired(sequence);
    if lease.sequence().is_some_and(has_expired) {
        shared.counters.dropped(DropReason::Expired);
    } else if !lease.is_void() {
        shared.counters.dropped(DropReason::Damaged);
    }
    lease.settle(shared);
}

/// `dup`: it may have been sent before. Whether its publisher had to repeat it does not matter [MQTT-3.3.1-1,
/// MQTT-3.3.1-3].
fn delivery(queued: Queued, dup: bool) -> Delivery {
    let Queued {
        sequence,
        message,
        recipient,
    } = queued;
    debug_assert!(recipient.qos > QoS::AtMostOnce, "only QoS 1 and 2 are kept");
    Delivery {
        message,
        sequence: Some(sequence),
        qos: recipient.qos,
        retain: recipient.retain,
        dup,
        // Whatever it was, it has a packet id as soon as it is staged.
        is_snapshot: false,
        subscription_identifiers: recipient.subscription_identifiers.into(),
        lease: None,
    }
}
