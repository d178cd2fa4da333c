//! Packets in few words.

use std::num::NonZeroU16;

use bytes::Bytes;
use ebbtide_protocol::{
    Packet, PacketId, QoS, ReasonCode, TopicFilter, TopicName, Version,
    packet::{
        Connect, Disconnect, MessageProperties, Publish, Subscribe, Subscription,
        SubscriptionOptions, Unsubscribe, Will,
    },
};

pub fn packet_id(id: u16) -> PacketId {
    NonZeroU16::new(id).expect("not zero")
}

pub fn text(publish: &Publish) -> String {
    String::from_utf8(publish.payload.to_vec()).expect("text")
}

/// A v5 client whose session ends with the connection.
pub fn clean(id: &str) -> Connect {
    Connect {
        client_id: id.into(),
        clean_start: true,
        ..Connect::default()
    }
}

/// A v5 client that resumes, or begins, a session that never expires.
pub fn kept(id: &str) -> Connect {
    Connect {
        client_id: id.into(),
        session_expiry_interval: Some(u32::MAX),
        ..Connect::default()
    }
}

/// A 3.1.1 client that resumes, or begins, its session.
pub fn kept_3(id: &str) -> Connect {
    Connect {
        client_id: id.into(),
        version: Version::V3_1_1,
        ..Connect::default()
    }
}

pub fn will(topic: &str, payload: &str, delay_interval: u32) -> Will {
    Will {
        topic: TopicName::new(topic).expect("a topic"),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        qos: QoS::AtLeastOnce,
        retain: false,
        delay_interval,
        properties: MessageProperties::default(),
    }
}

pub fn publish(id: u16, topic: &str, payload: &str, qos: QoS) -> Publish {
    Publish {
        dup: false,
        qos,
        retain: false,
        topic: Some(TopicName::new(topic).expect("a topic")),
        packet_id: (qos > QoS::AtMostOnce).then(|| packet_id(id)),
        topic_alias: None,
        subscription_identifiers: Vec::new(),
        properties: MessageProperties::default(),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
    }
}

pub fn subscribe(id: u16, filter: &str, options: SubscriptionOptions) -> Packet {
    Packet::Subscribe(Subscribe {
        packet_id: packet_id(id),
        subscription_identifier: None,
        user_properties: Vec::new(),
        subscriptions: vec![Subscription {
            filter: TopicFilter::new(filter).expect("a filter"),
            options,
        }],
    })
}

pub fn unsubscribe(id: u16, filter: &str) -> Packet {
    Packet::Unsubscribe(Unsubscribe {
        packet_id: packet_id(id),
        user_properties: Vec::new(),
        filters: vec![TopicFilter::new(filter).expect("a filter")],
    })
}

pub fn disconnect(reason: ReasonCode) -> Packet {
    Packet::Disconnect(Box::new(Disconnect::new(reason)))
}
