//! PUBACK, PUBREC, PUBREL and PUBCOMP (sections 3.4 to 3.7).

use super::Role;
use super::packet_type;
use super::reader::Reader;
use super::reasons;
use super::sink::{Sink, length};
use crate::packet::Ack;
use crate::{Packet, PacketId, ReasonCode, Version, Violation};

/// Which half of the flow: it decides on the reason codes.
#[derive(Clone, Copy)]
pub(super) enum Step {
    /// PUBACK and PUBREC, as read by that role.
    Received(Role),
    /// PUBREL and PUBCOMP.
    Released,
}

/// One that says no more than its Packet Identifier, as most do: it takes no memory. `None`: it is another packet, or says more.
pub(super) fn bare(first: u8, body: &[u8]) -> Option<Result<Packet, Violation>> {
    let &[high, low] = body else { return None };
    let packet: fn(Ack) -> Packet = match first >> 4 {
        packet_type::PUBACK => Packet::PubAck,
        packet_type::PUBREC => Packet::PubRec,
        packet_type::PUBREL => Packet::PubRel,
        packet_type::PUBCOMP => Packet::PubComp,
        _ => return None,
    };
    let packet_id = PacketId::new(u16::from_be_bytes([high, low]));
    let ack = |packet_id| packet(Ack::new(packet_id, ReasonCode::Success));
    // [MQTT-2.2.1-3]
    Some(packet_id.map(ack).ok_or(Violation::PacketIdZero))
}

pub(super) fn decode(mut body: Reader, version: Version, step: Step) -> Result<Ack, Violation> {
    let mut ack = Ack::new(body.packet_id()?, ReasonCode::Success);
    // Sections 3.4.2.1 and 3.4.2.2.1: both the reason and the properties may be left out when they say nothing.
    if version.has_reason_codes() && !body.is_empty() {
        ack.reason = body.reason(match step {
            Step::Received(reader) => reasons::received(reader),
            Step::Released => reasons::RELEASED,
        })?;
        if !body.is_empty() {
            let diagnostics = body.properties(version)?.diagnostics()?;
            ack.reason_string = diagnostics.reason_string;
            ack.user_properties = diagnostics.user_properties;
        }
    }
    body.finish()?;
    Ok(ack)
}

pub(super) fn write<S: Sink + ?Sized>(ack: &Ack, version: Version, sink: &mut S) {
    sink.u16(ack.packet_id.get());
    if !version.has_reason_codes() {
        return;
    }
    let properties =
        length(|counter| counter.diagnostics(ack.reason_string.as_ref(), &ack.user_properties));
    if properties > 0 {
        sink.u8(ack.reason as u8);
        sink.variable(properties);
        sink.diagnostics(ack.reason_string.as_ref(), &ack.user_properties);
    } else if ack.reason != ReasonCode::Success {
        sink.u8(ack.reason as u8);
    }
}
