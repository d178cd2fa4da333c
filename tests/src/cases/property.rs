//! The properties of MQTT 5.0 by name (section 2.2.2.2).

/// How a property is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Byte,
    TwoBytes,
    FourBytes,
    Variable,
    /// A string, or binary data: both are bytes after their length.
    Bytes,
    /// Two strings, written `name:value`.
    Pair,
}

const ALL: &[(&str, u8, Kind)] = &[
    ("payload-format-indicator", 0x01, Kind::Byte),
    ("message-expiry-interval", 0x02, Kind::FourBytes),
    ("content-type", 0x03, Kind::Bytes),
    ("response-topic", 0x08, Kind::Bytes),
    ("correlation-data", 0x09, Kind::Bytes),
    ("subscription-identifier", 0x0B, Kind::Variable),
    ("session-expiry-interval", 0x11, Kind::FourBytes),
    ("assigned-client-identifier", 0x12, Kind::Bytes),
    ("server-keep-alive", 0x13, Kind::TwoBytes),
    ("authentication-method", 0x15, Kind::Bytes),
    ("authentication-data", 0x16, Kind::Bytes),
    ("request-problem-information", 0x17, Kind::Byte),
    ("will-delay-interval", 0x18, Kind::FourBytes),
    ("request-response-information", 0x19, Kind::Byte),
    ("response-information", 0x1A, Kind::Bytes),
    ("server-reference", 0x1C, Kind::Bytes),
    ("reason-string", 0x1F, Kind::Bytes),
    ("receive-maximum", 0x21, Kind::TwoBytes),
    ("topic-alias-maximum", 0x22, Kind::TwoBytes),
    ("topic-alias", 0x23, Kind::TwoBytes),
    ("maximum-qos", 0x24, Kind::Byte),
    ("retain-available", 0x25, Kind::Byte),
    ("user-property", 0x26, Kind::Pair),
    ("maximum-packet-size", 0x27, Kind::FourBytes),
    ("wildcard-subscription-available", 0x28, Kind::Byte),
    ("subscription-identifier-available", 0x29, Kind::Byte),
    ("shared-subscription-available", 0x2A, Kind::Byte),
];

pub(super) fn by_name(name: &str) -> Option<(u8, Kind)> {
    let (_, code, kind) = ALL.iter().find(|(known, ..)| *known == name)?;
    Some((*code, *kind))
}

pub(super) fn by_code(code: u8) -> Option<(&'static str, Kind)> {
    let (name, _, kind) = ALL.iter().find(|(_, known, _)| *known == code)?;
    Some((name, *kind))
}
