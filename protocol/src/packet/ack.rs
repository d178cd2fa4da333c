//! PUBACK, PUBREC, PUBREL and PUBCOMP (sections 3.4 to 3.7): four packets of one shape.

use alloc::vec::Vec;

use super::UserProperty;
use crate::{ByteString, PacketId, ReasonCode};

/// A step in the acknowledgement of a QoS 1 or 2 publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Which publish.
    pub packet_id: PacketId,
    /// How it went; 3.1.1 cannot say anything but success.
    pub reason: ReasonCode,
    /// For people, not for programs.
    pub reason_string: Option<ByteString>,
    /// User Properties.
    pub user_properties: Vec<UserProperty>,
}

impl Ack {
    /// An acknowledgement that carries nothing but its reason.
    #[must_use]
    pub fn new(packet_id: PacketId, reason: ReasonCode) -> Self {
        Self {
            packet_id,
            reason,
            reason_string: None,
            user_properties: Vec::new(),
        }
    }
}
