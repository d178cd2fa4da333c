//! Messages from the server: aliases resolved, QoS 2 delivered once, each acknowledged when the application takes it.

use alloc::vec::Vec;

use super::{
    alias::InboundAliases,
    journal::{Journal, JournalEntry},
    packet_ids::PacketIds,
};
use crate::{
    Packet, PacketId, QoS, ReasonCode, TopicName,
    packet::{Ack, Publish},
};

/// The PUBACK or PUBREC that a message is owed, valid on the connection it came by.
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
    /// It was handed on, or stored, before: only answer.
    Duplicate(Owed),
}

/// A QoS 2 packet id between PUBLISH and PUBREL.
#[derive(Debug)]
struct Unreleased {
    packet_id: PacketId,
    /// Its PUBLISH came on this connection: it counts against the Receive Maximum.
    counts: bool,
    /// The server may have begun another session since, and know nothing of it.
    is_doubtful: bool,
}

/// The receiving side's state.
#[derive(Debug)]
pub(super) struct Inbound {
    /// QoS 2 packet ids received and not released, ascending: part of the session.
    unreleased: Vec<Unreleased>,
    is_durable: bool,
    /// QoS 1 packet ids of what is stored and has had no PUBACK. The server cannot use them for anything else, so what
    /// it repeats is not stored again, however often the connection breaks while acknowledgements are held.
    stored: PacketIds,
    aliases: InboundAliases,
    receive_maximum: u16,
    /// Messages of this connection without a PUBACK or PUBCOMP.
    unacknowledged: usize,
    connection: u32,
}

impl Inbound {
    pub(super) fn new(is_durable: bool) -> Self {
        Self {
            unreleased: Vec::new(),
            is_durable,
            stored: PacketIds::new(),
            aliases: InboundAliases::default(),
            receive_maximum: u16::MAX,
            unacknowledged: 0,
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
        self.unacknowledged = 0;
        self.connection = self.connection.wrapping_add(1);
        if !session_present {
            self.unreleased.clear();
            self.stored.clear();
        }
        for unreleased in &mut self.unreleased {
            unreleased.counts = false;
        }
    }

    /// Whether the server may have begun its session while nobody heard of it.
    pub(super) fn doubt(&mut self, is_doubtful: bool) {
        if is_doubtful {
            // Rather one message twice than another one not at all.
            self.stored.clear();
        }
        for unreleased in &mut self.unreleased {
            unreleased.is_doubtful = is_doubtful;
        }
    }

    /// A QoS 2 packet id that was received and not released in an earlier run.
    pub(super) fn restore(&mut self, packet_id: PacketId) {
        if let Err(place) = self.search(packet_id) {
            let restored = Unreleased {
                packet_id,
                counts: false,
                is_doubtful: true,
            };
            self.unreleased.insert(place, restored);
        }
    }

    fn search(&self, packet_id: PacketId) -> Result<usize, usize> {
        self.unreleased
            .binary_search_by_key(&packet_id, |u| u.packet_id)
    }

    /// All of this connection is acknowledged: the server has room for more.
    pub(super) fn is_clear(&self) -> bool {
        self.unacknowledged == 0
    }

    /// A PUBLISH came in.
    pub(super) fn publish(&mut self, publish: &Publish) -> Result<Received, ReasonCode> {
        let topic = self.aliases.resolve(publish)?;
        let Some(packet_id) = publish.packet_id else {
            return Ok(Received::New(topic, None));
        };
        let owed = Owed {
            packet_id,
            qos: publish.qos,
            connection: self.connection,
        };
        let is_exact = publish.qos == QoS::ExactlyOnce;
        let place = self.search(packet_id);
        if is_exact
            && let Ok(place) = place
            && self.unreleased[place].counts
        {
            // [MQTT-4.3.3-10]
            return Ok(Received::Duplicate(owed));
        }
        if self.unacknowledged >= usize::from(self.receive_maximum) {
            // [MQTT-3.3.4-9]
            return Err(ReasonCode::ReceiveMaximumExceeded);
        }
        self.unacknowledged += 1;
        match place {
            Ok(place) if is_exact => {
                let unreleased = &mut self.unreleased[place];
                unreleased.counts = true;
                // What is sent again after a reconnect has DUP [MQTT-3.3.1-1]; what has not is of another session.
                let is_another = core::mem::take(&mut unreleased.is_doubtful) && !publish.dup;
                if !is_another {
                    return Ok(Received::Duplicate(owed));
                }
            }
            Err(place) if is_exact => self.unreleased.insert(
                place,
                Unreleased {
                    packet_id,
                    counts: true,
                    is_doubtful: false,
                },
            ),
            // Without DUP it is another message, of a server that counts the first one as done.
            _ if self.is_durable && !self.stored.reserve(packet_id) && publish.dup => {
                return Ok(Received::Duplicate(owed));
            }
            _ => {}
        }
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
        // Once the server has this, it may use the packet id for the next one.
        self.stored.free(owed.packet_id);
        self.unacknowledged -= 1;
        Some(Packet::PubAck(ack))
    }

    /// PUBREL: the packet id is free again [MQTT-4.3.3-11].
    pub(super) fn pubrel(&mut self, ack: &Ack, journal: &mut Journal) -> Packet {
        let packet_id = ack.packet_id;
        let reason = match self.search(packet_id) {
            Ok(place) => {
                let unreleased = self.unreleased.remove(place);
                self.unacknowledged -= usize::from(unreleased.counts);
                journal.write(JournalEntry::Completed { packet_id });
                ReasonCode::Success
            }
            Err(_) => ReasonCode::PacketIdentifierNotFound,
        };
        Packet::PubComp(Ack::new(packet_id, reason))
    }
}
