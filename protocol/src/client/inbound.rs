//! Messages from the server: aliases resolved, QoS 2 delivered once, each acknowledged when the application takes it.

use std::collections::BTreeSet;

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
    /// QoS 2 packet ids received and not released: part of the session.
    unreleased: BTreeSet<PacketId>,
    aliases: InboundAliases,
    receive_maximum: u16,
    /// QoS 1 messages of this connection that are not acknowledged.
    qos1_owed: usize,
    connection: u32,
}

impl Inbound {
    pub(super) fn new() -> Self {
        Self {
            unreleased: BTreeSet::new(),
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
        if publish.qos == QoS::ExactlyOnce && self.unreleased.contains(&packet_id) {
            // [MQTT-4.3.3-10]
            let ack = Ack::new(packet_id, ReasonCode::Success);
            return Ok(Received::Duplicate(Packet::PubRec(ack)));
        }
        if self.qos1_owed + self.unreleased.len() >= usize::from(self.receive_maximum) {
            // [MQTT-3.3.4-7]
            return Err(ReasonCode::ReceiveMaximumExceeded);
        }
        if publish.qos == QoS::ExactlyOnce {
            self.unreleased.insert(packet_id);
        } else {
            self.qos1_owed += 1;
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
        let reason = if self.unreleased.remove(&ack.packet_id) {
            ReasonCode::Success
        } else {
            ReasonCode::PacketIdentifierNotFound
        };
        Packet::PubComp(Ack::new(ack.packet_id, reason))
    }
}
