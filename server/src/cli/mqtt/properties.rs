//! Properties of MQTT 5.0, as flags of their own and as Mosquitto's `-D COMMAND PROPERTY VALUE`.

use std::str::FromStr;

use bytes::Bytes;
use clap::Args;
use ebbtide_protocol::{
    TopicName,
    packet::{Connect, MessageProperties, UserProperty},
};

use super::MqttError;

/// What travels with a message.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Properties of the message (MQTT 5)")]
pub struct MessageFlags {
    /// User Property; may be repeated.
    #[arg(long, value_name = "NAME=VALUE")]
    user_property: Vec<String>,

    /// Content Type: a MIME type, by convention.
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,

    /// Response Topic: where an answer should go.
    #[arg(long, value_name = "TOPIC")]
    response_topic: Option<String>,

    /// Correlation Data: what ties an answer to its question.
    #[arg(long, value_name = "TEXT")]
    correlation_data: Option<String>,

    /// Message Expiry Interval: after so many seconds it is worth nothing any more.
    #[arg(long, value_name = "SECONDS")]
    expiry: Option<u32>,

    /// Payload Format Indicator: says that the payload is text (UTF-8).
    #[arg(long)]
    text: bool,
}

impl MessageFlags {
    pub fn properties(self) -> Result<MessageProperties, MqttError> {
        let mut properties = MessageProperties {
            payload_format_indicator: self.text.then_some(true),
            message_expiry_interval: self.expiry,
            content_type: self.content_type.map(Into::into),
            correlation_data: self.correlation_data.map(Bytes::from),
            ..MessageProperties::default()
        };
        if let Some(topic) = self.response_topic {
            properties.response_topic = Some(topic_name("--response-topic", topic)?);
        }
        for typed in self.user_property {
            let (name, value) = typed.split_once('=').ok_or_else(|| {
                MqttError::Typed(format!(
                    "--user-property {typed}: give a name and a value, for example --user-property site=north"
                ))
            })?;
            properties.user_properties.push((name.into(), value.into()));
        }
        Ok(properties)
    }
}

/// A topic without wildcards.
pub fn topic_name(flag: &str, topic: String) -> Result<TopicName, MqttError> {
    let name = TopicName::new(topic.clone());
    name.map_err(|error| MqttError::Typed(format!("{flag} {topic}: {error}")))
}

/// What `-D` may speak of.
pub struct Targets<'a> {
    pub connect: &'a mut Connect,
    /// Of what is published, if something is.
    pub publish: Option<&'a mut MessageProperties>,
    /// Of the will with its delay, if there is one.
    pub will: Option<(&'a mut MessageProperties, &'a mut u32)>,
}

/// Sets what `-D` says, all of them one after the other: three words each, or four for a User Property.
pub fn set(words: &[String], mut targets: Targets<'_>) -> Result<(), MqttError> {
    let mut words = words.iter().map(String::as_str);
    while let Some(command) = words.next() {
        let mut next = |what: &str| {
            words.next().ok_or_else(|| {
                MqttError::Typed(format!(
                    "-D {command}: {what} is missing; give -D COMMAND PROPERTY VALUE, or -D COMMAND user-property NAME VALUE"
                ))
            })
        };
        let name = next("the property")?;
        let property = Property {
            command,
            name,
            value: next("the value")?,
            second: match name {
                "user-property" => Some(next("the value of the user property")?),
                _ => None,
            },
        };
        match command.to_ascii_lowercase().as_str() {
            "connect" => property.set_connect(targets.connect)?,
            "publish" => match &mut targets.publish {
                Some(properties) => property.set_message(properties)?,
                None => return Err(property.fault("nothing is published here")),
            },
            "will" => match &mut targets.will {
                Some((_, delay)) if name == "will-delay-interval" => **delay = property.number()?,
                Some((properties, _)) => property.set_message(properties)?,
                None => return Err(property.fault("there is no will without --will-topic")),
            },
            _ => return Err(property.fault("the commands are connect, publish and will")),
        }
    }
    Ok(())
}

struct Property<'a> {
    command: &'a str,
    name: &'a str,
    value: &'a str,
    /// Of a User Property, whose name stands in `value`.
    second: Option<&'a str>,
}

impl Property<'_> {
    fn set_message(&self, properties: &mut MessageProperties) -> Result<(), MqttError> {
        let value = self.value;
        match self.name {
            "content-type" => properties.content_type = Some(value.into()),
            "correlation-data" => {
                properties.correlation_data = Some(Bytes::from(value.to_owned()));
            }
            "message-expiry-interval" => properties.message_expiry_interval = Some(self.number()?),
            "payload-format-indicator" => properties.payload_format_indicator = Some(self.flag()?),
            "response-topic" => {
                let topic = topic_name("-D publish response-topic", value.to_owned())?;
                properties.response_topic = Some(topic);
            }
            "user-property" => properties.user_properties.extend(self.pair()),
            _ => {
                return Err(self.fault(
                    "it has content-type, correlation-data, message-expiry-interval, payload-format-indicator, response-topic, \
                     user-property, and a will will-delay-interval",
                ));
            }
        }
        Ok(())
    }

    fn set_connect(&self, connect: &mut Connect) -> Result<(), MqttError> {
        match self.name {
            "session-expiry-interval" => connect.session_expiry_interval = Some(self.number()?),
            "receive-maximum" => connect.receive_maximum = Some(self.number()?),
            "maximum-packet-size" => {
                let size: std::num::NonZeroU32 = self.number()?;
                connect.maximum_packet_size = Some(size.get());
            }
            "topic-alias-maximum" => connect.topic_alias_maximum = self.number()?,
            "request-response-information" => {
                connect.request_response_information = self.flag()?;
            }
            "request-problem-information" => {
                connect.request_problem_information = Some(self.flag()?);
            }
            "authentication-method" => {
                connect.authentication_method = Some(self.value.into());
            }
            "authentication-data" => {
                connect.authentication_data = Some(Bytes::from(self.value.to_owned()));
            }
            "user-property" => connect.user_properties.extend(self.pair()),
            _ => {
                return Err(self.fault(
                    "it has authentication-data, authentication-method, maximum-packet-size, receive-maximum, \
                     request-problem-information, request-response-information, session-expiry-interval, topic-alias-maximum, \
                     user-property",
                ));
            }
        }
        Ok(())
    }

    fn pair(&self) -> Option<UserProperty> {
        Some((self.value.into(), self.second?.into()))
    }

    fn number<T: FromStr>(&self) -> Result<T, MqttError> {
        let number = self.value.parse();
        number.map_err(|_| self.fault(&format!("{} is no number that it can be", self.value)))
    }

    fn flag(&self) -> Result<bool, MqttError> {
        match self.value {
            "0" | "false" => Ok(false),
            "1" | "true" => Ok(true),
            other => Err(self.fault(&format!("{other} is neither 0 nor 1"))),
        }
    }

    fn fault(&self, why: &str) -> MqttError {
        MqttError::Typed(format!("-D {} {}: {why}", self.command, self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_all(typed: &str) -> Result<(Connect, MessageProperties, u32), String> {
        let words: Vec<String> = typed.split_whitespace().map(str::to_owned).collect();
        let mut connect = Connect::default();
        let (mut publish, mut will, mut delay) =
            <(MessageProperties, MessageProperties, u32)>::default();
        let targets = Targets {
            connect: &mut connect,
            publish: Some(&mut publish),
            will: Some((&mut will, &mut delay)),
        };
        set(&words, targets).map_err(|error| error.to_string())?;
        Ok((connect, publish, delay))
    }

    #[test]
    fn three_words_each_and_four_for_a_user_property() {
        let (connect, publish, delay) = set_all(
            "connect session-expiry-interval 60 publish user-property a b PUBLISH content-type text/plain \
             will will-delay-interval 5 connect receive-maximum 7",
        )
        .expect("valid");
        assert_eq!(connect.session_expiry_interval, Some(60));
        assert_eq!(connect.receive_maximum.map(std::num::NonZero::get), Some(7));
        assert_eq!(publish.user_properties, [("a".into(), "b".into())]);
        assert_eq!(publish.content_type.as_deref(), Some("text/plain"));
        assert_eq!(delay, 5);
    }

    #[test]
    fn a_mistake_is_told_with_what_there_is() {
        for (typed, expected) in [
            ("publish contenttype x", "it has content-type"),
            ("connect receive-maximum 0", "no number that it can be"),
            ("connect receive-maximum", "the value is missing"),
            ("publish user-property a", "is missing"),
            ("subscribe user-property a b", "connect, publish and will"),
            ("publish response-topic a/#", "response-topic a/#"),
        ] {
            let error = set_all(typed).expect_err(typed);
            assert!(error.contains(expected), "{typed}: {error}");
        }
    }
}
