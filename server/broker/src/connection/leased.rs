//! A message of a group on its way to this member.

use std::sync::Arc;

use ebbtide_protocol::QoS;
use ebbtide_store::{Incarnation, Queue};

use super::{
    open::Open,
    outbound::{MAIL_CHUNK, Staged},
};
use crate::{
    Now, durability, expiry,
    fates::TopicKey,
    route::{
        group::Lease,
        mailbox::{Delivery, Mail},
    },
    session::Session,
    shared::Shared,
};

impl Open {
    /// A message of a group. At QoS 1 it stays the group's until it is acknowledged; at QoS 2 it is this session's once it is
    /// sent [MQTT-4.8.2-4].
    pub fn stage_leased(
        &mut self,
        mut lease: Lease,
        delivery: Delivery,
        topic: TopicKey,
        shared: &Shared,
        now: Now,
    ) {
        let qos = delivery.qos;
        let (ticket, packet_id) = match qos {
            QoS::AtMostOnce => {
                lease.settle(shared);
                (durability::delivery(qos, None), None)
            }
            QoS::AtLeastOnce => {
                if self.session.kept {
                    lease.hold(&delivery.message);
                }
                let packet_id = self.session.flows.begin(None, qos, Some(lease), topic);
                (durability::delivery(qos, None), Some(packet_id))
            }
            QoS::ExactlyOnce if self.session.kept => {
                // Held until the journal has the number. All below it stands in the mailbox by then: the session's cursor counts
                // on that.
                let mut numbers = shared.numbers.lock();
                let Ok(sequence) = numbers.sequence(&shared.journal) else {
                    self.outbound.numbers_after = numbers.more_after();
                    let delivery = Delivery {
                        lease: Some(lease),
                        ..delivery
                    };
                    return self.outbound.mail.push_front(Mail::Message(delivery));
                };
                let packet_id = self.session.flows.next_packet_id();
                let copy = Queue {
                    sequence,
                    message: Arc::clone(&delivery.message),
                    recipients: Arc::new([delivery.recipient(self.session.incarnation)]),
                };
                let ticket = lease.make_own(copy, packet_id, shared);
                expiry::watch_queued(shared, &delivery.message, now);
                drop(numbers);
                let flows = &mut self.session.flows;
                flows.begin(Some(sequence), qos, Some(lease), topic);
                (durability::delivery(qos, Some(ticket)), Some(packet_id))
            }
            QoS::ExactlyOnce => {
                // Nobody else may get it, so it is done for the group.
                let done = lease.settle(shared);
                let packet_id = self.session.flows.begin(None, qos, None, topic);
                (durability::delivery(qos, done), Some(packet_id))
            }
        };
        if packet_id.is_some() {
            self.outbound.quota -= 1;
            if self.session.kept {
                self.session.raise_packet_id_mark(shared);
            }
        }
        self.outbound.stage(Staged {
            ticket,
            packet_id,
            is_leased: packet_id.is_some(),
            marks: None,
            delivery,
        });
    }
}

impl Open {
    /// Takes messages of groups from the mailbox. Groups that were refused before, for too much was held here, are asked again when there is
    /// room, each first in its turn.
    pub fn take_of_groups(&mut self, shared: &Shared) {
        let mailbox = &self.session.mailbox;
        let bytes_max = || {
            let limits = shared.limits();
            limits
                .outgoing_bytes_max
                .min(shared.outgoing_bytes_ceiling())
        };
        if mailbox.held.has_room_again(bytes_max) {
            let groups = self.session.groups();
            self.outbound.steps += groups.len();
            let turn = usize::from(self.outbound.group_turn) % groups.len().max(1);
            let (later, first) = groups.split_at(turn);
            for group in first.iter().chain(later) {
                self.outbound.group_turn = self.outbound.group_turn.wrapping_add(1);
                group.go_on(shared);
                if mailbox.held.was_refused() {
                    break;
                }
            }
        }
        mailbox.take_leased(&mut self.outbound.mail, MAIL_CHUNK);
    }
}

impl Session {
    /// What this session has under way at QoS 1 of groups that it leaves, or that have ended, becomes its own: the exchange goes on
    /// [MQTT-3.10.4-3], and is repeated in the next connection if it has to be [MQTT-4.4.0-1]. `leaves` is told the number of a group.
    pub fn inherit(&mut self, leaves: impl Fn(Incarnation) -> bool, shared: &Shared, now: Now) {
        if !self.kept {
            return;
        }
        for (packet_id, flow) in self.flows.leased() {
            let is_left = |lease: &mut Lease| leaves(lease.group().number) || lease.is_void();
            let Some(mut lease) = flow.lease.take_if(is_left) else {
                continue;
            };
            let mut numbers = shared.numbers.lock();
            // Without a number it is tried again when the connection ends.
            let Ok(sequence) = numbers.sequence(&shared.journal) else {
                flow.lease = Some(lease);
                return;
            };
            if let Some(copy) = lease.copy(sequence) {
                let message = Arc::clone(&copy.message);
                lease.make_own(copy, packet_id, shared);
                expiry::watch_queued(shared, &message, now);
                flow.sequence = Some(sequence);
            }
            lease.release(shared);
        }
    }
}
