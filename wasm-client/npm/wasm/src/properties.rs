//! The properties of messages, both ways (section 3.3.2.3), in the order of `PROPERTIES` in `npm/src/wasm/connection.ts`.

use ebbtide_protocol::TopicName;
use ebbtide_protocol::packet::MessageProperties;

use crate::faults::Fault;
use crate::values::{Reader, Writer};

pub(crate) fn read(values: &mut Reader) -> Result<MessageProperties, Fault> {
    let mut properties = MessageProperties::default();
    if values.list() > 0 {
        properties.payload_format_indicator = values.flag().then_some(true);
        properties.message_expiry_interval = values.number().map(|seconds| seconds as u32);
        properties.content_type = values.text();
        if let Some(topic) = values.text() {
            properties.response_topic = Some(TopicName::new(topic)?);
        }
        properties.correlation_data = values.bytes();
        properties.user_properties = values.user_properties();
    }
    Ok(properties)
}

/// Nothing when there are none.
pub(crate) fn write(properties: &MessageProperties, to: &mut Writer) {
    if *properties == MessageProperties::default() {
        return to.nothing();
    }
    to.list(6);
    to.maybe_flag(properties.payload_format_indicator);
    to.maybe_number(properties.message_expiry_interval);
    to.maybe_text(properties.content_type.as_ref());
    let response_topic = properties.response_topic.as_ref();
    to.maybe_text(response_topic.map(TopicName::as_byte_string));
    to.maybe_bytes(properties.correlation_data.as_ref());
    to.user_properties(&properties.user_properties);
}
