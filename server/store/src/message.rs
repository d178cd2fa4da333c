//! The application message as the broker holds it, and who is to get it.

use std::sync::Arc;

use bytes::Bytes;
use ebbtide_protocol::{QoS, TopicName, packet::MessageProperties};

use crate::{Incarnation, Properties, WallTime};

/// An application message. It is never changed once it is accepted; who holds it shares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it was published to.
    pub topic: TopicName,
    /// Its content.
    pub payload: Bytes,
    /// As published.
    pub qos: QoS,
    /// As published; for a delivery from the retained store: set.
    pub retain: bool,
    /// When the broker accepted it: its expiry counts from here.
    pub accepted_at: WallTime,
    /// What travels with it. `message_expiry_interval` is as published.
    pub properties: Properties,
}

impl Message {
    /// Bytes of memory that its content takes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        content_size(&self.topic, &self.payload, &self.properties)
    }

    /// The same, as limits of queues and of retained messages count it: topic, payload and properties.
    #[must_use]
    pub fn content_bytes(&self) -> u64 {
        self.size_bytes() as u64
    }

    /// When it expires, if it does.
    #[must_use]
    pub fn expires_at(&self) -> Option<WallTime> {
        let seconds = self.properties.message_expiry_interval?;
        Some(WallTime(
            self.accepted_at.0.saturating_add(u64::from(seconds) * 1000),
        ))
    }
}

/// Bytes that a message of these would hold, roughly.
#[must_use]
pub fn content_size(topic: &TopicName, payload: &Bytes, properties: &MessageProperties) -> usize {
    let optional = |length: Option<usize>| length.unwrap_or(0);
    let user_properties: usize = properties
        .user_properties
        .iter()
        .map(|(name, value)| name.len() + value.len() + 2 * size_of::<Bytes>())
        .sum();
    let response_topic = properties.response_topic.as_ref();
    topic.as_str().len()
        + payload.len()
        + optional(properties.content_type.as_ref().map(|text| text.len()))
        + optional(response_topic.map(|topic| topic.as_str().len()))
        + optional(properties.correlation_data.as_ref().map(Bytes::len))
        + user_properties
}

/// One session, or group of a shared subscription, that is to get a message, and how. Only those that are kept, and
/// only at QoS 1 or 2. For a group it is as published: the subscription of the member that gets it decides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Recipient {
    /// Which session or group.
    pub session: Incarnation,
    /// QoS of this delivery: the lower of the message's and the highest that was granted.
    pub qos: QoS,
    /// The RETAIN flag of this delivery.
    pub retain: bool,
    /// The identifiers of all its subscriptions that match, in the order of subscribing.
    pub subscription_identifiers: Vec<u32>,
}

/// Everybody who is to get a message, ascending by session. The same subscribers give an equal set, so a store
/// keeps each distinct set once.
pub type RecipientSet = Arc<[Recipient]>;

/// Bytes of memory that a set of these takes. A recipient has as many identifiers as subscriptions that match, which may be thousands.
#[must_use]
pub fn set_size(recipients: &[Recipient]) -> usize {
    let identifiers = |recipient: &Recipient| size_of_val(&*recipient.subscription_identifiers);
    size_of_val(recipients) + recipients.iter().map(identifiers).sum::<usize>()
}
