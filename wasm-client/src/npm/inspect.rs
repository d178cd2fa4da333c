//! What the machine can tell of itself, as plain objects: CONNACK, and figures for people.

use ebbtide_protocol::client::Client as Machine;
use ebbtide_protocol::packet::ConnAck;
use wasm_bindgen::JsValue;

use super::object::Writer;

pub(super) fn connack(connack: &ConnAck) -> JsValue {
    let object = Writer::new();
    object.set("sessionPresent", connack.session_present);
    object.set_number("sessionExpiryInterval", connack.session_expiry_interval);
    object.set_number(
        "receiveMaximum",
        connack.receive_maximum.map(|n| n.get().into()),
    );
    object.set_number("maximumQoS", connack.maximum_qos.map(|qos| qos as u32));
    object.set_number("maximumPacketSize", connack.maximum_packet_size);
    object.set_number(
        "topicAliasMaximum",
        Some(connack.topic_alias_maximum.into()),
    );
    object.set_number("serverKeepAlive", connack.server_keep_alive.map(u32::from));
    for (key, value) in [
        ("retainAvailable", connack.retain_available),
        (
            "wildcardSubscriptionAvailable",
            connack.wildcard_subscription_available,
        ),
        (
            "subscriptionIdentifiersAvailable",
            connack.subscription_identifiers_available,
        ),
        (
            "sharedSubscriptionAvailable",
            connack.shared_subscription_available,
        ),
    ] {
        if let Some(value) = value {
            object.set(key, value);
        }
    }
    for (key, value) in [
        (
            "assignedClientIdentifier",
            &connack.assigned_client_identifier,
        ),
        ("reasonString", &connack.reason_string),
        ("responseInformation", &connack.response_information),
        ("serverReference", &connack.server_reference),
        ("authenticationMethod", &connack.authentication_method),
    ] {
        object.set_text(key, value.as_deref());
    }
    object.set_bytes("authenticationData", connack.authentication_data.as_ref());
    object.set_user_properties("userProperties", &connack.user_properties);
    object.finish()
}

pub(super) fn figures(machine: &Machine) -> JsValue {
    let object = Writer::new();
    let figures = machine.figures();
    for (key, count) in [
        ("waiting", figures.waiting),
        ("sent", figures.sent),
        ("released", figures.released),
        ("unacknowledged", figures.unacknowledged),
        ("uncommitted", figures.uncommitted),
        ("held", figures.held),
        ("subscriptions", figures.subscriptions),
    ] {
        object.set(key, count);
    }
    if let Some(limits) = machine.limits() {
        object.set_number("window", Some(limits.receive_maximum.get().into()));
        object.set_number("keepAliveS", Some(limits.keep_alive_s.into()));
    }
    object.finish()
}
