//! What the server answers: acknowledgements, refusals for good, and refusals for now.

use super::{Answered, Outbound, Released, Sent, Settled, Waiting};
use crate::{
    Packet, PacketId, QoS, ReasonCode,
    client::{
        Error, Millis, Said,
        diagnostics::said,
        journal::{Journal, JournalEntry},
        packet_ids::PacketIds,
    },
    packet::Ack,
};

impl Outbound {
    fn take_sent(&mut self, packet_id: PacketId, qos: QoS) -> Option<Sent> {
        let place = self.sent.iter().position(|s| s.packet_id == packet_id)?;
        if self.sent[place].waiting.message.qos != qos || !self.sent[place].on_this_connection {
            return None;
        }
        if place < self.resend_at {
            self.resend_at -= 1;
        }
        self.sent.remove(place)
    }

    /// PUBACK: done. What was not asked for is ignored.
    pub(in crate::client) fn puback(
        &mut self,
        now: Millis,
        ack: &Ack,
        ids: &mut PacketIds,
        journal: &mut Journal,
    ) -> Answered {
        match self.take_sent(ack.packet_id, QoS::AtLeastOnce) {
            Some(sent) => self.answered(now, sent, ack, ids, journal),
            None => Answered::Nothing,
        }
    }

    /// PUBREC: release it [MQTT-4.3.3-4], or done when it failed [MQTT-4.4.0-2]. Answers an unknown one in kind.
    pub(in crate::client) fn pubrec(
        &mut self,
        now: Millis,
        ack: &Ack,
        ids: &mut PacketIds,
        journal: &mut Journal,
    ) -> (Option<Packet>, Answered) {
        let Some(sent) = self.take_sent(ack.packet_id, QoS::ExactlyOnce) else {
            let known = self.released.iter().any(|r| r.packet_id == ack.packet_id);
            let reason = if known {
                ReasonCode::Success
            } else {
                ReasonCode::PacketIdentifierNotFound
            };
            let answer =
                (!ack.reason.is_error()).then(|| Packet::PubRel(Ack::new(ack.packet_id, reason)));
            return (answer, Answered::Nothing);
        };
        if ack.reason.is_error() {
            return (None, self.answered(now, sent, ack, ids, journal));
        }
        self.pauses.reset();
        let handle = sent.waiting.handle;
        self.bytes -= sent.waiting.message.size();
        journal.write(JournalEntry::Released { handle });
        self.released.push_back(Released {
            handle,
            packet_id: ack.packet_id,
            on_this_connection: true,
            counts: true,
            reason: ack.reason,
            diagnostics: said_by(ack),
        });
        let release = Ack::new(ack.packet_id, ReasonCode::Success);
        (Some(Packet::PubRel(release)), Answered::Nothing)
    }

    /// The last answer to a PUBLISH.
    fn answered(
        &mut self,
        now: Millis,
        sent: Sent,
        ack: &Ack,
        ids: &mut PacketIds,
        journal: &mut Journal,
    ) -> Answered {
        self.unacknowledged = self.unacknowledged.saturating_sub(1);
        ids.free(sent.packet_id);
        let (reason, diagnostics) = (ack.reason, said_by(ack));
        let is_for_now = matches!(
            reason,
            ReasonCode::QuotaExceeded | ReasonCode::ImplementationSpecificError
        );
        if is_for_now && journal.is_on() {
            let handle = sent.waiting.handle;
            let retry_in_ms = self.defer(now, sent, ids, journal);
            return Answered::Deferred(handle, reason, retry_in_ms, diagnostics);
        }
        let result = if reason.is_error() {
            Err(Error::Refused(reason))
        } else {
            self.pauses.reset();
            Ok(reason)
        };
        Answered::Settled(Settled {
            diagnostics,
            ..self.settle(sent.waiting, result)
        })
    }

    /// The server refused it for now: it waits, and with it what has not left yet, for the order is to stay. How long.
    fn defer(
        &mut self,
        now: Millis,
        refused: Sent,
        ids: &mut PacketIds,
        journal: &mut Journal,
    ) -> u32 {
        while self.sent.back().is_some_and(|sent| !sent.has_left)
            && let Some(sent) = self.sent.pop_back()
        {
            ids.free(sent.packet_id);
            self.withdraw(sent.waiting, journal);
        }
        self.withdraw(refused.waiting, journal);
        let until = match self.paused_until {
            Some(until) => until,
            None => now + u64::from(self.pauses.next_wait_ms()),
        };
        self.paused_until = Some(until);
        u32::try_from(until.saturating_sub(now)).unwrap_or(u32::MAX)
    }

    fn withdraw(&mut self, waiting: Waiting, journal: &mut Journal) {
        let handle = waiting.handle;
        journal.write(JournalEntry::Withdrawn { handle });
        let later = |w: &Waiting| w.handle > handle;
        let place = self.waiting.iter().position(later);
        self.waiting
            .insert(place.unwrap_or(self.waiting.len()), waiting);
    }

    /// When the pause is over.
    pub(in crate::client) fn next_timeout(&self) -> Option<Millis> {
        self.paused_until
    }

    pub(in crate::client) fn handle_timeout(&mut self, now: Millis) {
        self.paused_until = self.paused_until.filter(|until| *until > now);
    }

    /// PUBCOMP: done.
    pub(in crate::client) fn pubcomp(&mut self, ack: &Ack, ids: &mut PacketIds) -> Option<Settled> {
        let place = self
            .released
            .iter()
            .position(|r| r.packet_id == ack.packet_id)?;
        let mut released = self.released.remove(place)?;
        if released.counts {
            self.unacknowledged = self.unacknowledged.saturating_sub(1);
        }
        ids.free(ack.packet_id);
        if let Some(diagnostics) = said_by(ack) {
            released.diagnostics = Some(diagnostics);
        }
        // 0x92 means that the server finished it on an earlier connection.
        Some(released.complete())
    }
}

fn said_by(ack: &Ack) -> Said {
    said(ack.reason_string.as_ref(), &ack.user_properties, None)
}
