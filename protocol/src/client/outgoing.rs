//! A message that the application wants published, and what it asks of its delivery.

use alloc::vec::Vec;

use bytes::Bytes;

use super::Millis;
use crate::{
    PacketId, QoS, TopicName,
    packet::{MessageProperties, Publish},
};

/// Names a publish from its submission to its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublishHandle(pub(super) u64);

impl PublishHandle {
    /// As a number: ascending in the order of submission.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }

    /// The handle with this number.
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        Self(number)
    }
}

/// A message that the application wants published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// Where.
    pub topic: TopicName,
    /// Its content.
    pub payload: Bytes,
    /// Delivery guarantee.
    pub qos: QoS,
    /// Whether the server keeps it for later subscribers.
    pub retain: bool,
    /// Passed on to the subscribers; 3.1.1 has none.
    pub properties: MessageProperties,
}

/// What is asked of a delivery beyond its QoS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// From then on it is not sent for the first time any more. What is left until then is sent as the Message Expiry
    /// Interval, unless the message has a shorter one.
    pub deadline: Option<Millis>,
    /// QoS 2, and the server lost the session in the middle: send it again, at the risk that it arrives twice, instead
    /// of an unknown outcome.
    pub resend: bool,
}

impl Delivery {
    pub(super) fn has_expired(&self, now: Millis) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }
}

/// How far a publish of an earlier run had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It may have been sent; no answer had come.
    Sent,
    /// QoS 2, and PUBREC had come.
    Released,
}

impl OutgoingMessage {
    pub(super) fn size(&self) -> usize {
        self.topic.as_str().len() + self.payload.len()
    }

    /// A PUBLISH of it; shares the payload.
    pub(super) fn to_publish(
        &self,
        now: Millis,
        delivery: Delivery,
        packet_id: Option<PacketId>,
        dup: bool,
    ) -> Publish {
        let mut properties = self.properties.clone();
        if let Some(deadline) = delivery.deadline {
            // Never 0: what had to be sent again although its time is over is not to live for ever at a server that
            // takes 0 for none.
            let left_s = deadline.saturating_sub(now).div_ceil(1_000).max(1);
            let left_s = u32::try_from(left_s).unwrap_or(u32::MAX);
            let own_s = properties.message_expiry_interval;
            properties.message_expiry_interval = Some(own_s.map_or(left_s, |s| s.min(left_s)));
        }
        Publish {
            dup,
            qos: self.qos,
            retain: self.retain,
            topic: Some(self.topic.clone()),
            packet_id,
            topic_alias: None,
            subscription_identifiers: Vec::new(),
            properties,
            payload: self.payload.clone(),
        }
    }
}
