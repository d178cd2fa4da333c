//! The properties of messages, both ways (section 3.3.2.3).

use ebbtide_protocol::TopicName;
use ebbtide_protocol::packet::MessageProperties;
use wasm_bindgen::JsValue;

use super::errors::thrown;
use super::object::{Writer, bytes, flag, get, number, text, user_properties};

pub(super) fn read(object: &JsValue) -> Result<MessageProperties, JsValue> {
    if !object.is_object() {
        return Ok(MessageProperties::default());
    }
    let response_topic = match text(object, "responseTopic") {
        Some(topic) => Some(TopicName::new(topic).map_err(thrown)?),
        None => None,
    };
    Ok(MessageProperties {
        payload_format_indicator: flag(object, "payloadFormatIndicator").then_some(true),
        message_expiry_interval: number(object, "messageExpiryInterval"),
        content_type: text(object, "contentType").map(Into::into),
        response_topic,
        correlation_data: bytes(&get(object, "correlationData")),
        user_properties: user_properties(&get(object, "userProperties")),
    })
}

/// `undefined` when there are none.
pub(super) fn write(properties: &MessageProperties) -> JsValue {
    if *properties == MessageProperties::default() {
        return JsValue::UNDEFINED;
    }
    let object = Writer::new();
    if let Some(is_text) = properties.payload_format_indicator {
        object.set("payloadFormatIndicator", is_text);
    }
    object.set_number("messageExpiryInterval", properties.message_expiry_interval);
    object.set_text("contentType", properties.content_type.as_deref());
    let response_topic = properties.response_topic.as_ref();
    object.set_text("responseTopic", response_topic.map(TopicName::as_str));
    object.set_bytes("correlationData", properties.correlation_data.as_ref());
    object.set_user_properties("userProperties", &properties.user_properties);
    object.finish()
}
