//! Faults of the peer: what it sent that the standard forbids.
//!
//! A violation ends the connection it came from and nothing else. Each maps to exactly one reason code, which goes into
//! the CONNACK or DISCONNECT that says goodbye where the version has one (see [`crate::version`]). The first group is
//! found by the codec, the last by the state machines, which know what was sent before.

use crate::ReasonCode;
use crate::topic::{FilterError, NameError};

/// What the peer did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    // Framing.
    /// Packet type 0, or AUTH before 5.0 (section 2.1.2).
    #[error("reserved packet type")]
    ReservedPacketType,
    /// [MQTT-2.1.3-1]
    #[error("wrong flags in the fixed header")]
    FixedHeaderFlags,
    /// More than four bytes, or in 5.0 more than needed [MQTT-1.5.5-1].
    #[error("malformed variable byte integer")]
    VariableByteInteger,
    /// Larger than the Maximum Packet Size [MQTT-3.1.2-24, MQTT-3.2.2-15].
    #[error("packet too large")]
    PacketTooLarge,
    /// A field runs past the end of the packet or of its properties (section 4.13).
    #[error("packet ends inside a field")]
    Truncated,
    /// More filters, user properties or the like than any use has for them: a limit of ours (section 4.13 allows it).
    #[error("too many items in a packet")]
    TooManyItems,
    /// Bytes are left over after the last field (section 4.13).
    #[error("bytes after the last field")]
    TrailingBytes,

    // Who may send what, when.
    /// [MQTT-3.1.0-1]
    #[error("first packet is not CONNECT")]
    ConnectExpected,
    /// [MQTT-3.1.0-2]
    #[error("second CONNECT")]
    ConnectTwice,
    /// A packet that this side never sends, or not at this point (section 4.13).
    #[error("unexpected packet")]
    UnexpectedPacket,

    // Fields of all packets.
    /// [MQTT-1.5.4-1]
    #[error("string is not UTF-8")]
    Utf8,
    /// [MQTT-1.5.4-2]
    #[error("string contains NUL")]
    Nul,
    /// [MQTT-2.2.1-3]
    #[error("packet identifier is zero")]
    PacketIdZero,
    /// A code that the standard does not list for the packet and its sender, e.g. [MQTT-3.4.2-1].
    #[error("reason code not allowed here")]
    ReasonCodeInvalid,
    /// Unknown, or not for this packet (section 2.2.2.2).
    #[error("property not allowed here")]
    PropertyNotAllowed,
    /// A property that only the other side may send, e.g. [MQTT-3.14.2-2].
    #[error("property not allowed from this side")]
    PropertyDirection,
    /// Section 2.2.2.2 and the section of each property.
    #[error("property appears twice")]
    PropertyDuplicate,
    /// A value that the section of the property excludes.
    #[error("property value out of range")]
    PropertyValue,
    /// Authentication Data without a method (3.1.2.11.10), AUTH without one (3.15.2.2.2).
    #[error("authentication method missing")]
    AuthenticationMethodMissing,

    // CONNECT and CONNACK.
    /// [MQTT-3.1.2-1]
    #[error("not the MQTT protocol name")]
    ProtocolName,
    /// [MQTT-3.1.2-2]
    #[error("protocol level {0} not supported")]
    ProtocolLevel(u8),
    /// [MQTT-3.1.2-3], and the flags of a will that is not there [MQTT-3.1.2-11, MQTT-3.1.2-13].
    #[error("wrong connect flags")]
    ConnectFlags,
    /// [MQTT-3.1.2-12]
    #[error("will QoS 3")]
    WillQoS,
    /// 3.1.1 only [MQTT3-3.1.2-22].
    #[error("password without user name")]
    PasswordWithoutUserName,
    /// 3.1.1 only: no client identifier though the session shall be kept [MQTT3-3.1.3-7, MQTT3-3.1.3-8].
    #[error("empty client identifier")]
    ClientIdEmpty,
    /// [MQTT-3.2.2-1]
    #[error("wrong acknowledge flags")]
    ConnAckFlags,
    /// [MQTT-3.2.2-6]
    #[error("session present in a refusal")]
    SessionPresentInRefusal,

    // PUBLISH.
    /// [MQTT-3.3.1-4]
    #[error("QoS 3")]
    QoS,
    /// [MQTT-3.3.1-2]
    #[error("DUP at QoS 0")]
    DupAtQoS0,
    /// [MQTT-3.3.2-1, MQTT-3.3.2-2]
    #[error("topic name: {0}")]
    TopicName(NameError),
    /// Neither topic nor alias (section 3.3.2.1).
    #[error("neither topic nor topic alias")]
    TopicMissing,
    /// [MQTT-3.3.2-8]
    #[error("topic alias is zero")]
    TopicAliasZero,
    /// [MQTT-3.3.2-14]
    #[error("response topic: {0}")]
    ResponseTopic(NameError),

    // SUBSCRIBE, UNSUBSCRIBE and their answers.
    /// [MQTT-3.8.3-2]
    #[error("SUBSCRIBE without filter")]
    NoSubscriptions,
    /// [MQTT-3.10.3-2]
    #[error("UNSUBSCRIBE without filter")]
    NoFilters,
    /// [MQTT-4.7.1-1, MQTT-4.7.1-2, MQTT-4.7.3-1, MQTT-4.8.2-1, MQTT-4.8.2-2]
    #[error("topic filter: {0}")]
    TopicFilter(FilterError),
    /// [MQTT-3.8.3-5]
    #[error("reserved bits in subscription options")]
    SubscriptionOptions,
    /// QoS 3 or Retain Handling 3 (section 3.8.3.1).
    #[error("subscription option out of range")]
    SubscriptionOptionValue,
    /// [MQTT-3.8.3-4]
    #[error("No Local on a shared subscription")]
    NoLocalShared,
    /// An answer without any reason code [MQTT-3.8.4-6, MQTT-3.11.3-2].
    #[error("answer without reason codes")]
    NoReasons,

    // For the state machines.
    /// Above the Topic Alias Maximum [MQTT-3.3.2-9, MQTT-3.3.2-11].
    #[error("topic alias above the maximum")]
    TopicAliasTooHigh,
    /// An alias that was never set (section 3.3.2.3.4).
    #[error("topic alias not set")]
    TopicAliasUnknown,
    /// [MQTT-3.3.4-7, MQTT-3.3.4-9]
    #[error("receive maximum exceeded")]
    ReceiveMaximumExceeded,
    /// A payload that says to be UTF-8 and is not (section 3.3.2.3.2).
    #[error("payload is not UTF-8")]
    PayloadFormat,
    /// A Session Expiry Interval in DISCONNECT after zero in CONNECT (section 3.14.2.2.2).
    #[error("session expiry interval after zero in CONNECT")]
    SessionExpiryAfterZero,
}

impl Violation {
    /// The reason code that the standard gives the fault (sections 2.4 and 4.13). Where it leaves the choice,
    /// unparseable is Malformed Packet and understood but forbidden is Protocol Error.
    #[must_use]
    pub fn reason(self) -> ReasonCode {
        match self {
            Self::ReservedPacketType
            | Self::FixedHeaderFlags
            | Self::VariableByteInteger
            | Self::Truncated
            | Self::TrailingBytes
            | Self::Utf8
            | Self::Nul
            | Self::PropertyNotAllowed
            | Self::ConnectFlags
            | Self::WillQoS
            | Self::PasswordWithoutUserName
            | Self::ConnAckFlags
            | Self::QoS
            | Self::SubscriptionOptions => ReasonCode::MalformedPacket,
            Self::ConnectExpected
            | Self::ConnectTwice
            | Self::UnexpectedPacket
            | Self::PacketIdZero
            | Self::ReasonCodeInvalid
            | Self::PropertyDirection
            | Self::PropertyDuplicate
            | Self::PropertyValue
            | Self::AuthenticationMethodMissing
            | Self::SessionPresentInRefusal
            | Self::DupAtQoS0
            | Self::TopicMissing
            // Topic Name invalid and Topic Filter invalid are for well-formed ones that are not accepted.
            | Self::TopicName(_)
            | Self::TopicFilter(_)
            | Self::ResponseTopic(_)
            | Self::NoSubscriptions
            | Self::NoFilters
            | Self::SubscriptionOptionValue
            | Self::NoLocalShared
            | Self::NoReasons
            | Self::TopicAliasUnknown
            | Self::SessionExpiryAfterZero => ReasonCode::ProtocolError,
            Self::PacketTooLarge => ReasonCode::PacketTooLarge,
            Self::TooManyItems => ReasonCode::QuotaExceeded,
            Self::ProtocolName | Self::ProtocolLevel(_) => ReasonCode::UnsupportedProtocolVersion,
            Self::ClientIdEmpty => ReasonCode::ClientIdentifierNotValid,
            Self::TopicAliasZero | Self::TopicAliasTooHigh => ReasonCode::TopicAliasInvalid,
            Self::ReceiveMaximumExceeded => ReasonCode::ReceiveMaximumExceeded,
            Self::PayloadFormat => ReasonCode::PayloadFormatInvalid,
        }
    }
}

impl From<NameError> for Violation {
    fn from(error: NameError) -> Self {
        match error {
            NameError::Nul => Self::Nul,
            error => Self::TopicName(error),
        }
    }
}

impl From<FilterError> for Violation {
    fn from(error: FilterError) -> Self {
        match error {
            FilterError::Nul => Self::Nul,
            error => Self::TopicFilter(error),
        }
    }
}
