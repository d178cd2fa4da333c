//! SUBSCRIBE and SUBACK (sections 3.8 and 3.9).

use alloc::vec::Vec;

use super::property::Property;
use super::reader::{Reader, add};
use super::reasons;
use super::sink::{Sink, length};
use crate::packet::{RetainHandling, SubAck, Subscribe, Subscription, SubscriptionOptions};
use crate::{QoS, TopicFilter, Version, Violation};

const NO_LOCAL: u8 = 0x04;
const RETAIN_AS_PUBLISHED: u8 = 0x08;

pub(super) fn decode(mut body: Reader, version: Version) -> Result<Subscribe, Violation> {
    let packet_id = body.packet_id()?;
    let mut subscribe = Subscribe {
        packet_id,
        subscription_identifier: None,
        user_properties: Vec::new(),
        subscriptions: Vec::new(),
    };
    let mut properties = body.properties(version)?;
    while let Some(property) = properties.next()? {
        match property {
            // Section 3.8.2.1.2: not more than once, unlike in PUBLISH.
            Property::SubscriptionIdentifier if subscribe.subscription_identifier.is_some() => {
                return Err(Violation::PropertyDuplicate);
            }
            Property::SubscriptionIdentifier => {
                subscribe.subscription_identifier =
                    Some(properties.value.subscription_identifier()?);
            }
            Property::UserProperty => add(
                &mut subscribe.user_properties,
                properties.value.string_pair()?,
            )?,
            _ => return Err(Violation::PropertyNotAllowed),
        }
    }
    while !body.is_empty() {
        let filter = body.topic_filter(version)?;
        let options = decode_options(body.u8()?, &filter, version)?;
        add(
            &mut subscribe.subscriptions,
            Subscription { filter, options },
        )?;
    }
    // [MQTT-3.8.3-2]
    if subscribe.subscriptions.is_empty() {
        return Err(Violation::NoSubscriptions);
    }
    Ok(subscribe)
}

/// Subscription Options (section 3.8.3.1).
fn decode_options(
    byte: u8,
    filter: &TopicFilter,
    version: Version,
) -> Result<SubscriptionOptions, Violation> {
    // [MQTT-3.8.3-5]; 3.1.1 reserves all but the QoS and calls QoS 3 malformed too [MQTT3-3.8.3-4].
    let reserved = if version.has_subscription_options() {
        0xC0
    } else {
        0xFC
    };
    if byte & reserved != 0 {
        return Err(Violation::SubscriptionOptions);
    }
    let options = SubscriptionOptions {
        qos: QoS::from_bits(byte & 3).ok_or(Violation::SubscriptionOptionValue)?,
        no_local: byte & NO_LOCAL != 0,
        retain_as_published: byte & RETAIN_AS_PUBLISHED != 0,
        retain_handling: match byte >> 4 {
            0 => RetainHandling::Send,
            1 => RetainHandling::SendIfNew,
            2 => RetainHandling::DoNotSend,
            _ => return Err(Violation::SubscriptionOptionValue),
        },
    };
    // [MQTT-3.8.3-4]
    if options.no_local && filter.share().is_some() {
        return Err(Violation::NoLocalShared);
    }
    Ok(options)
}

pub(super) fn write<S: Sink + ?Sized>(subscribe: &Subscribe, version: Version, sink: &mut S) {
    sink.u16(subscribe.packet_id.get());
    if version.has_properties() {
        sink.variable(length(|counter| write_properties(subscribe, counter)));
        write_properties(subscribe, sink);
    }
    for subscription in &subscribe.subscriptions {
        sink.field(subscription.filter.as_str().as_bytes());
        sink.u8(encode_options(subscription.options, version));
    }
}

fn encode_options(options: SubscriptionOptions, version: Version) -> u8 {
    let mut byte = options.qos as u8;
    if version.has_subscription_options() {
        byte |= (options.retain_handling as u8) << 4;
        if options.no_local {
            byte |= NO_LOCAL;
        }
        if options.retain_as_published {
            byte |= RETAIN_AS_PUBLISHED;
        }
    }
    byte
}

fn write_properties<S: Sink + ?Sized>(subscribe: &Subscribe, sink: &mut S) {
    if let Some(identifier) = subscribe.subscription_identifier {
        sink.subscription_identifier(identifier);
    }
    sink.user_properties(&subscribe.user_properties);
}

pub(super) fn decode_ack(mut body: Reader, version: Version) -> Result<SubAck, Violation> {
    let packet_id = body.packet_id()?;
    let diagnostics = body.properties(version)?.diagnostics()?;
    let mut reasons = Vec::with_capacity(body.len());
    while !body.is_empty() {
        // [MQTT-3.9.3-2]
        let reason = version
            .suback_reason(body.u8()?)
            .filter(|reason| reasons::SUBACK.contains(reason));
        reasons.push(reason.ok_or(Violation::ReasonCodeInvalid)?);
    }
    // [MQTT-3.8.4-6]
    if reasons.is_empty() {
        return Err(Violation::NoReasons);
    }
    Ok(SubAck {
        packet_id,
        reason_string: diagnostics.reason_string,
        user_properties: diagnostics.user_properties,
        reasons,
    })
}

pub(super) fn write_ack<S: Sink + ?Sized>(suback: &SubAck, version: Version, sink: &mut S) {
    sink.u16(suback.packet_id.get());
    if version.has_properties() {
        let (reason_string, user_properties) =
            (suback.reason_string.as_ref(), &suback.user_properties);
        sink.variable(length(|counter| {
            counter.diagnostics(reason_string, user_properties);
        }));
        sink.diagnostics(reason_string, user_properties);
    }
    for &reason in &suback.reasons {
        sink.u8(version.suback_code(reason));
    }
}
