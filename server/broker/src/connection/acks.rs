//! A client acknowledges what it got: PUBACK, PUBREC and PUBCOMP.

use ebbtide_protocol::{Packet, PacketId, QoS, ReasonCode, Violation, packet::Ack};
use ebbtide_store::{FlowStage, Operation, WallTime};

use super::{fault::Close, open::Open, replies::Replies};
use crate::{Fate, durability, fates::TopicKey, shared::Shared};

impl Open {
    pub fn handle_puback(&mut self, ack: &Ack, shared: &Shared, at: WallTime) -> Result<(), Close> {
        match self.session.flows.get(ack.packet_id).map(|flow| flow.qos) {
            Some(QoS::AtLeastOnce) => {
                let fate = match ack.reason.is_error() {
                    true => Fate::Refused,
                    false => Fate::Acknowledged,
                };
                self.finish(ack.packet_id, fate, shared, at);
            }
            // It has been settled before the connection was.
            None => {}
            Some(_) => return Err(Violation::UnexpectedPacket.into()),
        }
        Ok(())
    }

    pub fn handle_pubrec(
        &mut self,
        ack: &Ack,
        shared: &Shared,
        replies: &mut Replies,
        at: WallTime,
    ) -> Result<(), Close> {
        let packet_id = ack.packet_id;
        let Some(flow) = self.session.flows.get(packet_id) else {
            // Then the exchange is over for the client, and PUBREL follows a PUBREC without an error only [MQTT-4.3.3-4].
            if ack.reason.is_error() {
                return Ok(());
            }
            let unknown = Ack::new(packet_id, ReasonCode::PacketIdentifierNotFound);
            replies.push(durability::pubrel(None), Packet::PubRel(unknown));
            return Ok(());
        };
        if flow.qos != QoS::ExactlyOnce {
            return Err(Violation::UnexpectedPacket.into());
        }
        if ack.reason.is_error() {
            // The client refuses it: the exchange ends here [MQTT-4.4.0-2].
            self.finish(packet_id, Fate::Refused, shared, at);
            return Ok(());
        }
        let ticket = match (flow.stage, flow.sequence) {
            (FlowStage::Sent, Some(sequence)) => {
                let session = self.session.incarnation;
                durability::pubrel(Some(shared.journal.submit(Operation::Released {
                    session,
                    sequence,
                    packet_id,
                })))
            }
            (FlowStage::Released, Some(_)) => durability::pubrel_again(shared.journal.last()),
            (_, None) => durability::pubrel(None),
        };
        // [MQTT-4.3.3-4]
        self.session.flows.release(packet_id);
        let pubrel = Ack::new(packet_id, ReasonCode::Success);
        replies.push(ticket, Packet::PubRel(pubrel));
        Ok(())
    }

    pub fn handle_pubcomp(
        &mut self,
        ack: &Ack,
        shared: &Shared,
        at: WallTime,
    ) -> Result<(), Close> {
        match self.session.flows.get(ack.packet_id) {
            Some(flow) if flow.qos == QoS::ExactlyOnce && flow.stage == FlowStage::Released => {
                self.finish(ack.packet_id, Fate::Acknowledged, shared, at);
                Ok(())
            }
            None => Ok(()),
            Some(_) => Err(Violation::UnexpectedPacket.into()),
        }
    }

    /// The exchange is over and the client may be sent another message for it. If it refused this one, so has the group that
    /// it came from [MQTT-4.8.2-6].
    pub fn finish(&mut self, packet_id: PacketId, fate: Fate, shared: &Shared, at: WallTime) {
        let Some(flow) = self.session.flows.finish(packet_id) else {
            return;
        };
        // One whose topic was not in memory since the start tells nothing.
        if flow.topic != TopicKey::UNKNOWN {
            self.session.fates.note(flow.topic, fate, at);
        }
        // An exchange of an earlier connection, at PUBREL since, took nothing of this one's window [MQTT-3.3.4-9].
        if flow.is_counted {
            self.outbound.give_back();
        }
        match flow.lease {
            Some(lease) if flow.qos == QoS::AtLeastOnce => {
                lease.settle(shared);
            }
            Some(lease) => lease.release(shared),
            None => {}
        }
        if let Some(sequence) = flow.sequence {
            let outbound = &self.outbound;
            self.session
                .done(shared, sequence, Some(packet_id), || outbound.lowest());
        }
    }
}
