//! The client publishes: a message is sent until it is acknowledged, again on every connection of the same session.

use bytes::Bytes;
use ebbtide_protocol::{
    Packet, PacketId, QoS, ReasonCode, TopicName, Version,
    packet::{Ack, MessageProperties, Publish},
};

use super::Client;
use crate::{
    history::{Fact, History, Message, MessageId},
    random::Random,
};

/// No more than this many messages are unacknowledged at a time.
const PENDING_MAX: usize = 12;

/// A message on its way out.
pub struct Sent {
    packet: Publish,
    message: MessageId,
    /// PUBREC has come: only PUBREL is sent from now on.
    is_released: bool,
}

impl Client {
    pub fn publish(&mut self, random: &mut Random, history: &mut History) {
        if !self.is_ready() || self.pending.len() >= PENDING_MAX {
            return;
        }
        let (topic, retain) = match random.below(10) {
            0..4 => (
                format!("event/{}/{}", self.index % 2, random.below(2)),
                false,
            ),
            4..7 => (format!("state/{}", random.below(4)), true),
            7 => (format!("state/{}", random.below(4)), false),
            _ => (format!("job/{}", random.below(2)), false),
        };
        let qos = *random.pick(&[
            QoS::AtMostOnce,
            QoS::AtLeastOnce,
            QoS::AtLeastOnce,
            QoS::ExactlyOnce,
            QoS::ExactlyOnce,
        ]);
        let is_v5 = self.profile.version == Version::V5;
        let expiry_s = (is_v5 && random.chance(15)).then(|| *random.pick(&[1, 2, 5, 60]));
        let is_clear = is_v5 && retain && random.chance(15);
        let topic = TopicName::new(topic).expect("a topic");
        let message = history.new_message(Message {
            topic: topic.clone(),
            qos,
            retain,
            is_clear,
            expiry_s,
            publisher: self.index,
            session: self.session.as_ref().expect("it is ready").id,
            will_of: None,
        });
        let packet = Publish {
            dup: false,
            qos,
            retain,
            topic: Some(topic),
            packet_id: (qos > QoS::AtMostOnce).then(|| self.new_packet_id()),
            topic_alias: None,
            subscription_identifiers: Vec::new(),
            properties: MessageProperties {
                message_expiry_interval: expiry_s,
                // What has no payload is known by this.
                correlation_data: is_v5.then(|| Bytes::from(message.to_string())),
                ..MessageProperties::default()
            },
            payload: payload(message, is_clear, random),
        };
        history.add(Fact::Publishes { message });
        self.send(Packet::Publish(Box::new(packet.clone())));
        if qos > QoS::AtMostOnce {
            self.pending.push_back(Sent {
                packet,
                message,
                is_released: false,
            });
        }
    }

    /// The session goes on: everything that is pending is sent again, in order [MQTT-4.4.0-1].
    pub(super) fn repeat(&mut self, history: &mut History) {
        let mut packets = Vec::new();
        for sent in &self.pending {
            match sent.packet.packet_id {
                Some(id) if sent.is_released => packets.push(pubrel(id)),
                _ => {
                    let message = sent.message;
                    history.add(Fact::Publishes { message });
                    let packet = sent.packet.clone();
                    packets.push(Packet::Publish(Box::new(Publish {
                        dup: true,
                        ..packet
                    })));
                }
            }
        }
        for packet in packets {
            self.send(packet);
        }
    }

    pub(super) fn handle_puback(&mut self, id: PacketId, history: &mut History) {
        self.acknowledged(id, history);
        self.finish(id);
    }

    pub(super) fn handle_pubrec(&mut self, id: PacketId, history: &mut History) {
        self.acknowledged(id, history);
        for sent in &mut self.pending {
            sent.is_released |= sent.packet.packet_id == Some(id);
        }
        self.send(pubrel(id));
    }

    pub(super) fn handle_pubcomp(&mut self, id: PacketId) {
        self.finish(id);
    }

    fn acknowledged(&self, id: PacketId, history: &mut History) {
        let mut pending = self.pending.iter();
        if let Some(sent) = pending.find(|sent| sent.packet.packet_id == Some(id)) {
            let message = sent.message;
            history.add(Fact::Acknowledged { message });
        }
    }

    pub(super) fn finish(&mut self, id: PacketId) {
        self.pending
            .retain(|sent| sent.packet.packet_id != Some(id));
    }
}

/// The number of the message, and something behind it, so that packets are short and long.
fn payload(message: MessageId, is_clear: bool, random: &mut Random) -> Bytes {
    if is_clear {
        return Bytes::new();
    }
    let length = *random.pick(&[0, 0, 0, 10, 100, 900]);
    Bytes::from(format!("{message} {}", "x".repeat(length)))
}

fn pubrel(id: PacketId) -> Packet {
    Packet::PubRel(Ack::new(id, ReasonCode::Success))
}
