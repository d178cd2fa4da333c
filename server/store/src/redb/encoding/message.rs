//! Rows that hold an application message: queued and retained ones, and what wills share with them.
//!
//! They borrow from the row and from the message: content is copied once, into the value that is handed out. A queued
//! row starts with what recovery needs, so that recovery touches no payload.

use std::sync::Arc;

use bytes::Bytes;
use ebbtide_protocol::{
    TopicName,
    packet::{MessageProperties, UserProperty},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{RowError, append, encode, last, open, qos};
use crate::{Message, RetainedRow, Revision, WallTime};

const QUEUED_VERSION: u8 = 1;
const RETAINED_VERSION: u8 = 1;

/// What comes first in a queued row.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::redb) struct QueuedHead<'a> {
    /// The number of its recipient set.
    pub(in crate::redb) set: u64,
    /// When it expires.
    pub(in crate::redb) expires_at: Option<WallTime>,
    /// Size of topic, payload and properties.
    pub(in crate::redb) size_bytes: u64,
    topic: &'a str,
}

/// A message without its topic: a retained one has that as its key.
#[derive(Serialize, Deserialize)]
struct Body<'a> {
    qos: u8,
    retain: bool,
    accepted_at: WallTime,
    #[serde(borrow)]
    properties: Properties<'a>,
    payload: Blob<'a>,
}

/// The properties that travel with a message.
#[derive(Serialize, Deserialize)]
pub(super) struct Properties<'a> {
    payload_format_indicator: Option<bool>,
    message_expiry_interval: Option<u32>,
    content_type: Option<&'a str>,
    response_topic: Option<&'a str>,
    #[serde(borrow)]
    correlation_data: Option<Blob<'a>>,
    user_properties: Vec<(&'a str, &'a str)>,
}

/// Bytes that are written and read as one piece; serde would take a slice element by element.
#[derive(Clone, Copy)]
pub(in crate::redb) struct Blob<'a>(pub(in crate::redb) &'a [u8]);

impl Serialize for Blob<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Blob<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = &'de [u8];
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
                Ok(bytes)
            }
        }
        deserializer.deserialize_bytes(Visitor).map(Blob)
    }
}

/// A queued message; the row is appended to others.
pub(in crate::redb) fn encode_queued(set: u64, message: &Message, rows: &mut Vec<u8>) {
    let head = QueuedHead {
        set,
        expires_at: message.expires_at(),
        size_bytes: message.content_bytes(),
        topic: message.topic.as_str(),
    };
    rows.push(QUEUED_VERSION);
    append(&head, rows);
    append(&Body::of(message), rows);
}

/// The head of a queued message; the rest is checked, not copied.
pub(in crate::redb) fn decode_queued_head(row: &[u8]) -> Result<QueuedHead<'_>, RowError> {
    let (head, body) = split_queued(row)?;
    last::<Body<'_>>(body)?.properties.check()?;
    topic(head.topic)?;
    Ok(head)
}

/// A queued message whole; the content is not decoded if it is known.
pub(in crate::redb) fn decode_queued_unless(
    row: &[u8],
    known: Option<Arc<Message>>,
) -> Result<(u64, Arc<Message>), RowError> {
    let (head, body) = split_queued(row)?;
    let message = match known {
        Some(message) => message,
        None => last::<Body<'_>>(body)?.message(topic(head.topic)?)?.into(),
    };
    Ok((head.set, message))
}

fn split_queued(row: &[u8]) -> Result<(QueuedHead<'_>, &[u8]), RowError> {
    Ok(postcard::take_from_bytes(open(QUEUED_VERSION, row)?)?)
}

/// A retained message; its topic is the key.
pub(in crate::redb) fn encode_retained(row: &RetainedRow) -> Vec<u8> {
    let mut bytes = encode(RETAINED_VERSION, &row.revision);
    append(&Body::of(&row.message), &mut bytes);
    bytes
}

/// A retained message.
pub(in crate::redb) fn decode_retained(key: &[u8], row: &[u8]) -> Result<RetainedRow, RowError> {
    let key = std::str::from_utf8(key).map_err(|_| RowError::Invalid("the key is not UTF-8"))?;
    let (revision, body) = postcard::take_from_bytes(open(RETAINED_VERSION, row)?)?;
    let message = last::<Body<'_>>(body)?.message(topic(key)?)?;
    Ok(RetainedRow {
        revision,
        message: message.into(),
    })
}

/// The revision of a retained message alone.
pub(in crate::redb) fn decode_revision(row: &[u8]) -> Result<Revision, RowError> {
    Ok(postcard::take_from_bytes(open(RETAINED_VERSION, row)?)?.0)
}

pub(super) fn topic(name: &str) -> Result<TopicName, RowError> {
    TopicName::new(name).map_err(|_| RowError::Invalid("the topic name is not valid"))
}

impl<'a> Body<'a> {
    fn of(message: &'a Message) -> Self {
        Self {
            qos: message.qos as u8,
            retain: message.retain,
            accepted_at: message.accepted_at,
            properties: Properties::of(&message.properties),
            payload: Blob(&message.payload),
        }
    }

    fn message(self, topic: TopicName) -> Result<Message, RowError> {
        Ok(Message {
            topic,
            payload: Bytes::copy_from_slice(self.payload.0),
            qos: qos(self.qos)?,
            retain: self.retain,
            accepted_at: self.accepted_at,
            properties: self.properties.own()?.into(),
        })
    }
}

impl<'a> Properties<'a> {
    pub(super) fn of(properties: &'a MessageProperties) -> Self {
        let user = |(name, value): &'a UserProperty| (&**name, &**value);
        Self {
            payload_format_indicator: properties.payload_format_indicator,
            message_expiry_interval: properties.message_expiry_interval,
            content_type: properties.content_type.as_deref(),
            response_topic: properties.response_topic.as_ref().map(TopicName::as_str),
            correlation_data: properties.correlation_data.as_deref().map(Blob),
            user_properties: properties.user_properties.iter().map(user).collect(),
        }
    }

    pub(super) fn own(self) -> Result<MessageProperties, RowError> {
        let user = |(name, value): (&str, &str)| (name.into(), value.into());
        Ok(MessageProperties {
            payload_format_indicator: self.payload_format_indicator,
            message_expiry_interval: self.message_expiry_interval,
            content_type: self.content_type.map(Into::into),
            response_topic: self.response_topic.map(topic).transpose()?,
            correlation_data: self
                .correlation_data
                .map(|Blob(data)| Bytes::copy_from_slice(data)),
            user_properties: self.user_properties.into_iter().map(user).collect(),
        })
    }

    fn check(&self) -> Result<(), RowError> {
        self.response_topic.map(topic).transpose().map(drop)
    }
}
