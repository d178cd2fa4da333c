//! PUBACK, PUBREC, PUBREL and PUBCOMP (sections 3.4 to 3.7).

use super::reader::Reader;
use super::reasons;
use super::sink::{Sink, length};
use crate::packet::Ack;
use crate::{ReasonCode, Version, Violation};

/// Which half of the flow: it decides on the reason codes.
#[derive(Clone, Copy)]
pub(super) enum Step {
    /// PUBACK and PUBREC.
    Received,
    /// PUBREL and PUBCOMP.
    Released,
}

pub(super) fn decode(mut body: Reader, version: Version, step: Step) -> Result<Ack, Violation> {
    let mut ack = Ack::new(body.packet_id()?, ReasonCode::Success);
    // Sections 3.4.2.1 and 3.4.2.2.1: both the reason and the properties may be left out when they say nothing.
    if version.has_reason_codes() && !body.is_empty() {
        ack.reason = body.reason(match step {
            Step::Received => reasons::RECEIVED,
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
