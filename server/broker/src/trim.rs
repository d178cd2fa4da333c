//! What stays in memory takes no more than it needs. A decoded string or payload is a slice of its packet and keeps all of it: what stays longer
//! is copied. A queue begins with room for four, and most clients never have two of anything.

use std::collections::VecDeque;

use bytes::Bytes;
use ebbtide_protocol::{ByteString, TopicFilter, TopicName, packet::MessageProperties};
use ebbtide_store::Message;

/// As `push_back`; the first one gets room for itself alone. A queue that is used grows as ever.
pub(crate) fn push<T>(queue: &mut VecDeque<T>, item: T) {
    if queue.capacity() == 0 {
        queue.reserve_exact(1);
    }
    queue.push_back(item);
}

pub(crate) fn text(text: &str) -> ByteString {
    ByteString::from(text.to_owned())
}

pub(crate) fn topic(topic: &TopicName) -> TopicName {
    TopicName::new(text(topic.as_str())).expect("it was a topic name before")
}

pub(crate) fn filter(filter: &TopicFilter) -> TopicFilter {
    TopicFilter::new(text(filter.as_str())).expect("it was a topic filter before")
}

/// For a message that becomes a retained one.
pub(crate) fn message(message: Message) -> Message {
    Message {
        topic: topic(&message.topic),
        payload: Bytes::copy_from_slice(&message.payload),
        properties: properties(message.properties.into_inner()).into(),
        ..message
    }
}

pub(crate) fn properties(mut properties: MessageProperties) -> MessageProperties {
    properties.content_type = properties.content_type.as_deref().map(text);
    properties.response_topic = properties.response_topic.as_ref().map(topic);
    properties.correlation_data = properties
        .correlation_data
        .as_deref()
        .map(Bytes::copy_from_slice);
    for (name, value) in &mut properties.user_properties {
        (*name, *value) = (text(name), text(value));
    }
    properties
}
