//! CONNECT (section 3.1).

use super::property::{Properties, Property};
use super::publish::{read_message_property, write_message_properties};
use super::reader::{Reader, add};
use super::sink::{Sink, length};
use crate::packet::{Connect, MessageProperties, Will};
use crate::{QoS, Version, Violation};

const RESERVED: u8 = 0x01;
const CLEAN_START: u8 = 0x02;
const WILL: u8 = 0x04;
const WILL_QOS: u8 = 0x18;
const WILL_RETAIN: u8 = 0x20;
const PASSWORD: u8 = 0x40;
const USER_NAME: u8 = 0x80;

/// Sets the version of the connection as soon as it is known, so that what is wrong behind it can be answered.
pub(super) fn decode(
    mut body: Reader,
    version: &mut Option<Version>,
) -> Result<Connect, Violation> {
    let name = body.binary()?;
    let level = body.u8()?;
    let spoken = Version::from_protocol(&name, level).inspect_err(|violation| {
        if let Violation::ProtocolLevel(level) = *violation {
            *version = Some(Version::for_refusal(level));
        }
    })?;
    *version = Some(spoken);

    let flags = body.u8()?;
    check_flags(flags, spoken)?;
    let mut connect = Connect {
        version: spoken,
        clean_start: flags & CLEAN_START != 0,
        keep_alive: body.u16()?,
        ..Connect::default()
    };
    let properties = body.properties(spoken)?;
    read_properties(&mut connect, properties)?;

    // In this order [MQTT-3.1.3-1], each there if and only if its flag is set [MQTT-3.1.2-9, MQTT-3.1.2-16, MQTT-3.1.2-17,
    // MQTT-3.1.2-18, MQTT-3.1.2-19]; all text is UTF-8 [MQTT-3.1.3-4, MQTT-3.1.3-11, MQTT-3.1.3-12]. An identifier may have
    // any length and characters [MQTT-3.1.3-3, MQTT-3.1.3-5].
    connect.client_id = body.string()?;
    if connect.client_id.is_empty() && !spoken.allows_empty_client_id(connect.clean_start) {
        return Err(Violation::ClientIdEmpty);
    }
    if flags & WILL != 0 {
        connect.will = Some(decode_will(flags, &mut body, spoken)?);
    }
    if flags & USER_NAME != 0 {
        connect.username = Some(body.string()?);
    }
    if flags & PASSWORD != 0 {
        connect.password = Some(body.binary()?);
    }
    body.finish()?;
    Ok(connect)
}

fn check_flags(flags: u8, version: Version) -> Result<(), Violation> {
    // [MQTT-3.1.2-3], and without a will its QoS and RETAIN are zero [MQTT-3.1.2-11, MQTT-3.1.2-13].
    if flags & RESERVED != 0 || (flags & WILL == 0 && flags & (WILL_QOS | WILL_RETAIN) != 0) {
        return Err(Violation::ConnectFlags);
    }
    // [MQTT3-3.1.2-22]
    if flags & (USER_NAME | PASSWORD) == PASSWORD && version.password_requires_user_name() {
        return Err(Violation::PasswordWithoutUserName);
    }
    // [MQTT-3.1.2-12]
    QoS::from_bits((flags & WILL_QOS) >> 3)
        .map(|_| ())
        .ok_or(Violation::WillQoS)
}

fn read_properties(connect: &mut Connect, mut properties: Properties) -> Result<(), Violation> {
    while let Some(property) = properties.next()? {
        let value = &mut properties.value;
        match property {
            Property::SessionExpiryInterval => connect.session_expiry_interval = Some(value.u32()?),
            Property::ReceiveMaximum => {
                connect.receive_maximum = Some(value.non_zero_u16(Violation::PropertyValue)?);
            }
            Property::MaximumPacketSize => {
                connect.maximum_packet_size = Some(value.non_zero_u32()?);
            }
            Property::TopicAliasMaximum => connect.topic_alias_maximum = value.u16()?,
            Property::RequestResponseInformation => {
                connect.request_response_information = value.flag()?;
            }
            Property::RequestProblemInformation => {
                connect.request_problem_information = Some(value.flag()?);
            }
            Property::UserProperty => add(&mut connect.user_properties, value.string_pair()?)?,
            Property::AuthenticationMethod => connect.authentication_method = Some(value.string()?),
            Property::AuthenticationData => connect.authentication_data = Some(value.binary()?),
            _ => return Err(Violation::PropertyNotAllowed),
        }
    }
    // Section 3.1.2.11.10
    if connect.authentication_data.is_some() && connect.authentication_method.is_none() {
        return Err(Violation::AuthenticationMethodMissing);
    }
    Ok(())
}

fn decode_will(flags: u8, body: &mut Reader, version: Version) -> Result<Will, Violation> {
    let mut delay_interval = 0;
    let mut message = MessageProperties::default();
    let mut properties = body.properties(version)?;
    while let Some(property) = properties.next()? {
        match property {
            Property::WillDelayInterval => delay_interval = properties.value.u32()?,
            _ => read_message_property(&mut message, property, &mut properties.value)?,
        }
    }
    Ok(Will {
        topic: body.topic_name()?,
        payload: body.binary()?,
        // [MQTT-3.1.2-12]
        qos: QoS::from_bits((flags & WILL_QOS) >> 3).ok_or(Violation::WillQoS)?,
        retain: flags & WILL_RETAIN != 0,
        delay_interval,
        properties: message,
    })
}

/// The version that counts is the connection's; it is the same as `connect.version` wherever both exist.
pub(super) fn write<S: Sink + ?Sized>(connect: &Connect, version: Version, sink: &mut S) {
    // A password that 3.1.1 does not allow is left out.
    let password = connect
        .password
        .as_deref()
        .filter(|_| connect.username.is_some() || !version.password_requires_user_name());

    sink.field(version.protocol_name().as_bytes());
    sink.u8(version.level());
    sink.u8(encode_flags(connect, password.is_some()));
    sink.u16(connect.keep_alive);
    if version.has_properties() {
        sink.variable(length(|counter| write_properties(connect, counter)));
        write_properties(connect, sink);
    }
    sink.field(connect.client_id.as_bytes());
    if let Some(will) = &connect.will {
        if version.has_properties() {
            sink.variable(length(|counter| write_will_properties(will, counter)));
            write_will_properties(will, sink);
        }
        sink.field(will.topic.as_str().as_bytes());
        sink.field(&will.payload);
    }
    if let Some(username) = &connect.username {
        sink.field(username.as_bytes());
    }
    if let Some(password) = password {
        sink.field(password);
    }
}

fn encode_flags(connect: &Connect, password: bool) -> u8 {
    let mut flags = 0;
    if connect.clean_start {
        flags |= CLEAN_START;
    }
    if let Some(will) = &connect.will {
        flags |= WILL | (will.qos as u8) << 3;
        if will.retain {
            flags |= WILL_RETAIN;
        }
    }
    if password {
        flags |= PASSWORD;
    }
    if connect.username.is_some() {
        flags |= USER_NAME;
    }
    flags
}

fn write_properties<S: Sink + ?Sized>(connect: &Connect, sink: &mut S) {
    sink.u32_property(
        Property::SessionExpiryInterval,
        connect.session_expiry_interval,
    );
    sink.non_zero_property(Property::ReceiveMaximum, connect.receive_maximum);
    sink.u32_property(Property::MaximumPacketSize, connect.maximum_packet_size);
    sink.maximum_property(Property::TopicAliasMaximum, connect.topic_alias_maximum);
    let response_information = connect.request_response_information.then_some(true);
    sink.flag_property(Property::RequestResponseInformation, response_information);
    sink.flag_property(
        Property::RequestProblemInformation,
        connect.request_problem_information,
    );
    sink.user_properties(&connect.user_properties);
    sink.string_property(
        Property::AuthenticationMethod,
        connect.authentication_method.as_ref(),
    );
    sink.field_property(
        Property::AuthenticationData,
        connect.authentication_data.as_deref(),
    );
}

fn write_will_properties<S: Sink + ?Sized>(will: &Will, sink: &mut S) {
    let delay_interval = (will.delay_interval != 0).then_some(will.delay_interval);
    sink.u32_property(Property::WillDelayInterval, delay_interval);
    write_message_properties(
        &will.properties,
        will.properties.message_expiry_interval,
        sink,
    );
}
