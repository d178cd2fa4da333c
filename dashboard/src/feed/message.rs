//! Messages between the MQTT client and the page: copied and cut on the way in, made whole on the way out.

use std::cell::Cell;

use ebbtide_wasm_client::{
    Bytes, Message as Incoming, MessageProperties, OutgoingMessage, QoS, TopicName,
};

use crate::model::message::{
    CORRELATION_BYTES_MAX, Message, PROPERTY_CHARS_MAX, Properties, USER_PROPERTIES_MAX,
};
use crate::model::payload::{Payload, shorten};
use crate::model::publish::Outgoing;

pub fn incoming(message: &Incoming, at_ms: i64) -> Message {
    Message {
        topic: message.topic.as_str().into(),
        payload: Payload::new(&message.payload),
        qos: message.qos as u8,
        retained: message.retain,
        properties: properties(&message.properties),
        at_ms,
    }
}

pub fn outgoing(message: Outgoing) -> OutgoingMessage {
    let properties = message.properties;
    let user = |(name, value): (String, String)| (name.into(), value.into());
    OutgoingMessage {
        topic: message.topic,
        payload: Bytes::from(message.payload),
        qos: qos(message.qos),
        retain: message.retain,
        properties: MessageProperties {
            payload_format_indicator: properties.payload_format_indicator,
            message_expiry_interval: properties.message_expiry_interval,
            content_type: properties.content_type.map(Into::into),
            // The form has refused what is no topic.
            response_topic: properties
                .response_topic
                .and_then(|topic| TopicName::new(topic).ok()),
            correlation_data: properties.correlation_data.map(Bytes::from),
            user_properties: properties.user_properties.into_iter().map(user).collect(),
        },
    }
}

pub fn qos(level: u8) -> QoS {
    match level {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}

fn properties(properties: &MessageProperties) -> Properties {
    let is_cut = Cell::new(properties.user_properties.len() > USER_PROPERTIES_MAX);
    let text = |text: &str| {
        let kept = shorten(text, PROPERTY_CHARS_MAX);
        is_cut.set(is_cut.get() || kept != text);
        kept
    };
    let user = properties.user_properties.iter();
    let mut kept = Properties {
        payload_format_indicator: properties.payload_format_indicator,
        message_expiry_interval: properties.message_expiry_interval,
        content_type: properties.content_type.as_deref().map(text),
        response_topic: properties
            .response_topic
            .as_ref()
            .map(|topic| text(topic.as_str())),
        correlation_data: properties.correlation_data.as_ref().map(|bytes| {
            let kept = bytes.len().min(CORRELATION_BYTES_MAX);
            bytes[..kept].to_vec()
        }),
        user_properties: user
            .take(USER_PROPERTIES_MAX)
            .map(|(name, value)| (text(name), text(value)))
            .collect(),
        user_properties_left_out: properties
            .user_properties
            .len()
            .saturating_sub(USER_PROPERTIES_MAX),
        is_cut: false,
    };
    let correlation = properties.correlation_data.as_ref();
    kept.is_cut =
        is_cut.get() || correlation.is_some_and(|bytes| bytes.len() > CORRELATION_BYTES_MAX);
    kept
}
