//! UNSUBSCRIBE and UNSUBACK (sections 3.10 and 3.11).

use alloc::vec::Vec;

use super::property::Property;
use super::reader::{Reader, add};
use super::reasons;
use super::sink::{Sink, length};
use crate::packet::{UnsubAck, Unsubscribe};
use crate::{Version, Violation};

pub(super) fn decode(mut body: Reader, version: Version) -> Result<Unsubscribe, Violation> {
    let packet_id = body.packet_id()?;
    let mut properties = body.properties(version)?;
    let mut user_properties = Vec::new();
    while let Some(property) = properties.next()? {
        match property {
            Property::UserProperty => add(&mut user_properties, properties.value.string_pair()?)?,
            _ => return Err(Violation::PropertyNotAllowed),
        }
    }
    let mut filters = Vec::new();
    while !body.is_empty() {
        add(&mut filters, body.topic_filter(version)?)?;
    }
    // [MQTT-3.10.3-2]
    if filters.is_empty() {
        return Err(Violation::NoFilters);
    }
    Ok(Unsubscribe {
        packet_id,
        user_properties,
        filters,
    })
}

pub(super) fn write<S: Sink + ?Sized>(unsubscribe: &Unsubscribe, version: Version, sink: &mut S) {
    sink.u16(unsubscribe.packet_id.get());
    if version.has_properties() {
        sink.variable(length(|counter| {
            counter.user_properties(&unsubscribe.user_properties);
        }));
        sink.user_properties(&unsubscribe.user_properties);
    }
    for filter in &unsubscribe.filters {
        sink.field(filter.as_str().as_bytes());
    }
}

pub(super) fn decode_ack(mut body: Reader, version: Version) -> Result<UnsubAck, Violation> {
    let packet_id = body.packet_id()?;
    let diagnostics = body.properties(version)?.diagnostics()?;
    let mut reasons = Vec::new();
    if version.has_reason_codes() {
        reasons.reserve(body.len());
        while !body.is_empty() {
            reasons.push(body.reason(reasons::UNSUBACK)?);
        }
        // [MQTT-3.11.3-2]
        if reasons.is_empty() {
            return Err(Violation::NoReasons);
        }
    }
    body.finish()?;
    Ok(UnsubAck {
        packet_id,
        reason_string: diagnostics.reason_string,
        user_properties: diagnostics.user_properties,
        reasons,
    })
}

pub(super) fn write_ack<S: Sink + ?Sized>(unsuback: &UnsubAck, version: Version, sink: &mut S) {
    sink.u16(unsuback.packet_id.get());
    if version.has_properties() {
        let (reason_string, user_properties) =
            (unsuback.reason_string.as_ref(), &unsuback.user_properties);
        sink.variable(length(|counter| {
            counter.diagnostics(reason_string, user_properties);
        }));
        sink.diagnostics(reason_string, user_properties);
    }
    if version.has_reason_codes() {
        for &reason in &unsuback.reasons {
            sink.u8(reason as u8);
        }
    }
}
