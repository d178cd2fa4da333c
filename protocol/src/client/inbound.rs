//! Messages from the server: aliases resolved, QoS 2 delivered once, each acknowledged when the application takes it.

use super::alias::InboundAliases;
use crate::{
    Packet, PacketId, QoS, ReasonCode, TopicName,
    packet::{Ack, Publish},
};

/// The acknowledgement that a message owes, valid on the connection it came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owed {
    packet_id: PacketId,
    qos: QoS,
    connection: u32,
}

/// What to do with a PUBLISH.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// Hand it on, then acknowledge.
    New(TopicName, Option<Owed>),
    /// It was handed on before: only answer.
    Duplicate(Packet),
}

/// The receiving side's state.
#[derive(Debug)]
pub(super) struct Inbound {
    /// QoS 2 packet ids received and not released, ascending: part of the session.
    unreleased: Vec<PacketId>,
    aliases: InboundAliases,
    receive_maximum: u16,
    /// QoS 1 messages of this connection that are not acknowledged.
    qos1_owed: usize,
    connection: u32,
}

impl Inbound {
    pub(super) fn new() -> Self {
        Self {
            unreleased: Vec::new(),
            aliases: InboundAliases::default(),
            receive_maximum: u16::MAX,
            qos1_owed: 0,
            connection: 0,
        }
    }

    /// A connection begins.
    pub(super) fn connected(
        &mut self,
        session_present: bool,
        receive_maximum: u16,
        alias_maximum: u16,
    ) {
        self.aliases = InboundAliases::new(alias_maximum);
        self.receive_maximum = receive_maximum;
        self.qos1_owed = 0;
        self.connection = self.connection.wrapping_add(1);
        if !session_present {
            self.unreleased.clear();
        }
    }

    /// A PUBLISH came in.
    pub(super) fn publish(&mut self, publish: &Publish) -> Result<Received, ReasonCode> {
        let topic = self.aliases.resolve(publish)?;
        let Some(packet_id) = publish.packet_id else {
            return Ok(Received::New(topic, None));
        };
        let place = self.unreleased.binary_search(&packet_id);
        if publish.qos == QoS::ExactlyOnce && place.is_ok() {
            // [MQTT-4.3.3-10]
            let ack = Ack::new(packet_id, ReasonCode::Success);
            return Ok(Received::Duplicate(Packet::PubRec(ack)));
        }
        if self.qos1_owed + self.unreleased.len() >= usize::from(self.receive_maximum) {
            // [MQTT-3.3.4-9]
            return Err(ReasonCode::ReceiveMaximumExceeded);
        }
        match place {
            Err(place) if publish.qos == QoS::ExactlyOnce => {
                self.unreleased.insert(place, packet_id);
            }
            _ => self.qos1_owed += 1,
        }
        let owed = Owed {
            packet_id,
            qos: publish.qos,
            connection: self.connection,
        };
        Ok(Received::New(topic, Some(owed)))
    }

    /// The application took the message. Nothing is sent when its connection is gone: the server sends it again.
    pub(super) fn taken(&mut self, owed: Owed) -> Option<Packet> {
        if owed.connection != self.connection {
            return None;
        }
        let ack = Ack::new(owed.packet_id, ReasonCode::Success);
        if owed.qos == QoS::ExactlyOnce {
            return Some(Packet::PubRec(ack));
        }
        self.qos1_owed -= 1;
        Some(Packet::PubAck(ack))
    }

    /// PUBREL: the packet id is free again [MQTT-4.3.3-11].
    pub(super) fn pubrel(&mut self, ack: &Ack) -> Packet {
        let reason = match self.unreleased.binary_search(&ack.packet_id) {
            Ok(place) => {
                self.unreleased.remove(place);
                ReasonCode::Success
            }
            Err(_) => ReasonCode::PacketIdentifierNotFound,
        };
        Packet::PubComp(Ack::new(ack.packet_id, reason))
    }
}
