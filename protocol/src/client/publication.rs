//! One publish on its way to the server, in each of its stages. Values only.

use bytes::Bytes;

use super::Error;
use crate::{
    PacketId, QoS, ReasonCode, TopicName,
    packet::{MessageProperties, Publish},
};

/// Names a publish from its submission to its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublishHandle(pub(super) u64);

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

impl OutgoingMessage {
    pub(super) fn size(&self) -> usize {
        self.topic.as_str().len() + self.payload.len()
    }

    /// A PUBLISH of it; shares the payload.
    pub(super) fn to_publish(&self, packet_id: Option<PacketId>, dup: bool) -> Publish {
        Publish {
            dup,
            qos: self.qos,
            retain: self.retain,
            topic: Some(self.topic.clone()),
            packet_id,
            topic_alias: None,
            subscription_identifiers: Vec::new(),
            properties: self.properties.clone(),
            payload: self.payload.clone(),
        }
    }
}

/// An outcome to report.
pub(super) type Settled = (PublishHandle, Result<ReasonCode, Error>);

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) handle: PublishHandle,
    pub(super) message: OutgoingMessage,
}

#[derive(Debug)]
pub(super) struct Sent {
    pub(super) handle: PublishHandle,
    pub(super) message: OutgoingMessage,
    pub(super) packet_id: PacketId,
    pub(super) on_this_connection: bool,
}

#[derive(Debug)]
pub(super) struct Released {
    pub(super) handle: PublishHandle,
    pub(super) packet_id: PacketId,
    pub(super) on_this_connection: bool,
    pub(super) counts: bool,
}
