//! UNSUBSCRIBE and UNSUBACK (sections 3.10 and 3.11).

use alloc::vec::Vec;

use super::UserProperty;
use crate::{ByteString, PacketId, ReasonCode, TopicFilter};

/// Client ends one or more subscriptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsubscribe {
    /// Comes back in UNSUBACK.
    pub packet_id: PacketId,
    /// User Properties.
    pub user_properties: Vec<UserProperty>,
    /// Never empty [MQTT-3.10.3-2].
    pub filters: Vec<TopicFilter>,
}

/// The server's answer to UNSUBSCRIBE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsubAck {
    /// That of the UNSUBSCRIBE.
    pub packet_id: PacketId,
    /// For people, not for programs.
    pub reason_string: Option<ByteString>,
    /// User Properties.
    pub user_properties: Vec<UserProperty>,
    /// One per filter, in order; 3.1.1 sends none.
    pub reasons: Vec<ReasonCode>,
}
