//! Which clients, which behaviours, and what a client cannot do: the table of `docs/tested-clients.md` comes from here, and the tests
//! run every cell of it that does not say so.

use anyhow::Result;
use ebbtide_tests::tools::Tool;

use super::stage::Stage;
use super::{behaviours as any, behaviours_5 as v5};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    V3,
    V5,
}

impl Version {
    /// The protocol level in CONNECT.
    pub fn level(self) -> u8 {
        match self {
            Self::V3 => 4,
            Self::V5 => 5,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Paho,
    Aiomqtt,
    MqttJs,
    MqttJsWebSocket,
    Mosquitto,
    Rumqttc,
}

impl Kind {
    pub const ALL: [Self; 6] = [
        Self::Paho,
        Self::Aiomqtt,
        Self::MqttJs,
        Self::MqttJsWebSocket,
        Self::Mosquitto,
        Self::Rumqttc,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Paho => "paho-mqtt",
            Self::Aiomqtt => "aiomqtt",
            Self::MqttJs => "MQTT.js",
            Self::MqttJsWebSocket => "MQTT.js over WebSocket",
            Self::Mosquitto => "mosquitto_pub, _sub, _rr",
            Self::Rumqttc => "rumqttc",
        }
    }

    pub fn needs(self) -> &'static [Tool] {
        match self {
            Self::Paho | Self::Aiomqtt => &[Tool::Python],
            Self::MqttJs | Self::MqttJsWebSocket => &[Tool::Node],
            Self::Mosquitto => &[Tool::Mosquitto],
            Self::Rumqttc => &[],
        }
    }
}

pub struct Behaviour {
    pub title: &'static str,
    /// Only in 5.0.
    pub is_of_5: bool,
    pub run: fn(&mut Stage) -> Result<()>,
}

const fn both(title: &'static str, run: fn(&mut Stage) -> Result<()>) -> Behaviour {
    Behaviour {
        title,
        is_of_5: false,
        run,
    }
}

const fn only_5(title: &'static str, run: fn(&mut Stage) -> Result<()>) -> Behaviour {
    Behaviour {
        title,
        is_of_5: true,
        run,
    }
}

pub const IDLE: &str = "stays connected while idle";
const ALIAS_FROM: &str = "topic alias from the broker";
const ALIAS_TO: &str = "topic alias to the broker";
const IDENTIFIERS: &str = "subscription identifiers";
const NO_LOCAL: &str = "no local";
const REASONS: &str = "reason codes of what is refused";
const EXPIRY: &str = "session expiry";
const ASSIGNED: &str = "assigned client identifier";

pub const BEHAVIOURS: &[Behaviour] = &[
    both(IDLE, any::stays_connected_while_idle),
    both("QoS 0, in order", any::qos_0),
    both("QoS 1, in order", any::qos_1),
    both("QoS 2, in order", any::qos_2),
    both("the lower QoS of both sides", any::lower_qos_of_both),
    both("a payload of 1 MiB", any::large_payload),
    both("wildcards", any::wildcards),
    both("unsubscribe", any::unsubscribe),
    both("a will after a cut", any::will_after_a_cut),
    both("no will after DISCONNECT", any::no_will_after_disconnect),
    both(
        "retained: set, replaced, cleared",
        any::retained_is_set_replaced_and_cleared,
    ),
    both(
        "backlog in order after `kill -9` of the broker",
        any::backlog_in_order_after_a_kill,
    ),
    both(
        "a shared subscription is spread, nothing lost",
        any::shared_subscription_is_spread,
    ),
    only_5(
        "user properties in order, content type, correlation data",
        v5::properties_of_a_message,
    ),
    only_5("request and response", v5::request_and_response),
    only_5(
        "message expiry, counted down",
        v5::message_expiry_is_counted_down,
    ),
    only_5(IDENTIFIERS, v5::subscription_identifiers),
    only_5(ALIAS_TO, v5::topic_alias_to_the_broker),
    only_5(ALIAS_FROM, v5::topic_alias_from_the_broker),
    only_5(NO_LOCAL, v5::no_local),
    only_5("retain as published", v5::retain_as_published),
    only_5(REASONS, v5::reason_codes),
    only_5(EXPIRY, v5::session_expiry),
    only_5(ASSIGNED, v5::assigned_client_id),
];

/// Why a client cannot do it.
pub fn cannot(kind: Kind, version: Version, title: &str) -> Option<&'static str> {
    use Kind::{Aiomqtt, Mosquitto, Paho, Rumqttc};
    match (kind, version, title) {
        (Mosquitto, _, IDLE) | (Rumqttc, Version::V5, IDLE) => {
            Some("its shortest keep alive is five seconds")
        }
        (Paho | Aiomqtt | Mosquitto, _, ALIAS_FROM) => Some("it takes no topic aliases"),
        (Aiomqtt | Mosquitto, _, REASONS | EXPIRY | ASSIGNED) => {
            Some("it does not show what CONNACK and PUBACK say")
        }
        (Rumqttc, _, ALIAS_FROM) => Some("it hands a message with an alias on without its topic"),
        (Mosquitto, _, IDENTIFIERS) => Some("it does not show them"),
        (Mosquitto, _, ALIAS_TO | NO_LOCAL) => Some("each message has a connection of its own"),
        _ => None,
    }
}
