//! Errors as JavaScript gets them: `[code, message, reason code]`.

use ebbtide_protocol::client;
use js_sys::Array;
use wasm_bindgen::JsValue;

use crate::Error;

pub(super) fn thrown(error: impl Into<Error>) -> JsValue {
    let (code, message, reason) = describe(error.into());
    let thrown = Array::of2(&code.into(), &message.into());
    if let Some(reason) = reason {
        thrown.push(&reason.into());
    }
    thrown.into()
}

pub(super) fn fault(code: &str, message: &str) -> JsValue {
    Array::of2(&code.into(), &message.into()).into()
}

pub(super) fn describe(error: Error) -> (&'static str, &'static str, Option<u8>) {
    let (code, reason) = match error {
        Error::Url => ("url", None),
        Error::ClientIdMissing => ("client-id-missing", None),
        Error::FieldTooLong => ("field-too-long", None),
        Error::TopicName(_) => ("topic-name", None),
        Error::TopicFilter(_) => ("topic-filter", None),
        Error::Client(error) => (code(error), reason(error)),
    };
    (code, error.message(), reason)
}

pub(super) fn code(error: client::Error) -> &'static str {
    match error {
        client::Error::Closed => "closed",
        client::Error::Offline => "offline",
        client::Error::QueueFull => "queue-full",
        client::Error::TooManySubscriptions => "too-many-subscriptions",
        client::Error::OutcomeUnknown => "outcome-unknown",
        client::Error::Expired => "expired",
        client::Error::PacketIdInUse => "packet-id-in-use",
        client::Error::PacketTooLarge => "packet-too-large",
        client::Error::Refused(_) => "refused",
    }
}

pub(super) fn reason(error: client::Error) -> Option<u8> {
    match error {
        client::Error::Refused(reason) => Some(reason as u8),
        _ => None,
    }
}
