//! AUTH (section 3.15), 5.0 only.

use alloc::vec::Vec;

use bytes::Bytes;

use super::UserProperty;
use crate::{ByteString, ReasonCode};

/// A step of enhanced authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// Success, Continue authentication or Re-authenticate.
    pub reason: ReasonCode,
    /// Name of the method: required whenever there are properties.
    pub authentication_method: Option<ByteString>,
    /// Data of the method.
    pub authentication_data: Option<Bytes>,
    /// For people, not for programs.
    pub reason_string: Option<ByteString>,
    /// User Properties.
    pub user_properties: Vec<UserProperty>,
}
