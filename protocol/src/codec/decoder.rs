//! Cuts a byte stream into packets.
//!
//! What the first bytes already show to be wrong (type, flags, sender, size) is refused before the rest is awaited. The
//! decoder holds no bytes of its own and never enlarges the input. A packet shares its memory with no other one: who keeps
//! a part of it keeps no more than that packet.

use alloc::boxed::Box;

use bytes::{Buf, Bytes, BytesMut};

use super::reader::{Reader, variable_byte_integer};
use super::{
    ack, auth, connack, connect, disconnect, packet_type as kind, publish, subscribe, unsubscribe,
};
use crate::{Packet, Version, Violation};

/// Which side a program is on: what it reads is what the other side writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reads what clients write.
    Server,
    /// Reads what servers write.
    Client,
}

/// Packets up to this size are always copied out of the input.
const COPIED_BYTES_MAX: usize = 16 * 1024;

/// Reads the packets of one connection. After a [`Violation`] the stream has no meaning any more: close it.
#[derive(Clone, Debug)]
pub struct Decoder {
    role: Role,
    version: Option<Version>,
    maximum_packet_size: u32,
}

impl Decoder {
    /// For a new connection. No packet above `maximum_packet_size` bytes, fixed header included, is taken.
    ///
    /// A server learns the version from CONNECT; a client must set it, unless it is 5.0.
    #[must_use]
    pub fn new(role: Role, maximum_packet_size: u32) -> Self {
        let version = match role {
            Role::Server => None,
            Role::Client => Some(Version::default()),
        };
        Self {
            role,
            version,
            maximum_packet_size,
        }
    }

    /// Fixes the version. A server decoder then takes no CONNECT any more.
    pub fn set_version(&mut self, version: Version) {
        self.version = Some(version);
    }

    /// The version, once it is known. After a violation in CONNECT it is the one to answer in, if there is any.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.version
    }

    /// Changes the limit: a server may have a smaller one until the client is authenticated.
    pub fn set_maximum_packet_size(&mut self, maximum_packet_size: u32) {
        self.maximum_packet_size = maximum_packet_size;
    }

    /// Takes the next packet from the front of `input`; `None` while it is not complete. `input` is then unchanged.
    ///
    /// # Errors
    /// What the peer did wrong. The connection must end.
    pub fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Packet>, Violation> {
        self.decode_as(self.role, input)
    }

    /// As [`Decoder::decode`], by the role that it was made for. A program that says the same role everywhere, as a
    /// constant, carries no code for what only the other side reads.
    ///
    /// # Errors
    /// As [`Decoder::decode`].
    pub fn decode_as(
        &mut self,
        role: Role,
        input: &mut BytesMut,
    ) -> Result<Option<Packet>, Violation> {
        debug_assert_eq!(role, self.role, "the role that `new` was told");
        let Some(&first) = input.first() else {
            return Ok(None);
        };
        self.admit(role, first)?;
        let Some((remaining, length_bytes, shortest)) = variable_byte_integer(&input[1..])? else {
            return Ok(None);
        };
        if !shortest && self.version.is_some_and(Version::requires_shortest_length) {
            return Err(Violation::VariableByteInteger);
        }
        let head = 1 + length_bytes;
        let total = head + remaining as usize;
        // [MQTT-3.1.2-24, MQTT-3.2.2-15]
        if total > self.maximum_packet_size as usize {
            return Err(Violation::PacketTooLarge);
        }
        if input.len() < total {
            return Ok(None);
        }
        if let Some(packet) = ack::bare(first, &input[head..total]) {
            input.advance(total);
            return Ok(Some(packet?));
        }
        let mut packet = take(input, total);
        packet.advance(head);
        let packet = self.decode_body(role, first, Reader::new(packet))?;
        // Only now a CONNECT has told the version.
        if !shortest && self.version.is_some_and(Version::requires_shortest_length) {
            return Err(Violation::VariableByteInteger);
        }
        Ok(Some(packet))
    }

    /// Checks the first byte: type, flags and whether this packet may come from that side.
    fn admit(&self, role: Role, first: u8) -> Result<(), Violation> {
        let packet_type = first >> 4;
        match self.version {
            // [MQTT-3.1.0-1]
            None if packet_type != kind::CONNECT => return Err(Violation::ConnectExpected),
            // [MQTT-3.1.0-2]
            Some(_) if packet_type == kind::CONNECT && role == Role::Server => {
                return Err(Violation::ConnectTwice);
            }
            _ => {}
        }
        let version = self.version.unwrap_or_default();
        // Section 2.1.2: 0 is reserved, 15 is since 5.0 no more.
        if packet_type == 0 || (packet_type == kind::AUTH && !version.has_auth()) {
            return Err(Violation::ReservedPacketType);
        }
        let expected = match role {
            Role::Server => !matches!(
                packet_type,
                kind::CONNACK | kind::SUBACK | kind::UNSUBACK | kind::PINGRESP
            ),
            Role::Client => match packet_type {
                kind::CONNECT | kind::SUBSCRIBE | kind::UNSUBSCRIBE | kind::PINGREQ => false,
                kind::DISCONNECT => version.server_may_disconnect(),
                _ => true,
            },
        };
        if !expected {
            return Err(Violation::UnexpectedPacket);
        }
        // [MQTT-2.1.3-1, MQTT-3.6.1-1, MQTT-3.8.1-1, MQTT-3.10.1-1, MQTT-3.14.1-1, MQTT-3.15.1-1]
        let flags = first & 0x0F;
        let flags_fit = match packet_type {
            kind::PUBLISH => true,
            kind::PUBREL | kind::SUBSCRIBE | kind::UNSUBSCRIBE => {
                flags == 0x02 || (flags == 0x0A && version.tolerates_dup())
            }
            _ => flags == 0,
        };
        if flags_fit {
            Ok(())
        } else {
            Err(Violation::FixedHeaderFlags)
        }
    }

    fn decode_body(&mut self, role: Role, first: u8, body: Reader) -> Result<Packet, Violation> {
        let version = self.version.unwrap_or_default();
        Ok(match first >> 4 {
            kind::PUBLISH => Packet::Publish(Box::new(publish::decode(
                first & 0x0F,
                body,
                version,
                role,
            )?)),
            kind::PUBACK => Packet::PubAck(ack::decode(body, version, ack::Step::Received(role))?),
            kind::PUBREC => Packet::PubRec(ack::decode(body, version, ack::Step::Received(role))?),
            kind::PUBREL => Packet::PubRel(ack::decode(body, version, ack::Step::Released)?),
            kind::PUBCOMP => Packet::PubComp(ack::decode(body, version, ack::Step::Released)?),
            kind::PINGREQ if role == Role::Server => {
                body.finish()?;
                Packet::PingReq
            }
            kind::PINGRESP if role == Role::Client => {
                body.finish()?;
                Packet::PingResp
            }
            kind::CONNECT if role == Role::Server => {
                Packet::Connect(Box::new(connect::decode(body, &mut self.version)?))
            }
            kind::CONNACK if role == Role::Client => {
                Packet::ConnAck(Box::new(connack::decode(body, version)?))
            }
            kind::SUBSCRIBE if role == Role::Server => {
                Packet::Subscribe(subscribe::decode(body, version)?)
            }
            kind::SUBACK if role == Role::Client => {
                Packet::SubAck(subscribe::decode_ack(body, version)?)
            }
            kind::UNSUBSCRIBE if role == Role::Server => {
                Packet::Unsubscribe(unsubscribe::decode(body, version)?)
            }
            kind::UNSUBACK if role == Role::Client => {
                Packet::UnsubAck(unsubscribe::decode_ack(body, version)?)
            }
            kind::DISCONNECT => {
                Packet::Disconnect(Box::new(disconnect::decode(body, version, role)?))
            }
            kind::AUTH => Packet::Auth(Box::new(auth::decode(body, role)?)),
            // `admit` has refused it.
            _ => return Err(Violation::UnexpectedPacket),
        })
    }
}

/// The first `length` bytes. Strings and payloads are slices of them and may be kept for long, so nothing else that
/// has come may hang on to them. Whichever is shorter, the packet or what follows it, is copied.
fn take(input: &mut BytesMut, length: usize) -> Bytes {
    if length <= COPIED_BYTES_MAX || length <= input.len() / 2 {
        let packet = Bytes::copy_from_slice(&input[..length]);
        input.advance(length);
        return packet;
    }
    let rest = BytesMut::from(&input[length..]);
    let mut packet = core::mem::replace(input, rest);
    packet.truncate(length);
    packet.freeze()
}
