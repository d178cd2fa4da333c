//! PUBLISH (section 3.3).

use alloc::vec::Vec;
use core::num::NonZeroU16;

use bytes::Bytes;

use super::UserProperty;
use crate::{ByteString, PacketId, QoS, TopicName};

/// An application message on its way between one client and the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// Sent before, perhaps.
    pub dup: bool,
    /// Delivery guarantee.
    pub qos: QoS,
    /// Towards the server: keep it. Towards a client: it was kept.
    pub retain: bool,
    /// `None` only together with `topic_alias`: the topic is the one that the alias stands for.
    pub topic: Option<TopicName>,
    /// Present exactly when `qos` is above 0 [MQTT-2.2.1-2].
    pub packet_id: Option<PacketId>,
    /// Topic Alias, for this connection and direction only.
    pub topic_alias: Option<NonZeroU16>,
    /// Subscription Identifiers (1 to 268,435,455) of the subscriptions that caused it; server to client only.
    pub subscription_identifiers: Vec<u32>,
    /// What is passed on unaltered from publisher to subscriber.
    pub properties: MessageProperties,
    /// The content.
    pub payload: Bytes,
}

/// The properties that belong to the application message and travel with it end to end, in PUBLISH and in a will: all but
/// the lifetime reach the subscriber as they came [MQTT-3.3.2-4, MQTT-3.3.2-15, MQTT-3.3.2-16, MQTT-3.3.2-17,
/// MQTT-3.3.2-20].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct MessageProperties {
    /// `Some(true)`: the payload is UTF-8 text.
    pub payload_format_indicator: Option<bool>,
    /// Lifetime in seconds. On the way out the server sets what is left of it [MQTT-3.3.2-6].
    pub message_expiry_interval: Option<u32>,
    /// A MIME type, by convention.
    pub content_type: Option<ByteString>,
    /// Where a response should go: a topic name without wildcards [MQTT-3.3.2-14].
    pub response_topic: Option<TopicName>,
    /// Ties a response to its request.
    pub correlation_data: Option<Bytes>,
    /// User Properties, in order [MQTT-3.1.3-10, MQTT-3.3.2-18].
    pub user_properties: Vec<UserProperty>,
}
