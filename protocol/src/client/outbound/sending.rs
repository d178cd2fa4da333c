//! What leaves next: releases, then what was sent before, then what was not.

use alloc::boxed::Box;

use super::{Outbound, Sent, Settled, Waiting};
use crate::{
    Packet, PacketId, QoS, ReasonCode,
    client::{
        Error, Limits, Millis,
        journal::{Journal, JournalEntry},
        packet_ids::PacketIds,
    },
    packet::{Ack, Publish},
};

impl Outbound {
    /// The next packet to send, if the server's Receive Maximum leaves room for it [MQTT-3.3.4-7]; with it or instead
    /// of it an outcome.
    pub(in crate::client) fn poll(
        &mut self,
        now: Millis,
        limits: &Limits,
        ids: &mut PacketIds,
        journal: &mut Journal,
    ) -> Option<(Option<Packet>, Option<Settled>)> {
        if let Some(released) = self.released.iter_mut().find(|r| !r.on_this_connection) {
            released.on_this_connection = true;
            let ack = Ack::new(released.packet_id, ReasonCode::Success);
            return Some((Some(Packet::PubRel(ack)), None));
        }
        if let Some(settled) = self.give_out_ids(now, limits, ids, journal) {
            return Some((None, Some(settled)));
        }
        if let Some(hasty) = self.hasty.pop_front() {
            return Some(self.send_qos0(now, hasty, limits));
        }
        if let Some(sent) = self.sent.get_mut(self.resend_at) {
            if self.unacknowledged >= usize::from(limits.receive_maximum.get())
                || !journal.has_committed(sent.ticket)
            {
                return None;
            }
            let error = if !sent.has_left && sent.waiting.delivery.has_expired(now) {
                Some(Error::Expired)
            } else {
                // The server may have resumed the session, and take less than before.
                refusal(&sent.waiting, now, limits)
            };
            if let Some(error) = error {
                let sent = self.sent.remove(self.resend_at)?;
                ids.free(sent.packet_id);
                return Some((None, Some(self.settle(sent.waiting, Err(error)))));
            }
            // [MQTT-3.3.1-1]
            let publish = sent
                .waiting
                .to_publish(now, Some(sent.packet_id), sent.has_left);
            sent.has_left = true;
            sent.on_this_connection = true;
            self.resend_at += 1;
            self.unacknowledged += 1;
            return Some((Some(Packet::Publish(Box::new(publish))), None));
        }
        let is_qos0 = |next: &Waiting| next.message.qos == QoS::AtMostOnce;
        if self.waiting.front().is_some_and(is_qos0) {
            let next = self.waiting.pop_front()?;
            return Some(self.send_qos0(now, next, limits));
        }
        None
    }

    /// Moves what may be sent from `waiting` to `sent`, or takes out what must not.
    fn give_out_ids(
        &mut self,
        now: Millis,
        limits: &Limits,
        ids: &mut PacketIds,
        journal: &mut Journal,
    ) -> Option<Settled> {
        while self.paused_until.is_none() && self.may_give_out(limits, journal) {
            let next = self.waiting.front()?;
            if next.message.qos == QoS::AtMostOnce {
                return None;
            }
            let error = if next.delivery.has_expired(now) {
                Some(Error::Expired)
            } else {
                refusal(next, now, limits)
            };
            if let Some(error) = error {
                let waiting = self.waiting.pop_front()?;
                return Some(self.settle(waiting, Err(error)));
            }
            let packet_id = ids.take()?;
            let waiting = self.waiting.pop_front()?;
            journal.write(JournalEntry::Sent {
                handle: waiting.handle,
                packet_id,
            });
            self.sent.push_back(Sent {
                waiting,
                packet_id,
                ticket: journal.ticket(),
                has_left: false,
                on_this_connection: false,
            });
        }
        None
    }

    fn may_give_out(&self, limits: &Limits, journal: &Journal) -> bool {
        if journal.is_on() {
            return self.sent.len() + self.released.len() < Self::ahead(limits);
        }
        self.resend_at == self.sent.len()
            && self.unacknowledged < usize::from(limits.receive_maximum.get())
    }

    fn send_qos0(
        &mut self,
        now: Millis,
        waiting: Waiting,
        limits: &Limits,
    ) -> (Option<Packet>, Option<Settled>) {
        let error = if waiting.delivery.has_expired(now) {
            Some(Error::Expired)
        } else {
            refusal(&waiting, now, limits)
        };
        if let Some(error) = error {
            return (None, Some(self.settle(waiting, Err(error))));
        }
        let publish = waiting.to_publish(now, None, false);
        let settled = self.settle(waiting, Ok(ReasonCode::Success));
        (Some(Packet::Publish(Box::new(publish))), Some(settled))
    }
}

impl Waiting {
    fn to_publish(&self, now: Millis, packet_id: Option<PacketId>, dup: bool) -> Publish {
        self.message.to_publish(now, self.delivery, packet_id, dup)
    }
}

/// Why this message must not be sent.
fn refusal(waiting: &Waiting, now: Millis, limits: &Limits) -> Option<Error> {
    limits.refusal(&waiting.message, || {
        let packet_id = (waiting.message.qos > QoS::AtMostOnce).then_some(PacketId::MAX);
        waiting.to_publish(now, packet_id, false)
    })
}
