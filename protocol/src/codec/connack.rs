//! CONNACK (section 3.2).

use super::property::{Diagnostics, Properties, Property};
use super::reader::Reader;
use super::reasons;
use super::sink::{Sink, length};
use crate::packet::ConnAck;
use crate::{QoS, ReasonCode, Version, Violation};

pub(super) fn decode(mut body: Reader, version: Version) -> Result<ConnAck, Violation> {
    let flags = body.u8()?;
    let session_present = version.has_session_present() && flags == 1;
    // [MQTT-3.2.2-1]
    if flags > 1 && version.has_session_present() {
        return Err(Violation::ConnAckFlags);
    }
    let reason = version
        .connack_reason(body.u8()?)
        .filter(|reason| reasons::CONNACK.contains(reason))
        .ok_or(Violation::ReasonCodeInvalid)?;
    // [MQTT-3.2.2-6]
    if session_present && reason != ReasonCode::Success {
        return Err(Violation::SessionPresentInRefusal);
    }
    let mut connack = ConnAck::new(reason, session_present);
    let properties = body.properties(version)?;
    read_properties(&mut connack, properties)?;
    body.finish()?;
    Ok(connack)
}

fn read_properties(connack: &mut ConnAck, mut properties: Properties) -> Result<(), Violation> {
    let mut diagnostics = Diagnostics::default();
    while let Some(property) = properties.next()? {
        let value = &mut properties.value;
        match property {
            Property::SessionExpiryInterval => connack.session_expiry_interval = Some(value.u32()?),
            Property::ReceiveMaximum => {
                connack.receive_maximum = Some(value.non_zero_u16(Violation::PropertyValue)?);
            }
            // Section 3.2.2.3.4: 2 is said by leaving it out.
            Property::MaximumQoS => {
                connack.maximum_qos = Some(if value.flag()? {
                    QoS::AtLeastOnce
                } else {
                    QoS::AtMostOnce
                });
            }
            Property::RetainAvailable => connack.retain_available = Some(value.flag()?),
            Property::MaximumPacketSize => {
                connack.maximum_packet_size = Some(value.non_zero_u32()?);
            }
            Property::AssignedClientIdentifier => {
                connack.assigned_client_identifier = Some(value.string()?);
            }
            Property::TopicAliasMaximum => connack.topic_alias_maximum = value.u16()?,
            Property::WildcardSubscriptionAvailable => {
                connack.wildcard_subscription_available = Some(value.flag()?);
            }
            Property::SubscriptionIdentifierAvailable => {
                connack.subscription_identifiers_available = Some(value.flag()?);
            }
            Property::SharedSubscriptionAvailable => {
                connack.shared_subscription_available = Some(value.flag()?);
            }
            Property::ServerKeepAlive => connack.server_keep_alive = Some(value.u16()?),
            Property::ResponseInformation => connack.response_information = Some(value.string()?),
            Property::ServerReference => connack.server_reference = Some(value.string()?),
            Property::AuthenticationMethod => connack.authentication_method = Some(value.string()?),
            Property::AuthenticationData => connack.authentication_data = Some(value.binary()?),
            _ => diagnostics.read(property, value)?,
        }
    }
    connack.reason_string = diagnostics.reason_string;
    connack.user_properties = diagnostics.user_properties;
    Ok(())
}

pub(super) fn write<S: Sink + ?Sized>(connack: &ConnAck, version: Version, sink: &mut S) {
    sink.u8(u8::from(
        connack.session_present && version.has_session_present(),
    ));
    sink.u8(version.connack_code_or_nearest(connack.reason));
    if version.has_properties() {
        sink.variable(length(|counter| write_properties(connack, counter)));
        write_properties(connack, sink);
    }
}

fn write_properties<S: Sink + ?Sized>(connack: &ConnAck, sink: &mut S) {
    sink.u32_property(
        Property::SessionExpiryInterval,
        connack.session_expiry_interval,
    );
    sink.non_zero_property(Property::ReceiveMaximum, connack.receive_maximum);
    // Section 3.2.2.3.4: only 0 and 1 may be said.
    let maximum_qos = connack.maximum_qos.filter(|&qos| qos != QoS::ExactlyOnce);
    sink.flag_property(
        Property::MaximumQoS,
        maximum_qos.map(|qos| qos == QoS::AtLeastOnce),
    );
    sink.flag_property(Property::RetainAvailable, connack.retain_available);
    sink.u32_property(Property::MaximumPacketSize, connack.maximum_packet_size);
    sink.string_property(
        Property::AssignedClientIdentifier,
        connack.assigned_client_identifier.as_ref(),
    );
    sink.maximum_property(Property::TopicAliasMaximum, connack.topic_alias_maximum);
    sink.diagnostics(connack.reason_string.as_ref(), &connack.user_properties);
    sink.flag_property(
        Property::WildcardSubscriptionAvailable,
        connack.wildcard_subscription_available,
    );
    sink.flag_property(
        Property::SubscriptionIdentifierAvailable,
        connack.subscription_identifiers_available,
    );
    sink.flag_property(
        Property::SharedSubscriptionAvailable,
        connack.shared_subscription_available,
    );
    sink.u16_property(Property::ServerKeepAlive, connack.server_keep_alive);
    sink.string_property(
        Property::ResponseInformation,
        connack.response_information.as_ref(),
    );
    sink.string_property(Property::ServerReference, connack.server_reference.as_ref());
    sink.string_property(
        Property::AuthenticationMethod,
        connack.authentication_method.as_ref(),
    );
    sink.field_property(
        Property::AuthenticationData,
        connack.authentication_data.as_deref(),
    );
}
