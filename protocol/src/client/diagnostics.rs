//! What a server says beside a reason code, for people to read and programs to log (5.0 only). Values only.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::{ByteString, packet::UserProperty};

/// Reason String, User Properties and Server Reference of a packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    /// For people, not for programs.
    pub reason_string: Option<ByteString>,
    /// User Properties.
    pub user_properties: Vec<UserProperty>,
    /// Another server to use: CONNACK and DISCONNECT only.
    pub server_reference: Option<ByteString>,
}

/// Nothing, as a rule, and then it costs nothing.
pub type Said = Option<Box<Diagnostics>>;

/// What a packet said, if it said anything.
pub(super) fn said(
    reason_string: Option<&ByteString>,
    user_properties: &[UserProperty],
    server_reference: Option<&ByteString>,
) -> Said {
    if reason_string.is_none() && user_properties.is_empty() && server_reference.is_none() {
        return None;
    }
    Some(Box::new(Diagnostics {
        reason_string: reason_string.cloned(),
        user_properties: user_properties.to_vec(),
        server_reference: server_reference.cloned(),
    }))
}
