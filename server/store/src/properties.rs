//! The MQTT 5 properties of a message that is held. Most messages have none, and then they take a pointer: in the struct
//! itself they would be two thirds of a retained message of a few bytes.

use std::ops::Deref;

use ebbtide_protocol::packet::MessageProperties;

static NONE: MessageProperties = MessageProperties {
    payload_format_indicator: None,
    message_expiry_interval: None,
    content_type: None,
    response_topic: None,
    correlation_data: None,
    user_properties: Vec::new(),
};

/// Reads like the [`MessageProperties`] that it was made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties(Option<Box<MessageProperties>>);

impl Properties {
    /// To be changed and given back.
    #[must_use]
    pub fn into_inner(self) -> MessageProperties {
        self.0.map_or_else(MessageProperties::default, |held| *held)
    }
}

impl From<MessageProperties> for Properties {
    fn from(properties: MessageProperties) -> Self {
        let is_empty = properties == NONE;
        Self((!is_empty).then(|| Box::new(properties)))
    }
}

impl Deref for Properties {
    type Target = MessageProperties;

    fn deref(&self) -> &MessageProperties {
        self.0.as_deref().unwrap_or(&NONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_empty_takes_a_pointer_and_equals_what_was_never_given() {
        assert_eq!(size_of::<Properties>(), size_of::<usize>());
        let given = Properties::from(MessageProperties::default());
        assert_eq!(given, Properties::default());
        assert!(given.0.is_none());
        assert_eq!(*given, MessageProperties::default());
    }

    #[test]
    fn what_is_given_comes_back() {
        let properties = MessageProperties {
            message_expiry_interval: Some(7),
            ..MessageProperties::default()
        };
        let held = Properties::from(properties.clone());
        assert_eq!(held.message_expiry_interval, Some(7));
        assert_eq!(held.into_inner(), properties);
    }
}
