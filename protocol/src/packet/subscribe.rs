//! SUBSCRIBE and SUBACK (sections 3.8 and 3.9).

use alloc::vec::Vec;

use super::UserProperty;
use crate::{ByteString, PacketId, QoS, ReasonCode, TopicFilter};

/// Client subscribes to one or more filters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// Comes back in SUBACK.
    pub packet_id: PacketId,
    /// 1 to 268,435,455; comes back on every message that these subscriptions cause.
    pub subscription_identifier: Option<u32>,
    /// User Properties.
    pub user_properties: Vec<UserProperty>,
    /// Never empty [MQTT-3.8.3-2].
    pub subscriptions: Vec<Subscription>,
}

/// One filter and how it wants its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Which topics.
    pub filter: TopicFilter,
    /// How.
    pub options: SubscriptionOptions,
}

/// Subscription Options (section 3.8.3.1). 3.1.1 has the QoS only; the rest is then as its default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SubscriptionOptions {
    /// The highest QoS that messages come with.
    pub qos: QoS,
    /// Not what this client published itself.
    pub no_local: bool,
    /// Keep the RETAIN flag as it was published.
    pub retain_as_published: bool,
    /// When to send retained messages.
    pub retain_handling: RetainHandling,
}

/// When a subscription is answered with retained messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RetainHandling {
    /// At each SUBSCRIBE.
    #[default]
    Send = 0,
    /// Only when the subscription did not exist.
    SendIfNew = 1,
    /// Never.
    DoNotSend = 2,
}

/// The server's answer to SUBSCRIBE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubAck {
    /// That of the SUBSCRIBE.
    pub packet_id: PacketId,
    /// For people, not for programs.
    pub reason_string: Option<ByteString>,
    /// User Properties.
    pub user_properties: Vec<UserProperty>,
    /// One per filter, in order.
    pub reasons: Vec<ReasonCode>,
}
