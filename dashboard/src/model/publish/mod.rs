//! The publish form: what was typed, and the message that comes of it or what is wrong with each field.
//!
//! Nothing is sent from here. A field that has something wrong names it in a sentence that tells what to do.

mod saved;

pub use saved::Saved;

use serde::{Deserialize, Serialize};

use super::bytes::{Form, encode};
use super::filter;
use super::message::Properties;

/// Of the form; the broker may allow less.
pub const USER_PROPERTIES_MAX: usize = 32;

/// As it stands in the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Draft {
    pub topic: String,
    pub payload: String,
    /// The name of a [`Form`].
    pub form: String,
    pub qos: u8,
    pub retain: bool,
    pub content_type: String,
    /// Seconds.
    pub expiry_s: String,
    pub response_topic: String,
    /// Hexadecimal digits.
    pub correlation: String,
    pub user_properties: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Topic,
    Payload,
    Expiry,
    ResponseTopic,
    Correlation,
}

/// What is wrong with each field.
pub type Faults = Vec<(Field, String)>;

/// A message ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    pub topic: String,
    pub payload: Vec<u8>,
    pub qos: u8,
    pub retain: bool,
    pub properties: Properties,
}

impl Draft {
    pub fn new() -> Self {
        Self {
            qos: 1,
            ..Self::default()
        }
    }

    pub fn form(&self) -> Form {
        Form::from_name(&self.form).unwrap_or_default()
    }

    /// Whether there are properties that a folded form would hide.
    pub fn has_properties(&self) -> bool {
        let texts = [
            &self.content_type,
            &self.expiry_s,
            &self.response_topic,
            &self.correlation,
        ];
        texts.iter().any(|text| !text.is_empty()) || !self.user_properties.is_empty()
    }

    pub fn check(&self) -> Result<Outgoing, Faults> {
        let mut faults = Faults::new();
        if let Err(reason) = filter::check_name(&self.topic) {
            faults.push((Field::Topic, reason));
        }
        let payload = encode(self.form(), &self.payload).unwrap_or_else(|fault| {
            let form = self.form().words();
            let text = format!("Not valid {form}: {fault}.");
            faults.push((Field::Payload, text));
            Vec::new()
        });
        let expiry = self.expiry_s.trim();
        let message_expiry_interval = match expiry.parse::<u32>() {
            Ok(seconds) => Some(seconds),
            Err(_) if expiry.is_empty() => None,
            Err(_) => {
                let text = "A whole number of seconds, up to 4294967295.".to_owned();
                faults.push((Field::Expiry, text));
                None
            }
        };
        let response_topic = Some(self.response_topic.clone()).filter(|topic| !topic.is_empty());
        if let Some(Err(reason)) = response_topic.as_deref().map(filter::check_name) {
            faults.push((Field::ResponseTopic, reason));
        }
        let correlation = encode(Form::Hex, &self.correlation).unwrap_or_else(|fault| {
            let text = format!("Hexadecimal digits in pairs: {fault}.");
            faults.push((Field::Correlation, text));
            Vec::new()
        });
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Outgoing {
            topic: self.topic.clone(),
            payload,
            qos: self.qos.min(2),
            retain: self.retain,
            properties: Properties {
                message_expiry_interval,
                content_type: Some(self.content_type.clone()).filter(|text| !text.is_empty()),
                response_topic,
                correlation_data: Some(correlation).filter(|bytes| !bytes.is_empty()),
                user_properties: self
                    .user_properties
                    .iter()
                    .filter(|(n, v)| !n.is_empty() || !v.is_empty())
                    .cloned()
                    .collect(),
                ..Properties::default()
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Draft {
        Draft {
            topic: "lamp/1".to_owned(),
            payload: "{\"on\": true}".to_owned(),
            ..Draft::new()
        }
    }

    #[test]
    fn a_plain_message_has_no_properties() {
        let message = draft().check().expect("a message");
        assert_eq!((message.qos, message.retain), (1, false));
        assert!(message.properties.is_empty());
        assert!(!draft().has_properties());
    }

    #[test]
    fn properties_are_those_that_were_filled_in() {
        let draft = Draft {
            expiry_s: " 60 ".to_owned(),
            correlation: "ff 00".to_owned(),
            user_properties: vec![("k".into(), "v".into()), (String::new(), String::new())],
            ..draft()
        };
        assert!(draft.has_properties());
        let properties = draft.check().expect("a message").properties;
        assert_eq!(properties.message_expiry_interval, Some(60));
        assert_eq!(properties.correlation_data, Some(vec![0xff, 0]));
        assert_eq!(
            properties.user_properties,
            [("k".to_owned(), "v".to_owned())]
        );
        assert_eq!(properties.content_type, None);
    }

    #[test]
    fn every_field_that_is_wrong_says_so() {
        let draft = Draft {
            topic: "lamp/#".to_owned(),
            payload: "{on}".to_owned(),
            expiry_s: "soon".to_owned(),
            response_topic: "a/+".to_owned(),
            correlation: "f".to_owned(),
            ..Draft::new()
        };
        let faults = draft.check().expect_err("faults");
        let fields: Vec<Field> = faults.iter().map(|(field, _)| *field).collect();
        assert_eq!(
            fields,
            [
                Field::Topic,
                Field::Payload,
                Field::Expiry,
                Field::ResponseTopic,
                Field::Correlation
            ]
        );
        assert_eq!(
            faults[1].1,
            "Not valid JSON: line 1, column 2: key must be a string."
        );
    }
}
