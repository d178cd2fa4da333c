//! Which reason codes each packet may carry (section 2.4 and the table of each packet).

use super::Role;
use crate::ReasonCode::{self, *};

/// [MQTT-3.2.2-8]
pub(super) const CONNACK: &[ReasonCode] = &[
    Success,
    UnspecifiedError,
    MalformedPacket,
    ProtocolError,
    ImplementationSpecificError,
    UnsupportedProtocolVersion,
    ClientIdentifierNotValid,
    BadUserNameOrPassword,
    NotAuthorized,
    ServerUnavailable,
    ServerBusy,
    Banned,
    BadAuthenticationMethod,
    TopicNameInvalid,
    PacketTooLarge,
    QuotaExceeded,
    PayloadFormatInvalid,
    RetainNotSupported,
    QoSNotSupported,
    UseAnotherServer,
    ServerMoved,
    ConnectionRateExceeded,
];

/// PUBACK and PUBREC, as read by that role [MQTT-3.4.2-1, MQTT-3.5.2-1].
pub(super) fn received(reader: Role) -> &'static [ReasonCode] {
    const ALL: &[ReasonCode] = &[
        Success,
        NoMatchingSubscribers,
        UnspecifiedError,
        ImplementationSpecificError,
        NotAuthorized,
        TopicNameInvalid,
        PacketIdentifierInUse,
        QuotaExceeded,
        PayloadFormatInvalid,
        // Not of the standard: what Mosquitto says to a message above its `message_size_limit`. Who took it for a fault of the server
        // would connect again, and send that message again, for ever.
        PacketTooLarge,
    ];
    match reader {
        Role::Server => ALL.split_last().map_or(ALL, |(_, standard)| standard),
        Role::Client => ALL,
    }
}

/// PUBREL and PUBCOMP [MQTT-3.6.2-1, MQTT-3.7.2-1].
pub(super) const RELEASED: &[ReasonCode] = &[Success, PacketIdentifierNotFound];

/// [MQTT-3.9.3-2]
pub(super) const SUBACK: &[ReasonCode] = &[
    Success,
    GrantedQoS1,
    GrantedQoS2,
    UnspecifiedError,
    ImplementationSpecificError,
    NotAuthorized,
    TopicFilterInvalid,
    PacketIdentifierInUse,
    QuotaExceeded,
    SharedSubscriptionsNotSupported,
    SubscriptionIdentifiersNotSupported,
    WildcardSubscriptionsNotSupported,
];

/// [MQTT-3.11.3-2]
pub(super) const UNSUBACK: &[ReasonCode] = &[
    Success,
    NoSubscriptionExisted,
    UnspecifiedError,
    ImplementationSpecificError,
    NotAuthorized,
    TopicFilterInvalid,
    PacketIdentifierInUse,
];

/// DISCONNECT, as read by that role [MQTT-3.14.2-1].
pub(super) fn disconnect(reader: Role) -> &'static [ReasonCode] {
    match reader {
        Role::Server => &[
            Success,
            DisconnectWithWill,
            UnspecifiedError,
            MalformedPacket,
            ProtocolError,
            ImplementationSpecificError,
            BadAuthenticationMethod,
            TopicNameInvalid,
            ReceiveMaximumExceeded,
            TopicAliasInvalid,
            PacketTooLarge,
            MessageRateTooHigh,
            QuotaExceeded,
            AdministrativeAction,
            PayloadFormatInvalid,
        ],
        Role::Client => &[
            Success,
            UnspecifiedError,
            MalformedPacket,
            ProtocolError,
            ImplementationSpecificError,
            NotAuthorized,
            ServerBusy,
            ServerShuttingDown,
            BadAuthenticationMethod,
            KeepAliveTimeout,
            SessionTakenOver,
            TopicFilterInvalid,
            TopicNameInvalid,
            ReceiveMaximumExceeded,
            TopicAliasInvalid,
            PacketTooLarge,
            MessageRateTooHigh,
            QuotaExceeded,
            AdministrativeAction,
            PayloadFormatInvalid,
            RetainNotSupported,
            QoSNotSupported,
            UseAnotherServer,
            ServerMoved,
            SharedSubscriptionsNotSupported,
            ConnectionRateExceeded,
            MaximumConnectTime,
            SubscriptionIdentifiersNotSupported,
            WildcardSubscriptionsNotSupported,
        ],
    }
}

/// AUTH, as read by that role [MQTT-3.15.2-1].
pub(super) fn auth(reader: Role) -> &'static [ReasonCode] {
    match reader {
        Role::Server => &[ContinueAuthentication, ReAuthenticate],
        Role::Client => &[Success, ContinueAuthentication],
    }
}
