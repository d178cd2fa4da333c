//! AUTH (section 3.15), 5.0 only.

use alloc::vec::Vec;

use super::property::{Diagnostics, Property};
use super::reader::Reader;
use super::sink::{Sink, length};
use super::{Role, reasons};
use crate::packet::Auth;
use crate::{ReasonCode, Version, Violation};

pub(super) fn decode(mut body: Reader, role: Role) -> Result<Auth, Violation> {
    let mut auth = Auth {
        reason: ReasonCode::Success,
        authentication_method: None,
        authentication_data: None,
        reason_string: None,
        user_properties: Vec::new(),
    };
    // Section 3.15.2.1: an empty AUTH is Success without properties; only the server may say that [MQTT-3.15.2-1].
    if body.is_empty() {
        return if role == Role::Client {
            Ok(auth)
        } else {
            Err(Violation::ReasonCodeInvalid)
        };
    }
    auth.reason = body.reason(reasons::auth(role))?;
    let mut properties = body.properties(Version::V5)?;
    let mut diagnostics = Diagnostics::default();
    while let Some(property) = properties.next()? {
        match property {
            Property::AuthenticationMethod => {
                auth.authentication_method = Some(properties.value.string()?);
            }
            Property::AuthenticationData => {
                auth.authentication_data = Some(properties.value.binary()?);
            }
            _ => diagnostics.read(property, &mut properties.value)?,
        }
    }
    auth.reason_string = diagnostics.reason_string;
    auth.user_properties = diagnostics.user_properties;
    // Section 3.15.2.2.2
    if auth.authentication_method.is_none() {
        return Err(Violation::AuthenticationMethodMissing);
    }
    body.finish()?;
    Ok(auth)
}

pub(super) fn write<S: Sink + ?Sized>(auth: &Auth, sink: &mut S) {
    let properties = length(|counter| write_properties(auth, counter));
    if properties > 0 || auth.reason != ReasonCode::Success {
        sink.u8(auth.reason as u8);
        sink.variable(properties);
        write_properties(auth, sink);
    }
}

fn write_properties<S: Sink + ?Sized>(auth: &Auth, sink: &mut S) {
    sink.string_property(
        Property::AuthenticationMethod,
        auth.authentication_method.as_ref(),
    );
    sink.field_property(
        Property::AuthenticationData,
        auth.authentication_data.as_deref(),
    );
    sink.diagnostics(auth.reason_string.as_ref(), &auth.user_properties);
}
