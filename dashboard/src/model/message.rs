//! A message as it arrived, with what travelled with it. Kept by history, tree and live list alike.
//!
//! Holds copies that are cut to named limits, never the network buffer.

use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::payload::Payload;

/// More user properties than this are counted, not kept.
pub const USER_PROPERTIES_MAX: usize = 64;
/// Of each property's text.
pub const PROPERTY_CHARS_MAX: usize = 1_024;
/// Of Correlation Data.
pub const CORRELATION_BYTES_MAX: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub topic: Rc<str>,
    pub payload: Payload,
    /// Of the delivery to this page, which asks for at most QoS 0 where it only watches.
    pub qos: u8,
    /// The publisher's flag, or that it comes from the retained messages.
    pub retained: bool,
    pub properties: Properties,
    /// When it arrived here.
    pub at_ms: i64,
}

/// Those of MQTT 5 that the publisher set (MQTT 5.0, section 3.3.2.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    pub payload_format_indicator: Option<bool>,
    /// What was left of it when it arrived, seconds.
    pub message_expiry_interval: Option<u32>,
    pub content_type: Option<String>,
    pub response_topic: Option<String>,
    pub correlation_data: Option<Vec<u8>>,
    pub user_properties: Vec<(String, String)>,
    /// User properties beyond [`USER_PROPERTIES_MAX`].
    pub user_properties_left_out: usize,
    /// Something of them is not here: published again, they would be others.
    pub is_cut: bool,
}

impl Message {
    /// As it would arrive, without anything but its topic and text.
    #[cfg(test)]
    pub fn retained(topic: &str, payload: &str) -> Self {
        Self {
            topic: topic.into(),
            payload: Payload::new(payload.as_bytes()),
            qos: 0,
            retained: true,
            properties: Properties::default(),
            at_ms: 0,
        }
    }

    /// Whether its topic or its payload has a text, whatever the case. The text is in lower case already.
    pub fn has(&self, search: &str) -> bool {
        self.topic.to_lowercase().contains(search) || self.payload.has(search)
    }

    /// What is kept of it, bytes: for the limits of what holds many.
    pub fn kept_bytes(&self) -> usize {
        self.payload.kept().len() + self.properties.kept_bytes()
    }
}

impl Properties {
    /// As names of the standard and values in words, in the order of the standard; user properties not among them.
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let mut rows = Vec::new();
        if let Some(is_text) = self.payload_format_indicator {
            let words = if is_text { "UTF-8 text" } else { "unspecified" };
            rows.push(("Payload Format Indicator", words.to_owned()));
        }
        if let Some(seconds) = self.message_expiry_interval {
            rows.push(("Message Expiry Interval", format!("{seconds} s")));
        }
        if let Some(text) = &self.content_type {
            rows.push(("Content Type", text.clone()));
        }
        if let Some(text) = &self.response_topic {
            rows.push(("Response Topic", text.clone()));
        }
        if let Some(bytes) = &self.correlation_data {
            rows.push(("Correlation Data", super::hex::start(bytes, 32)));
        }
        rows
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// As the HTTP API takes them.
    pub fn to_api(&self) -> ebbtide_api::Properties {
        let user = |(name, value): &(String, String)| ebbtide_api::UserProperty {
            name: name.clone(),
            value: value.clone(),
        };
        ebbtide_api::Properties {
            payload_format_indicator: self.payload_format_indicator,
            message_expiry_interval: self.message_expiry_interval,
            content_type: self.content_type.clone(),
            response_topic: self.response_topic.clone(),
            correlation_data_base64: self.correlation_data.as_ref().map(|d| BASE64.encode(d)),
            user_properties: self.user_properties.iter().map(user).collect(),
        }
    }

    fn kept_bytes(&self) -> usize {
        let texts = [&self.content_type, &self.response_topic];
        let texts: usize = texts.into_iter().flatten().map(String::len).sum();
        let user = self.user_properties.iter();
        let user: usize = user.map(|(name, value)| name.len() + value.len()).sum();
        texts + user + self.correlation_data.as_ref().map_or(0, Vec::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_stand_in_the_order_of_the_standard_with_their_units() {
        let properties = Properties {
            content_type: Some("text/html".to_owned()),
            message_expiry_interval: Some(60),
            correlation_data: Some(vec![0xff, 1]),
            payload_format_indicator: Some(true),
            ..Properties::default()
        };
        assert_eq!(
            properties.rows(),
            [
                ("Payload Format Indicator", "UTF-8 text".to_owned()),
                ("Message Expiry Interval", "60 s".to_owned()),
                ("Content Type", "text/html".to_owned()),
                ("Correlation Data", "ff 01".to_owned()),
            ]
        );
        assert!(!properties.is_empty());
        assert_eq!(properties.kept_bytes(), 11);
    }
}
