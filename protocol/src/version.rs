//! What differs between the protocol versions, all of it in this file; the rest of the tree asks here.
//!
//! 3.1 is the dialect that 3.1.1 was made from; it is read and written as 3.1.1 with the few exceptions below.

use crate::packet::Connect;
use crate::{ReasonCode, Violation};

/// The protocol version of one connection, fixed by its CONNECT packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Version {
    /// MQTT 3.1 (`MQIsdp`), protocol level 3: for old devices.
    V3_1 = 3,
    /// MQTT 3.1.1, protocol level 4.
    V3_1_1 = 4,
    /// MQTT 5.0, protocol version 5.
    #[default]
    V5 = 5,
}

/// How a session lasts that never expires.
pub const SESSION_NEVER_EXPIRES: u32 = u32::MAX;

/// The bit in the level of a CONNECT by which a bridge says what it is, beside the standard.
const BRIDGE: u8 = 0x80;

/// CONNACK return code of 3.1.1: Server unavailable. Stands for every refusal that 3.1.1 has no code for.
const SERVER_UNAVAILABLE: u8 = 3;

/// The only failure that a SUBACK of 3.1.1 knows.
const SUBACK_FAILURE: u8 = 0x80;

impl Version {
    /// The version that a CONNECT asks for.
    ///
    /// # Errors
    /// [`Violation::ProtocolName`] [MQTT-3.1.2-1], [`Violation::ProtocolLevel`] [MQTT-3.1.2-2].
    pub fn from_protocol(name: &[u8], level: u8) -> Result<Self, Violation> {
        match (name, level) {
            (b"MQTT", 5) => Ok(Self::V5),
            (b"MQTT", 4) => Ok(Self::V3_1_1),
            (b"MQIsdp", 3) => Ok(Self::V3_1),
            (b"MQTT" | b"MQIsdp", _) => Err(Violation::ProtocolLevel(level)),
            _ => Err(Violation::ProtocolName),
        }
    }

    /// The version in which a CONNECT of an unknown level is refused: the nearest one that the client may understand.
    /// 3.1.1 refuses with return code 0x01 [MQTT3-3.1.2-2], 5.0 with reason code 0x84 [MQTT-3.1.2-2].
    ///
    /// Bridges of Mosquitto and others that learned it from there set the highest bit in a level of 3.1 or 3.1.1; after that
    /// return code, and no other answer, they come again without it.
    #[must_use]
    pub fn for_refusal(level: u8) -> Self {
        if level & BRIDGE != 0 || level < Self::V5.level() {
            Self::V3_1_1
        } else {
            Self::V5
        }
    }

    /// The Protocol Name in CONNECT.
    #[must_use]
    pub fn protocol_name(self) -> &'static str {
        if self == Self::V3_1 { "MQIsdp" } else { "MQTT" }
    }

    /// The Protocol Level (3.1.1) or Protocol Version (5.0) in CONNECT.
    #[must_use]
    pub fn level(self) -> u8 {
        self as u8
    }

    /// The name as people write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::V3_1 => "3.1",
            Self::V3_1_1 => "3.1.1",
            Self::V5 => "5.0",
        }
    }

    /// Whether packets carry properties (all but PINGREQ and PINGRESP then do).
    #[must_use]
    pub fn has_properties(self) -> bool {
        self == Self::V5
    }

    /// Whether PUBACK to PUBCOMP, DISCONNECT and UNSUBACK carry reason codes. Without them the only way to refuse a
    /// publish is to close the connection, or to acknowledge and drop it [MQTT3-3.3.5-2].
    #[must_use]
    pub fn has_reason_codes(self) -> bool {
        self == Self::V5
    }

    /// Whether AUTH exists.
    #[must_use]
    pub fn has_auth(self) -> bool {
        self == Self::V5
    }

    /// Whether the server may say DISCONNECT before it closes (section 3.14).
    #[must_use]
    pub fn server_may_disconnect(self) -> bool {
        self == Self::V5
    }

    /// Whether `$share` is a word of the standard (section 4.8.2). Before, what begins with it is a filter like any other, so one that
    /// is no shared subscription is not malformed.
    #[must_use]
    pub fn has_shared_subscriptions(self) -> bool {
        self == Self::V5
    }

    /// Whether SUBSCRIBE carries more than the QoS for each filter.
    #[must_use]
    pub fn has_subscription_options(self) -> bool {
        self == Self::V5
    }

    /// Whether an empty topic may stand for a topic alias.
    #[must_use]
    pub fn has_topic_alias(self) -> bool {
        self == Self::V5
    }

    /// Whether lengths must take as few bytes as they can [MQTT-1.5.5-1]; 3.1.1 has no such clause.
    #[must_use]
    pub fn requires_shortest_length(self) -> bool {
        self == Self::V5
    }

    /// Whether CONNACK tells if a session was there. 3.1 reserves the byte.
    #[must_use]
    pub fn has_session_present(self) -> bool {
        self != Self::V3_1
    }

    /// Whether a password needs a user name [MQTT3-3.1.2-22].
    #[must_use]
    pub fn password_requires_user_name(self) -> bool {
        self != Self::V5
    }

    /// Whether a client may come without an identifier and be given one: 5.0 always [MQTT-3.1.3-6]; 3.1.1 with a clean
    /// session only [MQTT3-3.1.3-6, MQTT3-3.1.3-7, MQTT3-3.1.3-8]; 3.1 never.
    #[must_use]
    pub fn allows_empty_client_id(self, clean_start: bool) -> bool {
        match self {
            Self::V3_1 => false,
            Self::V3_1_1 => clean_start,
            Self::V5 => true,
        }
    }

    /// Whether PUBREL, SUBSCRIBE and UNSUBSCRIBE that are sent again may carry DUP, and a QoS 0 PUBLISH too. 3.1.1
    /// made these bits reserved.
    #[must_use]
    pub fn tolerates_dup(self) -> bool {
        self == Self::V3_1
    }

    /// How long the session outlives the connection, in seconds; [`SESSION_NEVER_EXPIRES`] is forever. Before 5.0 a
    /// clean session ends with the connection and any other is kept [MQTT3-3.1.2-4, MQTT3-3.1.2-6].
    #[must_use]
    pub fn session_expiry_interval(self, connect: &Connect) -> u32 {
        match self {
            Self::V5 => connect.session_expiry_interval.unwrap_or(0),
            _ if connect.clean_start => 0,
            _ => SESSION_NEVER_EXPIRES,
        }
    }

    /// The code for CONNACK. `None`: this version cannot say it, so the server closes without CONNACK
    /// [MQTT3-3.2.2-6, MQTT3-3.1.4-1]. A refused client identifier can be said in both [MQTT3-3.1.3-9].
    #[must_use]
    pub fn connack_code(self, reason: ReasonCode) -> Option<u8> {
        if self == Self::V5 {
            return Some(reason as u8);
        }
        Some(match reason {
            ReasonCode::Success => 0,
            ReasonCode::UnsupportedProtocolVersion => 1,
            ReasonCode::ClientIdentifierNotValid => 2,
            ReasonCode::UnspecifiedError
            | ReasonCode::ImplementationSpecificError
            | ReasonCode::ServerUnavailable
            | ReasonCode::ServerBusy
            | ReasonCode::ServerShuttingDown
            | ReasonCode::QuotaExceeded
            | ReasonCode::UseAnotherServer
            | ReasonCode::ServerMoved
            | ReasonCode::ConnectionRateExceeded => SERVER_UNAVAILABLE,
            ReasonCode::BadUserNameOrPassword => 4,
            ReasonCode::NotAuthorized
            | ReasonCode::Banned
            | ReasonCode::BadAuthenticationMethod => 5,
            _ => return None,
        })
    }

    /// As [`Version::connack_code`], with Server unavailable for what 3.1.1 cannot say.
    pub(crate) fn connack_code_or_nearest(self, reason: ReasonCode) -> u8 {
        self.connack_code(reason).unwrap_or(SERVER_UNAVAILABLE)
    }

    /// What a CONNACK code means; `None` if this version reserves it.
    #[must_use]
    pub fn connack_reason(self, code: u8) -> Option<ReasonCode> {
        if self == Self::V5 {
            return ReasonCode::from_byte(code);
        }
        Some(match code {
            0 => ReasonCode::Success,
            1 => ReasonCode::UnsupportedProtocolVersion,
            2 => ReasonCode::ClientIdentifierNotValid,
            SERVER_UNAVAILABLE => ReasonCode::ServerUnavailable,
            4 => ReasonCode::BadUserNameOrPassword,
            5 => ReasonCode::NotAuthorized,
            _ => return None,
        })
    }

    /// The code for SUBACK: 3.1.1 knows one failure only [MQTT3-3.9.3-2].
    #[must_use]
    pub fn suback_code(self, reason: ReasonCode) -> u8 {
        if self != Self::V5 && reason.is_error() {
            SUBACK_FAILURE
        } else {
            reason as u8
        }
    }

    /// What a SUBACK code means; `None` if this version reserves it [MQTT3-3.9.3-2].
    #[must_use]
    pub fn suback_reason(self, code: u8) -> Option<ReasonCode> {
        if self != Self::V5 && code > 2 && code != SUBACK_FAILURE {
            return None;
        }
        ReasonCode::from_byte(code)
    }
}

impl core::fmt::Display for Version {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}
