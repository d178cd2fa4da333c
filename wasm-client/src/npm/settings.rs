//! The settings object as options of the machine, checked.

use alloc::string::String;
use core::num::NonZeroU16;

use ebbtide_protocol::client::{self, Use};
use ebbtide_protocol::packet::{Connect, RetainHandling, SubscriptionOptions, Will};
use ebbtide_protocol::{QoS, TopicName, Version};
use wasm_bindgen::JsValue;

use super::errors::thrown;
pub(super) use super::object::bytes as bytes_of;
use super::object::{flag, get, number, text, user_properties};
use super::properties;
use crate::options::{TOPIC_ALIAS_MAXIMUM, finish};

const NO_LOCAL: u8 = 1;
const RETAIN_AS_PUBLISHED: u8 = 2;
const REFRESH: u8 = 4;
/// Retain Handling is in the two bits above.
const RETAIN_HANDLING_SHIFT: u32 = 3;

/// The address, and the options.
pub(super) fn read(settings: &JsValue) -> Result<(String, client::Options), JsValue> {
    let url = text(settings, "url").unwrap_or_default();
    let short = |key| u16::try_from(number(settings, key).unwrap_or(0)).unwrap_or(u16::MAX);
    let durable = flag(settings, "durable");
    let connect = Connect {
        version: match number(settings, "version") {
            Some(4) => Version::V3_1_1,
            _ => Version::V5,
        },
        clean_start: !durable && flag(settings, "cleanStart"),
        keep_alive: short("keepAliveS"),
        client_id: text(settings, "clientId").unwrap_or_default().into(),
        will: will(&get(settings, "will"))?,
        username: text(settings, "username").map(Into::into),
        password: bytes_of(&get(settings, "password")),
        session_expiry_interval: number(settings, "sessionExpiryS"),
        receive_maximum: NonZeroU16::new(short("receiveMaximum")),
        topic_alias_maximum: TOPIC_ALIAS_MAXIMUM,
        user_properties: user_properties(&get(settings, "userProperties")),
        authentication_method: text(settings, "authenticationMethod").map(Into::into),
        ..Connect::default()
    };
    let mut options = finish(&url, connect).map_err(thrown)?;
    if let Some(timeout_ms) = number(settings, "connectTimeoutMs") {
        options.connect_timeout_ms = timeout_ms;
    }
    if let Some(cap_ms) = number(settings, "backoffMaxMs") {
        options.backoff.cap_ms = cap_ms;
    }
    options.durable = durable;
    options.has_session = flag(settings, "hasSession");
    options.asks_credentials = flag(settings, "asksCredentials");
    Ok((url, options))
}

fn will(object: &JsValue) -> Result<Option<Will>, JsValue> {
    if !object.is_object() {
        return Ok(None);
    }
    let topic = text(object, "topic").unwrap_or_default();
    Ok(Some(Will {
        topic: TopicName::new(topic).map_err(thrown)?,
        payload: bytes_of(&get(object, "payload")).unwrap_or_default(),
        qos: qos(number(object, "qos").unwrap_or(0)),
        retain: flag(object, "retain"),
        delay_interval: number(object, "delayIntervalS").unwrap_or(0),
        properties: properties::read(&get(object, "properties"))?,
    }))
}

fn qos(number: u32) -> QoS {
    let bits = u8::try_from(number).ok();
    bits.and_then(QoS::from_bits).unwrap_or_default()
}

/// How a filter is used, from the flags of `subscribe`.
pub(super) fn used(qos_bits: u8, flags: u8) -> Use {
    Use {
        options: SubscriptionOptions {
            qos: qos(qos_bits.into()),
            no_local: flags & NO_LOCAL != 0,
            retain_as_published: flags & RETAIN_AS_PUBLISHED != 0,
            retain_handling: match flags >> RETAIN_HANDLING_SHIFT {
                0 => RetainHandling::Send,
                1 => RetainHandling::SendIfNew,
                _ => RetainHandling::DoNotSend,
            },
        },
        refresh: flags & REFRESH != 0,
    }
}

/// The flags, from how a filter is used.
pub(super) fn flags(used: Use) -> u8 {
    let options = used.options;
    let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
    flag(options.no_local, NO_LOCAL)
        + flag(options.retain_as_published, RETAIN_AS_PUBLISHED)
        + flag(used.refresh, REFRESH)
        + ((options.retain_handling as u8) << RETAIN_HANDLING_SHIFT)
}
