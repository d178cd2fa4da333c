//! CONNACK (section 3.2).

use alloc::vec::Vec;
use core::num::NonZeroU16;

use bytes::Bytes;

use super::UserProperty;
use crate::{ByteString, QoS, ReasonCode};

/// The server's answer to CONNECT. In 3.1.1 the reason becomes a return code (see `version`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnAck {
    /// Whether the server had, and resumes, a session of this client.
    pub session_present: bool,
    /// Success, or why not.
    pub reason: ReasonCode,
    /// Session Expiry Interval that the server uses instead of the one asked for, seconds.
    pub session_expiry_interval: Option<u32>,
    /// How many QoS 1 and 2 publishes the server takes unacknowledged; absent means 65,535.
    pub receive_maximum: Option<NonZeroU16>,
    /// The highest QoS that the server takes; absent means 2.
    pub maximum_qos: Option<QoS>,
    /// Whether retained messages are supported; absent means yes.
    pub retain_available: Option<bool>,
    /// The largest packet, in bytes, that the server takes.
    pub maximum_packet_size: Option<u32>,
    /// The id that the server gave a client which came without one.
    pub assigned_client_identifier: Option<ByteString>,
    /// The highest topic alias that the server takes.
    pub topic_alias_maximum: u16,
    /// For people, not for programs.
    pub reason_string: Option<ByteString>,
    /// User Properties.
    pub user_properties: Vec<UserProperty>,
    /// Absent means yes.
    pub wildcard_subscription_available: Option<bool>,
    /// Absent means yes.
    pub subscription_identifiers_available: Option<bool>,
    /// Absent means yes.
    pub shared_subscription_available: Option<bool>,
    /// The keep alive, in seconds, that the client must use instead of its own.
    pub server_keep_alive: Option<u16>,
    /// Where responses should go.
    pub response_information: Option<ByteString>,
    /// Another server to use.
    pub server_reference: Option<ByteString>,
    /// Name of the enhanced authentication method.
    pub authentication_method: Option<ByteString>,
    /// Data of that method.
    pub authentication_data: Option<Bytes>,
}

impl ConnAck {
    /// An answer that carries nothing but its reason.
    #[must_use]
    pub fn new(reason: ReasonCode, session_present: bool) -> Self {
        Self {
            session_present,
            reason,
            session_expiry_interval: None,
            receive_maximum: None,
            maximum_qos: None,
            retain_available: None,
            maximum_packet_size: None,
            assigned_client_identifier: None,
            topic_alias_maximum: 0,
            reason_string: None,
            user_properties: Vec::new(),
            wildcard_subscription_available: None,
            subscription_identifiers_available: None,
            shared_subscription_available: None,
            server_keep_alive: None,
            response_information: None,
            server_reference: None,
            authentication_method: None,
            authentication_data: None,
        }
    }
}
