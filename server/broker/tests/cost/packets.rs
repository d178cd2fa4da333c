//! The packets that clients send, encoded once: while they are played only packet identifiers change.

use std::num::NonZeroU16;

use bytes::{Bytes, BytesMut};
use ebbtide_protocol::{
    Packet, PacketId, QoS, ReasonCode, TopicFilter, TopicName, Version,
    codec::encode,
    packet::{
        Connect, Disconnect, MessageProperties, Publish, Subscribe, Subscription,
        SubscriptionOptions, Unsubscribe,
    },
};

/// As many bytes of payload as the benchmarks have.
const PAYLOAD: &[u8] = &[b'x'; 256];

/// A PUBLISH that is sent again and again.
pub struct Template {
    bytes: Vec<u8>,
    packet_id_at: Option<usize>,
    next_id: u16,
}

impl Template {
    pub fn new(topic: &str, qos: QoS, retain: bool) -> Self {
        let has_id = qos > QoS::AtMostOnce;
        let bytes = bytes(&Packet::Publish(Box::new(Publish {
            dup: false,
            qos,
            retain,
            topic: Some(TopicName::new(topic).expect("a topic")),
            packet_id: has_id.then_some(PacketId::MIN),
            topic_alias: None,
            subscription_identifiers: Vec::new(),
            properties: MessageProperties::default(),
            payload: Bytes::from_static(PAYLOAD),
        })));
        // Behind it: the length of the properties, which are none.
        let packet_id_at = bytes.len() - PAYLOAD.len() - 3;
        Self {
            bytes: bytes.to_vec(),
            packet_id_at: has_id.then_some(packet_id_at),
            next_id: 0,
        }
    }

    /// The next one.
    pub fn put(&mut self, input: &mut BytesMut) {
        if let Some(at) = self.packet_id_at {
            self.next_id = self.next_id % u16::MAX + 1;
            self.bytes[at..at + 2].copy_from_slice(&self.next_id.to_be_bytes());
        }
        input.extend_from_slice(&self.bytes);
    }
}

pub fn connect(client_id: &str, is_kept: bool) -> BytesMut {
    bytes(&Packet::Connect(Box::new(Connect {
        client_id: client_id.into(),
        username: Some(client_id.into()),
        clean_start: !is_kept,
        session_expiry_interval: is_kept.then_some(u32::MAX),
        receive_maximum: NonZeroU16::new(4096),
        ..Connect::default()
    })))
}

pub fn subscribe(filter: &str, qos: QoS) -> BytesMut {
    let options = SubscriptionOptions {
        qos,
        ..SubscriptionOptions::default()
    };
    bytes(&Packet::Subscribe(Subscribe {
        packet_id: PacketId::MAX,
        subscription_identifier: None,
        user_properties: Vec::new(),
        subscriptions: vec![Subscription {
            filter: filter_of(filter),
            options,
        }],
    }))
}

pub fn unsubscribe(filter: &str) -> BytesMut {
    bytes(&Packet::Unsubscribe(Unsubscribe {
        packet_id: PacketId::MAX,
        user_properties: Vec::new(),
        filters: vec![filter_of(filter)],
    }))
}

pub fn disconnect() -> BytesMut {
    let disconnect = Disconnect::new(ReasonCode::Success);
    bytes(&Packet::Disconnect(Box::new(disconnect)))
}

fn filter_of(filter: &str) -> TopicFilter {
    TopicFilter::new(filter).expect("a filter")
}

fn bytes(packet: &Packet) -> BytesMut {
    let mut bytes = BytesMut::new();
    encode(packet, Version::V5, &mut bytes);
    bytes
}
