//! What packets say for people to read never makes them larger than the receiver takes.

use std::num::NonZeroU16;

use bytes::BytesMut;
use ebbtide_protocol::{
    Packet, PacketId, ReasonCode, Version,
    codec::{encode, encoded_len, fit},
    packet::{Ack, Auth, ConnAck, Disconnect, SubAck, UnsubAck},
};

const ID: PacketId = NonZeroU16::MIN;
const REASON: &str = "because";

/// Every packet that may say why, saying so.
fn packets(with_reason: bool, with_properties: bool) -> Vec<Packet> {
    let reason_string = with_reason.then(|| REASON.into());
    let user_properties = match with_properties {
        true => vec![("name".into(), "value".into()); 2],
        false => Vec::new(),
    };
    let ack = |reason| Ack {
        reason_string: reason_string.clone(),
        user_properties: user_properties.clone(),
        ..Ack::new(ID, reason)
    };
    let connack = ConnAck {
        reason_string: reason_string.clone(),
        user_properties: user_properties.clone(),
        ..ConnAck::new(ReasonCode::NotAuthorized, false)
    };
    let disconnect = Disconnect {
        reason_string: reason_string.clone(),
        user_properties: user_properties.clone(),
        ..Disconnect::new(ReasonCode::NotAuthorized)
    };
    vec![
        Packet::ConnAck(Box::new(connack)),
        Packet::PubAck(ack(ReasonCode::NotAuthorized)),
        Packet::PubRec(ack(ReasonCode::NotAuthorized)),
        Packet::PubRel(ack(ReasonCode::PacketIdentifierNotFound)),
        Packet::PubComp(ack(ReasonCode::PacketIdentifierNotFound)),
        Packet::SubAck(SubAck {
            packet_id: ID,
            reason_string: reason_string.clone(),
            user_properties: user_properties.clone(),
            reasons: vec![ReasonCode::NotAuthorized],
        }),
        Packet::UnsubAck(UnsubAck {
            packet_id: ID,
            reason_string: reason_string.clone(),
            user_properties: user_properties.clone(),
            reasons: vec![ReasonCode::NotAuthorized],
        }),
        Packet::Disconnect(Box::new(disconnect)),
        Packet::Auth(Box::new(Auth {
            reason: ReasonCode::ContinueAuthentication,
            authentication_method: Some("riddle".into()),
            authentication_data: None,
            reason_string,
            user_properties,
        })),
    ]
}

/// What `fit` leaves of the packet, if it can be sent at all.
fn fitted(packet: &Packet, bytes_max: usize) -> Option<Packet> {
    let mut packet = packet.clone();
    let limit = u32::try_from(bytes_max).expect("a small packet");
    let may_be_sent = fit(&mut packet, Version::V5, limit);
    let mut output = BytesMut::new();
    encode(&packet, Version::V5, &mut output);
    assert_eq!(may_be_sent, output.len() <= bytes_max, "{packet:?}");
    may_be_sent.then_some(packet)
}

fn len(packet: &Packet) -> usize {
    encoded_len(packet, Version::V5)
}

/// [MQTT-3.2.2-20, MQTT-3.4.2-3, MQTT-3.5.2-3, MQTT-3.6.2-3, MQTT-3.7.2-3, MQTT-3.9.2-2, MQTT-3.11.2-2, MQTT-3.14.2-4,
/// MQTT-3.15.2-3]
#[test]
fn user_properties_go_first() {
    for (whole, reason_only) in packets(true, true).iter().zip(packets(true, false)) {
        assert_eq!(fitted(whole, len(whole)).as_ref(), Some(whole));
        for bytes_max in len(&reason_only)..len(whole) {
            assert_eq!(fitted(whole, bytes_max).as_ref(), Some(&reason_only));
        }
    }
}

/// [MQTT-3.2.2-19, MQTT-3.4.2-2, MQTT-3.5.2-2, MQTT-3.6.2-2, MQTT-3.7.2-2, MQTT-3.9.2-1, MQTT-3.11.2-1, MQTT-3.14.2-3,
/// MQTT-3.15.2-2]
#[test]
fn the_reason_string_goes_next() {
    for (whole, bare) in packets(true, false).iter().zip(packets(false, false)) {
        assert_eq!(fitted(whole, len(whole)).as_ref(), Some(whole));
        for bytes_max in len(&bare)..len(whole) {
            assert_eq!(fitted(whole, bytes_max).as_ref(), Some(&bare));
        }
    }
}

/// [MQTT-3.1.2-24]
#[test]
fn what_is_too_large_all_the_same_is_not_sent() {
    for bare in packets(false, false) {
        assert_eq!(fitted(&bare, len(&bare) - 1), None);
    }
}
