//! What the machine can tell of itself: CONNACK, and figures for people. Each is a list, in the order of `CONNACK` and
//! `FIGURES` in `npm/src/wasm/connection.ts`.

use core::num::NonZeroU16;

use ebbtide_protocol::client::Client as Machine;
use ebbtide_protocol::packet::ConnAck;

use crate::values::Writer;

pub(crate) fn connack(connack: &ConnAck, to: &mut Writer) {
    to.list(18);
    to.flag(connack.session_present);
    to.maybe_number(connack.session_expiry_interval);
    to.maybe_number(connack.receive_maximum.map(NonZeroU16::get).map(u32::from));
    to.maybe_number(connack.maximum_qos.map(|qos| qos as u32));
    to.maybe_number(connack.maximum_packet_size);
    to.number(connack.topic_alias_maximum);
    to.maybe_number(connack.server_keep_alive.map(u32::from));
    for is_available in [
        connack.retain_available,
        connack.wildcard_subscription_available,
        connack.subscription_identifiers_available,
        connack.shared_subscription_available,
    ] {
        to.maybe_flag(is_available);
    }
    for text in [
        &connack.assigned_client_identifier,
        &connack.reason_string,
        &connack.response_information,
        &connack.server_reference,
        &connack.authentication_method,
    ] {
        to.maybe_text(text.as_ref());
    }
    to.maybe_bytes(connack.authentication_data.as_ref());
    to.user_properties(&connack.user_properties);
}

pub(crate) fn figures(machine: &Machine, to: &mut Writer) {
    let figures = machine.figures();
    to.list(10);
    for count in [
        figures.waiting,
        figures.sent,
        figures.released,
        figures.unacknowledged,
        figures.uncommitted,
        figures.held,
        figures.subscriptions,
        figures.awaits_ping.into(),
    ] {
        to.number(count as u32);
    }
    let limits = machine.limits();
    to.maybe_number(limits.map(|limits| limits.receive_maximum.get().into()));
    to.maybe_number(limits.map(|limits| limits.keep_alive_s.into()));
}
