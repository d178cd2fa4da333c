//! What a message carries, in JSON: its payload as text or base64, and its properties.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use ebbtide_api::{Properties, UserProperty};
use ebbtide_protocol::{QoS, TopicName, packet::MessageProperties};

use super::{extract::bad, problem::Problem};

/// A payload, or its beginning.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Payload {
    /// If it is text.
    pub text: Option<String>,
    /// If it is not.
    pub base64: Option<String>,
    /// There is more of it.
    pub truncated: bool,
}

impl Payload {
    /// So many bytes of it at the most, and no part of a character.
    pub fn new(payload: &[u8], bytes_max: usize) -> Self {
        let truncated = payload.len() > bytes_max;
        match str::from_utf8(payload) {
            Ok(text) => Self {
                text: Some(text[..text.floor_char_boundary(bytes_max)].to_owned()),
                base64: None,
                truncated,
            },
            Err(_) => Self {
                text: None,
                base64: Some(STANDARD.encode(&payload[..payload.len().min(bytes_max)])),
                truncated,
            },
        }
    }
}

/// A payload that was given as text or as base64; neither: an empty one.
pub fn payload(text: Option<String>, base64: Option<String>) -> Result<Bytes, Problem> {
    match (text, base64) {
        (Some(text), None) => Ok(Bytes::from(text)),
        (None, Some(encoded)) => decode("payload_base64", &encoded),
        (None, None) => Ok(Bytes::new()),
        (Some(_), Some(_)) => Err(bad("Give either payload or payload_base64.")),
    }
}

fn decode(name: &str, encoded: &str) -> Result<Bytes, Problem> {
    let decoded = STANDARD.decode(encoded);
    decoded
        .map(Bytes::from)
        .map_err(|error| bad(format!("{name}: {error}")))
}

/// 0, 1 or 2.
pub fn qos(number: u8) -> Result<QoS, Problem> {
    QoS::from_bits(number).ok_or_else(|| bad("qos: 0, 1 or 2"))
}

/// A topic name.
pub fn topic(name: String) -> Result<TopicName, Problem> {
    TopicName::new(name).map_err(|error| bad(format!("topic: {error}")))
}

/// As they are sent on.
pub fn properties(given: Properties) -> Result<MessageProperties, Problem> {
    let long = |name: &str| bad(format!("properties.{name}: at most 65,535 bytes"));
    let text = |name: &str, text: String| match text.len() > usize::from(u16::MAX) {
        true => Err(long(name)),
        false if text.contains('\0') => Err(bad(format!("properties.{name}: no NUL character"))),
        false => Ok(text.into()),
    };
    let correlation_data = given
        .correlation_data_base64
        .map(|encoded| decode("properties.correlation_data_base64", &encoded))
        .transpose()?;
    if correlation_data
        .as_ref()
        .is_some_and(|data| data.len() > usize::from(u16::MAX))
    {
        return Err(long("correlation_data_base64"));
    }
    let response_topic = given.response_topic.map(|name| {
        TopicName::new(name).map_err(|error| bad(format!("properties.response_topic: {error}")))
    });
    let user_properties = given.user_properties.into_iter().map(|property| {
        let UserProperty { name, value } = property;
        Ok((
            text("user_properties", name)?,
            text("user_properties", value)?,
        ))
    });
    Ok(MessageProperties {
        payload_format_indicator: given.payload_format_indicator,
        message_expiry_interval: given.message_expiry_interval,
        content_type: given
            .content_type
            .map(|kind| text("content_type", kind))
            .transpose()?,
        response_topic: response_topic.transpose()?,
        correlation_data,
        user_properties: user_properties.collect::<Result<_, Problem>>()?,
    })
}

/// As they were published.
pub fn shown(properties: &MessageProperties) -> Properties {
    Properties {
        payload_format_indicator: properties.payload_format_indicator,
        message_expiry_interval: properties.message_expiry_interval,
        content_type: properties.content_type.as_ref().map(ToString::to_string),
        response_topic: properties
            .response_topic
            .as_ref()
            .map(|topic| topic.as_str().to_owned()),
        correlation_data_base64: properties
            .correlation_data
            .as_ref()
            .map(|data| STANDARD.encode(data)),
        user_properties: properties
            .user_properties
            .iter()
            .map(|(name, value)| UserProperty {
                name: name.to_string(),
                value: value.to_string(),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_not_cut_inside_a_character() {
        let payload = Payload::new("aé".as_bytes(), 2);
        assert_eq!(payload.text.as_deref(), Some("a"));
        assert!(payload.truncated);
        let whole = Payload::new("aé".as_bytes(), 3);
        assert_eq!(
            (whole.text.as_deref(), whole.truncated),
            (Some("aé"), false)
        );
    }

    #[test]
    fn what_is_not_text_is_base64() {
        let payload = Payload::new(&[0xff, 0, 1], 2);
        assert_eq!(payload.text, None);
        assert_eq!(payload.base64.as_deref(), Some("/wA="));
        assert!(payload.truncated);
    }

    #[test]
    fn properties_come_back_as_they_were_given() {
        let given = Properties {
            payload_format_indicator: Some(true),
            message_expiry_interval: Some(7),
            content_type: Some("text/plain".into()),
            response_topic: Some("answers/1".into()),
            correlation_data_base64: Some("/wA=".into()),
            user_properties: vec![UserProperty {
                name: "a".into(),
                value: "b".into(),
            }],
        };
        let parsed = properties(given.clone()).expect("valid");
        assert_eq!(shown(&parsed), given);
    }

    #[test]
    fn properties_that_no_packet_can_carry_are_refused() {
        let long = "x".repeat(65_536);
        for wrong in [
            Properties {
                content_type: Some(long.clone()),
                ..Properties::default()
            },
            Properties {
                content_type: Some("a\0".into()),
                ..Properties::default()
            },
            Properties {
                response_topic: Some("a/#".into()),
                ..Properties::default()
            },
            Properties {
                correlation_data_base64: Some("?".into()),
                ..Properties::default()
            },
            Properties {
                user_properties: vec![UserProperty {
                    name: long,
                    value: String::new(),
                }],
                ..Properties::default()
            },
        ] {
            assert!(properties(wrong).is_err());
        }
    }
}
