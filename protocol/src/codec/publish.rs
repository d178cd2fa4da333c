//! PUBLISH (section 3.3), and the message properties that a will has too.

use alloc::vec::Vec;
use core::num::NonZeroU16;

use super::property::Property;
use super::reader::{Reader, add};
use super::sink::{Sink, length, variable_length};
use super::{Role, packet_type};
use crate::packet::{MessageProperties, Publish};
use crate::{PacketId, QoS, Version, Violation};

const DUP: u8 = 0x08;
const RETAIN: u8 = 0x01;

pub(super) fn decode(
    flags: u8,
    mut body: Reader,
    version: Version,
    role: Role,
) -> Result<Publish, Violation> {
    // [MQTT-3.3.1-4]
    let qos = QoS::from_bits(flags >> 1 & 3).ok_or(Violation::QoS)?;
    let dup = flags & DUP != 0;
    // [MQTT-3.3.1-2]
    if dup && qos == QoS::AtMostOnce && !version.tolerates_dup() {
        return Err(Violation::DupAtQoS0);
    }
    let topic = if version.has_topic_alias() {
        body.optional_topic_name()?
    } else {
        Some(body.topic_name()?)
    };
    // [MQTT-2.2.1-2]
    let packet_id = match qos {
        QoS::AtMostOnce => None,
        _ => Some(body.packet_id()?),
    };
    let mut publish = Publish {
        dup,
        qos,
        retain: flags & RETAIN != 0,
        topic,
        packet_id,
        topic_alias: None,
        subscription_identifiers: Vec::new(),
        properties: MessageProperties::default(),
        payload: Default::default(),
    };
    let mut properties = body.properties(version)?;
    while let Some(property) = properties.next()? {
        match property {
            Property::TopicAlias => {
                publish.topic_alias =
                    Some(properties.value.non_zero_u16(Violation::TopicAliasZero)?);
            }
            // [MQTT-3.3.4-6]
            Property::SubscriptionIdentifier if role == Role::Server => {
                return Err(Violation::PropertyDirection);
            }
            Property::SubscriptionIdentifier => {
                add(
                    &mut publish.subscription_identifiers,
                    properties.value.subscription_identifier()?,
                )?;
            }
            _ => read_message_property(&mut publish.properties, property, &mut properties.value)?,
        }
    }
    // Section 3.3.2.1: an empty topic needs an alias.
    if publish.topic.is_none() && publish.topic_alias.is_none() {
        return Err(Violation::TopicMissing);
    }
    publish.payload = body.rest();
    Ok(publish)
}

pub(super) fn read_message_property(
    properties: &mut MessageProperties,
    property: Property,
    value: &mut Reader,
) -> Result<(), Violation> {
    // Text is UTF-8 [MQTT-3.3.2-13, MQTT-3.3.2-19].
    match property {
        Property::PayloadFormatIndicator => {
            properties.payload_format_indicator = Some(value.flag()?);
        }
        Property::MessageExpiryInterval => properties.message_expiry_interval = Some(value.u32()?),
        Property::ContentType => properties.content_type = Some(value.string()?),
        Property::ResponseTopic => properties.response_topic = Some(value.response_topic()?),
        Property::CorrelationData => properties.correlation_data = Some(value.binary()?),
        Property::UserProperty => add(&mut properties.user_properties, value.string_pair()?)?,
        _ => return Err(Violation::PropertyNotAllowed),
    }
    Ok(())
}

pub(super) fn write_message_properties<S: Sink + ?Sized>(
    properties: &MessageProperties,
    message_expiry_interval: Option<u32>,
    sink: &mut S,
) {
    sink.flag_property(
        Property::PayloadFormatIndicator,
        properties.payload_format_indicator,
    );
    sink.u32_property(Property::MessageExpiryInterval, message_expiry_interval);
    sink.string_property(Property::ContentType, properties.content_type.as_ref());
    sink.string_property(
        Property::ResponseTopic,
        properties
            .response_topic
            .as_ref()
            .map(|topic| topic.as_byte_string()),
    );
    sink.field_property(
        Property::CorrelationData,
        properties.correlation_data.as_deref(),
    );
    sink.user_properties(&properties.user_properties);
}

/// A PUBLISH whose parts belong to somebody else: what a broker sends to each of many subscribers.
#[derive(Clone, Copy, Debug)]
pub struct PublishRef<'a> {
    /// See [`Publish::dup`].
    pub dup: bool,
    /// See [`Publish::qos`].
    pub qos: QoS,
    /// See [`Publish::retain`].
    pub retain: bool,
    /// A valid topic name; empty only together with `topic_alias`.
    pub topic: &'a str,
    /// Present exactly when `qos` is above 0.
    pub packet_id: Option<PacketId>,
    /// See [`Publish::topic_alias`].
    pub topic_alias: Option<NonZeroU16>,
    /// See [`Publish::subscription_identifiers`].
    pub subscription_identifiers: &'a [u32],
    /// What is left of the message's lifetime, in seconds; used instead of the interval in `properties`
    /// [MQTT-3.3.2-6].
    pub message_expiry_interval: Option<u32>,
    /// See [`Publish::properties`].
    pub properties: &'a MessageProperties,
    /// See [`Publish::payload`].
    pub payload: &'a [u8],
}

impl<'a> From<&'a Publish> for PublishRef<'a> {
    fn from(publish: &'a Publish) -> Self {
        Self {
            dup: publish.dup,
            qos: publish.qos,
            retain: publish.retain,
            topic: publish.topic.as_ref().map_or("", |topic| topic.as_str()),
            packet_id: publish.packet_id,
            topic_alias: publish.topic_alias,
            subscription_identifiers: &publish.subscription_identifiers,
            message_expiry_interval: publish.properties.message_expiry_interval,
            properties: &publish.properties,
            payload: &publish.payload,
        }
    }
}

impl PublishRef<'_> {
    pub(super) fn first_byte(&self) -> u8 {
        let mut byte = packet_type::PUBLISH << 4 | (self.qos as u8) << 1;
        if self.dup {
            byte |= DUP;
        }
        if self.retain {
            byte |= RETAIN;
        }
        byte
    }

    /// The Remaining Length.
    pub(super) fn body_len(&self, version: Version) -> usize {
        let mut len = 2 + self.topic.len() + self.payload.len();
        if self.qos != QoS::AtMostOnce {
            len += 2;
        }
        if version.has_properties() {
            let properties = self.properties_len();
            len += variable_length(properties) + properties;
        }
        len
    }

    /// Everything between the fixed header and the payload.
    pub(super) fn write_head<S: Sink + ?Sized>(&self, version: Version, sink: &mut S) {
        debug_assert!(
            !self.topic.is_empty() || (self.topic_alias.is_some() && version.has_topic_alias()),
            "a PUBLISH has a topic or an alias"
        );
        sink.field(self.topic.as_bytes());
        if self.qos != QoS::AtMostOnce {
            debug_assert!(
                self.packet_id.is_some(),
                "a PUBLISH above QoS 0 has a packet id"
            );
            sink.u16(self.packet_id.map_or(0, NonZeroU16::get));
        }
        if version.has_properties() {
            sink.variable(self.properties_len());
            self.write_properties(sink);
        }
    }

    fn properties_len(&self) -> usize {
        length(|counter| self.write_properties(counter))
    }

    fn write_properties<S: Sink + ?Sized>(&self, sink: &mut S) {
        sink.non_zero_property(Property::TopicAlias, self.topic_alias);
        for &identifier in self.subscription_identifiers {
            sink.subscription_identifier(identifier);
        }
        write_message_properties(self.properties, self.message_expiry_interval, sink);
    }
}
