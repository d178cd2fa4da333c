//! Packets to bytes, their exact size, and how to make them smaller.

use alloc::vec::Vec;

use bytes::BytesMut;

use super::publish::PublishRef;
use super::sink::{Counter, Sink, variable_length};
use super::{
    REMAINING_LENGTH_MAX, Role, ack, auth, connack, connect, disconnect, packet_type as kind,
    subscribe, unsubscribe,
};
use crate::packet::UserProperty;
use crate::{ByteString, Packet, Version};

/// Why a packet cannot be encoded as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A string or binary field has more than 65,535 bytes.
    #[error("a field has more than 65,535 bytes")]
    FieldTooLong,
    /// The packet has a Remaining Length of more than 268,435,455.
    #[error("the packet has more than 268,435,455 bytes")]
    PacketTooLong,
}

/// The size in bytes that the packet will have, or why it cannot be encoded. What was decoded always can; what a
/// program made up should be checked here first.
///
/// # Errors
/// See [`EncodeError`].
pub fn check(packet: &Packet, version: Version) -> Result<usize, EncodeError> {
    check_as(None, packet, version)
}

/// As [`check`], for packets that one side sends. A program that says the same role everywhere, as a constant, carries no
/// code for what only the other side sends.
///
/// # Errors
/// As [`check`].
pub fn check_as(
    role: Option<Role>,
    packet: &Packet,
    version: Version,
) -> Result<usize, EncodeError> {
    let mut counter = Counter::default();
    write(role, packet, version, &mut counter);
    if counter.field_too_long {
        Err(EncodeError::FieldTooLong)
    } else if counter.length > REMAINING_LENGTH_MAX {
        Err(EncodeError::PacketTooLong)
    } else {
        Ok(with_fixed_header(counter.length))
    }
}

/// The exact size of [`encode`]'s output in bytes, to be held against the peer's Maximum Packet Size.
#[must_use]
pub fn encoded_len(packet: &Packet, version: Version) -> usize {
    with_fixed_header(body_len(None, packet, version))
}

/// Appends the packet to `output`. What the version does not have is left out.
///
/// The packet must be one that the version can carry and that [`check`] takes. Else the output has the right shape all
/// the same, but a field above 65,535 bytes is cut and a packet that does not exist in 3.1.1 (AUTH) is not written.
pub fn encode(packet: &Packet, version: Version, output: &mut BytesMut) {
    encode_as(None, packet, version, output);
}

/// As [`encode`], for packets that one side sends; see [`check_as`].
pub fn encode_as(role: Option<Role>, packet: &Packet, version: Version, output: &mut BytesMut) {
    let exists = version.has_auth() || !matches!(packet, Packet::Auth(_));
    debug_assert!(exists, "AUTH exists in 5.0 only");
    if exists {
        let length = body_len(role, packet, version);
        start(first_byte(packet), length, 0, output);
        write(role, packet, version, output);
    }
}

/// The exact size of [`encode_publish`]'s output in bytes.
#[must_use]
pub fn publish_len(publish: &PublishRef<'_>, version: Version) -> usize {
    with_fixed_header(publish.body_len(version))
}

/// Appends a PUBLISH to `output`.
pub fn encode_publish(publish: &PublishRef<'_>, version: Version, output: &mut BytesMut) {
    start(publish.first_byte(), publish.body_len(version), 0, output);
    publish.write_head(version, output);
    output.put(publish.payload);
}

/// Appends a PUBLISH without its payload, which must follow: for writing a shared payload without copying it.
pub fn encode_publish_head(publish: &PublishRef<'_>, version: Version, output: &mut BytesMut) {
    start(
        publish.first_byte(),
        publish.body_len(version),
        publish.payload.len(),
        output,
    );
    publish.write_head(version, output);
}

/// Makes the packet fit into the receiver's Maximum Packet Size. It drops its User Properties [MQTT-3.2.2-20,
/// MQTT-3.4.2-3, MQTT-3.5.2-3, MQTT-3.6.2-3, MQTT-3.7.2-3, MQTT-3.9.2-2, MQTT-3.11.2-2, MQTT-3.14.2-4, MQTT-3.15.2-3],
/// then its Reason String [MQTT-3.2.2-19, MQTT-3.4.2-2, MQTT-3.5.2-2, MQTT-3.6.2-2, MQTT-3.7.2-2, MQTT-3.9.2-1,
/// MQTT-3.11.2-1, MQTT-3.14.2-3, MQTT-3.15.2-2]. `false` if it is still too large: then it must not be sent
/// [MQTT-3.1.2-24].
#[must_use]
pub fn fit(packet: &mut Packet, version: Version, maximum_packet_size: u32) -> bool {
    let fits = |packet: &Packet| encoded_len(packet, version) <= maximum_packet_size as usize;
    if fits(packet) {
        return true;
    }
    let Some((_, user_properties)) = diagnostics(packet) else {
        return false;
    };
    user_properties.clear();
    if fits(packet) {
        return true;
    }
    drop_diagnostics(packet);
    fits(packet)
}

/// Drops Reason String and User Properties where they only say why. A client that set Request Problem Information to
/// zero gets them in PUBLISH, CONNACK and DISCONNECT alone [MQTT-3.1.2-29]: for those the caller decides.
pub fn drop_diagnostics(packet: &mut Packet) {
    if let Some((reason_string, user_properties)) = diagnostics(packet) {
        *reason_string = None;
        user_properties.clear();
    }
}

/// Reason String and User Properties of a packet that may lose them.
fn diagnostics(packet: &mut Packet) -> Option<(&mut Option<ByteString>, &mut Vec<UserProperty>)> {
    match packet {
        Packet::PubAck(p) | Packet::PubRec(p) | Packet::PubRel(p) | Packet::PubComp(p) => {
            Some((&mut p.reason_string, &mut p.user_properties))
        }
        Packet::ConnAck(p) => Some((&mut p.reason_string, &mut p.user_properties)),
        Packet::SubAck(p) => Some((&mut p.reason_string, &mut p.user_properties)),
        Packet::UnsubAck(p) => Some((&mut p.reason_string, &mut p.user_properties)),
        Packet::Disconnect(p) => Some((&mut p.reason_string, &mut p.user_properties)),
        Packet::Auth(p) => Some((&mut p.reason_string, &mut p.user_properties)),
        Packet::Connect(_)
        | Packet::Publish(_)
        | Packet::Subscribe(_)
        | Packet::Unsubscribe(_)
        | Packet::PingReq
        | Packet::PingResp => None,
    }
}

/// Writes the fixed header of a packet and makes room for all of it but the last `apart` bytes.
fn start(first_byte: u8, remaining: usize, apart: usize, output: &mut BytesMut) {
    debug_assert!(
        remaining <= REMAINING_LENGTH_MAX,
        "the packet passed `check`"
    );
    output.reserve(with_fixed_header(remaining) - apart);
    output.u8(first_byte);
    output.variable(remaining);
}

fn with_fixed_header(remaining: usize) -> usize {
    1 + variable_length(remaining) + remaining
}

fn body_len(role: Option<Role>, packet: &Packet, version: Version) -> usize {
    let mut counter = Counter::default();
    write(role, packet, version, &mut counter);
    counter.length
}

fn first_byte(packet: &Packet) -> u8 {
    let (packet_type, flags) = match packet {
        Packet::Connect(_) => (kind::CONNECT, 0),
        Packet::ConnAck(_) => (kind::CONNACK, 0),
        Packet::Publish(publish) => return PublishRef::from(&**publish).first_byte(),
        Packet::PubAck(_) => (kind::PUBACK, 0),
        Packet::PubRec(_) => (kind::PUBREC, 0),
        // [MQTT-3.6.1-1]
        Packet::PubRel(_) => (kind::PUBREL, 2),
        Packet::PubComp(_) => (kind::PUBCOMP, 0),
        // [MQTT-3.8.1-1]
        Packet::Subscribe(_) => (kind::SUBSCRIBE, 2),
        Packet::SubAck(_) => (kind::SUBACK, 0),
        // [MQTT-3.10.1-1]
        Packet::Unsubscribe(_) => (kind::UNSUBSCRIBE, 2),
        Packet::UnsubAck(_) => (kind::UNSUBACK, 0),
        Packet::PingReq => (kind::PINGREQ, 0),
        Packet::PingResp => (kind::PINGRESP, 0),
        Packet::Disconnect(_) => (kind::DISCONNECT, 0),
        Packet::Auth(_) => (kind::AUTH, 0),
    };
    packet_type << 4 | flags
}

/// As [`write_body`]. In a browser, which downloads every byte, one copy serves all sinks; elsewhere each has its own,
/// which is faster.
#[cfg(target_family = "wasm")]
fn write(role: Option<Role>, packet: &Packet, version: Version, sink: &mut dyn Sink) {
    write_body(role, packet, version, sink);
}

#[cfg(not(target_family = "wasm"))]
fn write<S: Sink>(role: Option<Role>, packet: &Packet, version: Version, sink: &mut S) {
    write_body(role, packet, version, sink);
}

/// Everything behind the fixed header.
fn write_body<S: Sink + ?Sized>(
    role: Option<Role>,
    packet: &Packet,
    version: Version,
    sink: &mut S,
) {
    let of = |side: Role| role.is_none_or(|role| role == side);
    match packet {
        Packet::Connect(connect) if of(Role::Client) => connect::write(connect, version, sink),
        Packet::ConnAck(connack) if of(Role::Server) => connack::write(connack, version, sink),
        Packet::Publish(publish) => {
            let publish = PublishRef::from(&**publish);
            publish.write_head(version, sink);
            sink.put(publish.payload);
        }
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            ack::write(ack, version, sink);
        }
        Packet::Subscribe(subscribe) if of(Role::Client) => {
            subscribe::write(subscribe, version, sink);
        }
        Packet::SubAck(suback) if of(Role::Server) => subscribe::write_ack(suback, version, sink),
        Packet::Unsubscribe(unsubscribe) if of(Role::Client) => {
            unsubscribe::write(unsubscribe, version, sink);
        }
        Packet::UnsubAck(unsuback) if of(Role::Server) => {
            unsubscribe::write_ack(unsuback, version, sink);
        }
        Packet::PingReq | Packet::PingResp => {}
        Packet::Disconnect(disconnect) => disconnect::write(disconnect, version, sink),
        Packet::Auth(auth) => auth::write(auth, sink),
        _ => debug_assert!(false, "only the other side sends it"),
    }
}
