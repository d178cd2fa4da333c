//! DISCONNECT (section 3.14).

use super::property::{Diagnostics, Property};
use super::reader::Reader;
use super::sink::{Sink, length};
use super::{Role, reasons};
use crate::packet::Disconnect;
use crate::{ReasonCode, Version, Violation};

pub(super) fn decode(
    mut body: Reader,
    version: Version,
    role: Role,
) -> Result<Disconnect, Violation> {
    let mut disconnect = Disconnect::new(ReasonCode::Success);
    // Sections 3.14.2.1 and 3.14.2.2.1: both the reason and the properties may be left out.
    if version.has_reason_codes() && !body.is_empty() {
        disconnect.reason = body.reason(reasons::disconnect(role))?;
        if !body.is_empty() {
            read_properties(&mut disconnect, &mut body, version, role)?;
        }
    }
    body.finish()?;
    Ok(disconnect)
}

fn read_properties(
    disconnect: &mut Disconnect,
    body: &mut Reader,
    version: Version,
    role: Role,
) -> Result<(), Violation> {
    let mut properties = body.properties(version)?;
    let mut diagnostics = Diagnostics::default();
    while let Some(property) = properties.next()? {
        match (property, role) {
            (Property::SessionExpiryInterval, Role::Server) => {
                disconnect.session_expiry_interval = Some(properties.value.u32()?);
            }
            (Property::ServerReference, Role::Client) => {
                disconnect.server_reference = Some(properties.value.string()?);
            }
            // [MQTT-3.14.2-2] and section 3.14.2.2.5.
            (Property::SessionExpiryInterval | Property::ServerReference, _) => {
                return Err(Violation::PropertyDirection);
            }
            _ => diagnostics.read(property, &mut properties.value)?,
        }
    }
    disconnect.reason_string = diagnostics.reason_string;
    disconnect.user_properties = diagnostics.user_properties;
    Ok(())
}

pub(super) fn write<S: Sink + ?Sized>(disconnect: &Disconnect, version: Version, sink: &mut S) {
    if !version.has_reason_codes() {
        return;
    }
    let properties = length(|counter| write_properties(disconnect, counter));
    if properties > 0 {
        sink.u8(disconnect.reason as u8);
        sink.variable(properties);
        write_properties(disconnect, sink);
    } else if disconnect.reason != ReasonCode::Success {
        sink.u8(disconnect.reason as u8);
    }
}

fn write_properties<S: Sink + ?Sized>(disconnect: &Disconnect, sink: &mut S) {
    sink.u32_property(
        Property::SessionExpiryInterval,
        disconnect.session_expiry_interval,
    );
    sink.diagnostics(
        disconnect.reason_string.as_ref(),
        &disconnect.user_properties,
    );
    sink.string_property(
        Property::ServerReference,
        disconnect.server_reference.as_ref(),
    );
}
