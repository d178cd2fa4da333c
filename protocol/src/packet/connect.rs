//! CONNECT (section 3.1).

use alloc::vec::Vec;
use core::num::NonZeroU16;

use bytes::Bytes;

use super::{MessageProperties, UserProperty};
use crate::{ByteString, QoS, TopicName, Version};

/// Client requests a connection to a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connect {
    /// Fixes the dialect of the whole connection.
    pub version: Version,
    /// Clean Start (5.0) or Clean Session (3.1.1).
    pub clean_start: bool,
    /// Keep Alive in seconds; zero turns it off.
    pub keep_alive: u16,
    /// May be empty: the server then assigns one.
    pub client_id: ByteString,
    /// What the server publishes when the connection ends without a DISCONNECT 0x00.
    pub will: Option<Will>,
    /// User Name.
    pub username: Option<ByteString>,
    /// Password: binary data.
    pub password: Option<Bytes>,
    /// Session Expiry Interval in seconds; `None` is zero in 5.0, `u32::MAX` never expires. 3.1.1 has none: there
    /// `clean_start` decides (see `Version`).
    pub session_expiry_interval: Option<u32>,
    /// How many QoS 1 and 2 publishes the client takes unacknowledged; absent means 65,535.
    pub receive_maximum: Option<NonZeroU16>,
    /// The largest packet, in bytes, that the client takes.
    pub maximum_packet_size: Option<u32>,
    /// The highest topic alias that the client takes; zero: none.
    pub topic_alias_maximum: u16,
    /// Whether the server may return Response Information [MQTT-3.1.2-28].
    pub request_response_information: bool,
    /// Whether Reason Strings and User Properties may be sent on packets other than PUBLISH, CONNACK and DISCONNECT;
    /// `None` is yes.
    pub request_problem_information: Option<bool>,
    /// User Properties.
    pub user_properties: Vec<UserProperty>,
    /// Name of the enhanced authentication method.
    pub authentication_method: Option<ByteString>,
    /// Data of that method.
    pub authentication_data: Option<Bytes>,
}

/// The Will Message and how long to wait with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Will {
    /// Where it is published.
    pub topic: TopicName,
    /// Its content.
    pub payload: Bytes,
    /// Its QoS.
    pub qos: QoS,
    /// Whether it is retained.
    pub retain: bool,
    /// Will Delay Interval in seconds.
    pub delay_interval: u32,
    /// Passed on with the message.
    pub properties: MessageProperties,
}
