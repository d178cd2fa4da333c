//! DISCONNECT (section 3.14).

use alloc::vec::Vec;

use super::UserProperty;
use crate::{ByteString, ReasonCode};

/// The last packet of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disconnect {
    /// Why; `Success` (0x00) is the normal disconnection, which removes the will [MQTT-3.14.4-3].
    pub reason: ReasonCode,
    /// Overrides that of CONNECT, in seconds; client to server only.
    pub session_expiry_interval: Option<u32>,
    /// For people, not for programs.
    pub reason_string: Option<ByteString>,
    /// User Properties.
    pub user_properties: Vec<UserProperty>,
    /// Another server to use; server to client only.
    pub server_reference: Option<ByteString>,
}

impl Disconnect {
    /// A farewell that carries nothing but its reason.
    #[must_use]
    pub fn new(reason: ReasonCode) -> Self {
        Self {
            reason,
            session_expiry_interval: None,
            reason_string: None,
            user_properties: Vec::new(),
            server_reference: None,
        }
    }
}
