//! What the standard says about single packets, clause by clause; each case is bytes in hexadecimal and what they mean.

use bytes::BytesMut;

use super::{Decoder, Role, encode};
use crate::Version::{V3_1, V3_1_1, V5};
use crate::packet::ConnAck;
use crate::topic::{FilterError, NameError};
use crate::{Packet, ReasonCode, Version, Violation};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| {
        std::str::from_utf8(pair)
            .ok()
            .and_then(|pair| u8::from_str_radix(pair, 16).ok())
    };
    digits
        .chunks(2)
        .map(|pair| byte(pair).expect("two hexadecimal digits"))
        .collect()
}

fn read(role: Role, version: Option<Version>, text: &str) -> Result<Option<Packet>, Violation> {
    let mut decoder = Decoder::new(role, 1024);
    if let Some(version) = version {
        decoder.set_version(version);
    }
    decoder.decode(&mut BytesMut::from(&hex(text)[..]))
}

/// What a server makes of bytes from a client: `Ok` if it is a packet. `None`: nothing came before.
fn check(version: impl Into<Option<Version>>, text: &str, expect: Result<(), Violation>) {
    let got = read(Role::Server, version.into(), text)
        .map(|packet| assert!(packet.is_some(), "incomplete: {text}"));
    assert_eq!(got, expect, "{text}");
}

/// What a client makes of bytes from a server.
fn check_client(version: Version, text: &str, expect: Result<(), Violation>) {
    let got = read(Role::Client, Some(version), text)
        .map(|packet| assert!(packet.is_some(), "incomplete: {text}"));
    assert_eq!(got, expect, "{text}");
}

#[test]
fn fixed_header() {
    check(V5, "00 00", Err(Violation::ReservedPacketType));
    check(V3_1_1, "F0 00", Err(Violation::ReservedPacketType));
    check(V5, "C1 00", Err(Violation::FixedHeaderFlags)); // [MQTT-2.1.3-1]
    check(V5, "60 02 0001", Err(Violation::FixedHeaderFlags)); // [MQTT-3.6.1-1]
    check(V3_1_1, "6A 02 0001", Err(Violation::FixedHeaderFlags));
    check(V3_1, "6A 02 0001", Ok(()));
    check(V5, "80 00", Err(Violation::FixedHeaderFlags)); // [MQTT-3.8.1-1]
    check(V5, "A0 00", Err(Violation::FixedHeaderFlags)); // [MQTT-3.10.1-1]
    check(V5, "C0 80 00", Err(Violation::VariableByteInteger)); // [MQTT-1.5.5-1]
    check(V3_1_1, "C0 80 00", Ok(()));
    check(V5, "30 FF FF FF FF", Err(Violation::VariableByteInteger));
    check(V5, "30 FF FF FF 7F", Err(Violation::PacketTooLarge));
    check(V5, "C0 01 00", Err(Violation::TrailingBytes));
    check(None, "C0 00", Err(Violation::ConnectExpected)); // [MQTT-3.1.0-1]
    check(V5, "10 00", Err(Violation::ConnectTwice)); // [MQTT-3.1.0-2]
    check(V5, "D0 00", Err(Violation::UnexpectedPacket));
    check_client(V5, "C0 00", Err(Violation::UnexpectedPacket));
    check_client(V3_1_1, "E0 00", Err(Violation::UnexpectedPacket));
    check_client(V5, "E0 00", Ok(()));
}

#[test]
fn connect() {
    check(
        None,
        "10 10 0004 4D515454 05 02 003C 00 0003 616263",
        Ok(()),
    );
    check(None, "10 0F 0004 4D515454 04 02 003C 0003 616263", Ok(()));
    check(
        None,
        "10 11 0006 4D5149736470 03 02 003C 0003 616263",
        Ok(()),
    );
    check(
        None,
        "10 0C 0004 4D515455 04 02 003C 0000",
        Err(Violation::ProtocolName),
    ); // [MQTT-3.1.2-1]
    check(
        None,
        "10 0D 0004 4D515454 05 03 003C 00 0000",
        Err(Violation::ConnectFlags),
    ); // [MQTT-3.1.2-3]
    check(
        None,
        "10 0D 0004 4D515454 05 0A 003C 00 0000",
        Err(Violation::ConnectFlags),
    ); // [MQTT-3.1.2-11]
    check(
        None,
        "10 0D 0004 4D515454 05 22 003C 00 0000",
        Err(Violation::ConnectFlags),
    ); // [MQTT-3.1.2-13]
    check(
        None,
        "10 0D 0004 4D515454 05 1E 003C 00 0000",
        Err(Violation::WillQoS),
    ); // [MQTT-3.1.2-12]
    check(
        None,
        "10 0E 0004 4D515454 04 42 003C 0000 0000",
        Err(Violation::PasswordWithoutUserName),
    );
    check(None, "10 0F 0004 4D515454 05 42 003C 00 0000 0000", Ok(()));
    check(
        None,
        "10 0C 0004 4D515454 04 00 003C 0000",
        Err(Violation::ClientIdEmpty),
    ); // [MQTT3-3.1.3-8]
    check(None, "10 0D 0004 4D515454 05 00 003C 00 0000", Ok(()));
    check(
        None,
        "10 0E 0004 4D515454 05 02 003C 00 0000 00",
        Err(Violation::TrailingBytes),
    );
    check(
        None,
        "10 0C 0004 4D515454 05 02 003C 00 00",
        Err(Violation::Truncated),
    );
    check(
        None,
        "10 0E 0004 4D515454 05 02 003C 00 0001 00",
        Err(Violation::Nul),
    ); // [MQTT-1.5.4-2]
    check(
        None,
        "10 10 0004 4D515454 05 02 003C 00 0003 EDA080",
        Err(Violation::Utf8),
    ); // [MQTT-1.5.4-1]
    // A length that is not the shortest is wrong once the CONNECT says 5.0.
    check(
        None,
        "10 8D 00 0004 4D515454 05 02 003C 00 0000",
        Err(Violation::VariableByteInteger),
    );
    check(None, "10 8C 00 0004 4D515454 04 02 003C 0000", Ok(()));
}

#[test]
fn connect_properties() {
    let connect = |properties: &str, expect| {
        let length = hex(properties).len();
        let text = format!(
            "10 {:02X} 0004 4D515454 05 02 003C {length:02X} {properties} 0000",
            13 + length
        );
        check(None, &text, expect);
    };
    connect("21 0001 27 00000001 19 01 17 00", Ok(()));
    connect("21 0000", Err(Violation::PropertyValue));
    connect("27 00000000", Err(Violation::PropertyValue));
    connect("19 02", Err(Violation::PropertyValue));
    connect("17 02", Err(Violation::PropertyValue));
    connect("11 00000001 11 00000001", Err(Violation::PropertyDuplicate));
    connect("26 0000 0000 26 0000 0000", Ok(()));
    connect("16 0000", Err(Violation::AuthenticationMethodMissing));
    connect("23 0001", Err(Violation::PropertyNotAllowed));
    connect("7F", Err(Violation::PropertyNotAllowed));
    connect("11 0000", Err(Violation::Truncated));
}

#[test]
fn an_unknown_level_is_answered_in_a_version_that_the_client_may_understand() {
    let answer = |level: u8| {
        let mut decoder = Decoder::new(Role::Server, 1024);
        let text = format!("10 0D 0004 4D515454 {level:02X} 02 003C 00 0000");
        let violation = decoder
            .decode(&mut BytesMut::from(&hex(&text)[..]))
            .expect_err("unknown level");
        assert_eq!(violation, Violation::ProtocolLevel(level));
        let connack = Packet::ConnAck(Box::new(ConnAck::new(violation.reason(), false)));
        let mut output = BytesMut::new();
        encode(
            &connack,
            decoder.version().expect("known after the level"),
            &mut output,
        );
        output
    };
    assert_eq!(answer(3), hex("20 02 00 01")); // [MQTT3-3.1.2-2]
    // The bridges of Mosquitto, which set the highest bit, and try again without it after this answer only.
    for bridge in [0x83, 0x84, 0x85, 0xff] {
        assert_eq!(answer(bridge), hex("20 02 00 01"));
    }
    assert_eq!(answer(6), hex("20 03 00 84 00")); // [MQTT-3.1.2-2]
}

#[test]
fn publish() {
    check(V5, "30 04 0001 61 00", Ok(()));
    check(V5, "36 06 0001 61 0001 00", Err(Violation::QoS)); // [MQTT-3.3.1-4]
    check(V5, "38 04 0001 61 00", Err(Violation::DupAtQoS0)); // [MQTT-3.3.1-2]
    check(V5, "32 06 0001 61 0000 00", Err(Violation::PacketIdZero)); // [MQTT-2.2.1-3]
    check(
        V5,
        "30 04 0001 23 00",
        Err(Violation::TopicName(NameError::Wildcard)),
    ); // [MQTT-3.3.2-2]
    check(
        V3_1_1,
        "30 02 0000",
        Err(Violation::TopicName(NameError::Empty)),
    );
    check(V5, "30 03 0000 00", Err(Violation::TopicMissing));
    check(V5, "30 06 0000 03 23 0001", Ok(()));
    check(
        V5,
        "30 07 0001 61 03 23 0000",
        Err(Violation::TopicAliasZero),
    ); // [MQTT-3.3.2-8]
    check(
        V5,
        "30 06 0001 61 02 0B 01",
        Err(Violation::PropertyDirection),
    ); // [MQTT-3.3.4-6]
    check_client(V5, "30 08 0001 61 04 0B 01 0B 02", Ok(()));
    check_client(V5, "30 06 0001 61 02 0B 00", Err(Violation::PropertyValue));
    check(V5, "30 06 0001 61 02 01 02", Err(Violation::PropertyValue));
    check(
        V5,
        "30 08 0001 61 04 08 0001 23",
        Err(Violation::ResponseTopic(NameError::Wildcard)),
    ); // [MQTT-3.3.2-14]
    check(V5, "30 04 0001 61 05", Err(Violation::Truncated));
}

#[test]
fn acknowledgements() {
    check(V5, "40 02 0001", Ok(()));
    check(V5, "40 03 0001 10", Ok(()));
    check(V5, "40 04 0001 00 00", Ok(()));
    check(V5, "40 03 0001 92", Err(Violation::ReasonCodeInvalid)); // [MQTT-3.4.2-1]
    for packet in ["40 03 0001 95", "50 03 0001 95"] {
        check(V5, packet, Err(Violation::ReasonCodeInvalid));
        check_client(V5, packet, Ok(()));
    }
    check(V5, "62 03 0001 92", Ok(()));
    check(V5, "40 02 0000", Err(Violation::PacketIdZero));
    check(V3_1_1, "40 03 0001 00", Err(Violation::TrailingBytes));
    check(V5, "40 05 0001 00 00 00", Err(Violation::TrailingBytes));
}

#[test]
fn subscribe_and_unsubscribe() {
    check(V5, "82 07 0001 00 0001 61 00", Ok(()));
    check(V5, "82 03 0001 00", Err(Violation::NoSubscriptions)); // [MQTT-3.8.3-2]
    check(
        V5,
        "82 07 0001 00 0001 61 40",
        Err(Violation::SubscriptionOptions),
    ); // [MQTT-3.8.3-5]
    check(
        V3_1_1,
        "82 06 0001 0001 61 04",
        Err(Violation::SubscriptionOptions),
    );
    check(
        V5,
        "82 07 0001 00 0001 61 03",
        Err(Violation::SubscriptionOptionValue),
    );
    check(
        V5,
        "82 07 0001 00 0001 61 30",
        Err(Violation::SubscriptionOptionValue),
    );
    check(
        V5,
        "82 10 0001 00 000A 2473686172652F672F61 04",
        Err(Violation::NoLocalShared),
    ); // [MQTT-3.8.3-4]
    check(
        V5,
        "82 0B 0001 04 0B 01 0B 02 0001 61 00",
        Err(Violation::PropertyDuplicate),
    );
    check(
        V5,
        "82 09 0001 02 0B 00 0001 61 00",
        Err(Violation::PropertyValue),
    );
    check(
        V5,
        "82 08 0001 00 0002 6123 00",
        Err(Violation::TopicFilter(FilterError::MultiLevel)),
    );
    // Before 5.0 `$share` is a level like any other, so none of these is malformed: a, g/, /a, +/t and # behind it.
    for filter in ["61", "67 2F", "2F 61", "2B 2F 74", "23"] {
        let text = format!("24 73 68 61 72 65 2F {filter}");
        let bytes = hex(&text).len();
        let unsubscribe = format!("A2 {:02X} 0001 00{bytes:02X} {text}", bytes + 4);
        let subscribe = format!("82 {:02X} 0001 00{bytes:02X} {text} 01", bytes + 5);
        check(V3_1_1, &unsubscribe, Ok(()));
        check(V3_1_1, &subscribe, Ok(()));
    }
    check(
        V3_1_1,
        "82 0F 0001 000A 2473686172652F672B2F 00",
        Err(Violation::TopicFilter(FilterError::SingleLevel)),
    );
    check(V5, "A2 03 0001 00", Err(Violation::NoFilters)); // [MQTT-3.10.3-2]
    check(V5, "A2 06 0001 00 0001 61", Ok(()));
    check_client(V3_1_1, "90 03 0001 80", Ok(()));
    check_client(V3_1_1, "90 03 0001 87", Err(Violation::ReasonCodeInvalid)); // [MQTT3-3.9.3-2]
    check_client(V5, "90 03 0001 00", Err(Violation::NoReasons));
}

#[test]
fn connack_disconnect_and_auth() {
    check_client(V5, "20 03 02 00 00", Err(Violation::ConnAckFlags)); // [MQTT-3.2.2-1]
    check_client(
        V5,
        "20 03 01 87 00",
        Err(Violation::SessionPresentInRefusal),
    ); // [MQTT-3.2.2-6]
    check_client(V3_1_1, "20 02 00 06", Err(Violation::ReasonCodeInvalid));
    check(V5, "E0 01 04", Ok(()));
    check(V5, "E0 01 8E", Err(Violation::ReasonCodeInvalid)); // [MQTT-3.14.2-1]
    check(V3_1_1, "E0 01 00", Err(Violation::TrailingBytes));
    check_client(
        V5,
        "E0 07 00 05 11 00000001",
        Err(Violation::PropertyDirection),
    ); // [MQTT-3.14.2-2]
    check(V5, "E0 05 00 03 1C 0000", Err(Violation::PropertyDirection));
    check(V5, "F0 00", Err(Violation::ReasonCodeInvalid)); // [MQTT-3.15.2-1]
    check_client(V5, "F0 00", Ok(()));
    check(
        V5,
        "F0 02 18 00",
        Err(Violation::AuthenticationMethodMissing),
    );
}

#[test]
fn reasons_of_violations() {
    assert_eq!(Violation::Truncated.reason(), ReasonCode::MalformedPacket);
    assert_eq!(
        Violation::PropertyDuplicate.reason(),
        ReasonCode::ProtocolError
    );
    assert_eq!(
        Violation::TopicAliasZero.reason(),
        ReasonCode::TopicAliasInvalid
    );
    assert_eq!(
        Violation::PacketTooLarge.reason(),
        ReasonCode::PacketTooLarge
    );
}

#[test]
fn a_packet_shares_its_memory_with_no_other() {
    // PUBLISH, QoS 0, topic `a`, with payloads below and above what is always copied.
    let publish = |length: usize| {
        let mut bytes = vec![0x30];
        let mut remaining = length + 4;
        while remaining > 0 {
            let more = if remaining > 0x7F { 0x80 } else { 0 };
            bytes.push(u8::try_from(remaining & 0x7F).expect("seven bits") | more);
            remaining >>= 7;
        }
        bytes.extend_from_slice(b"\0\x01a\0");
        bytes.resize(bytes.len() + length, b'x');
        bytes
    };
    for (first, second) in [(10, 10), (100_000, 10), (10, 100_000), (100_000, 90_000)] {
        let mut input = BytesMut::from(&[publish(first), publish(second)].concat()[..]);
        let mut decoder = Decoder::new(Role::Server, 1_000_000);
        decoder.set_version(V5);
        for length in [first, second] {
            let decoded = decoder.decode(&mut input).expect("well-formed");
            let Some(Packet::Publish(publish)) = decoded else {
                panic!("not a PUBLISH: {decoded:?}")
            };
            assert_eq!(publish.payload.len(), length);
            // With its topic gone, the payload is the only owner of its memory, unless others share it.
            let payload = publish.payload.clone();
            drop(publish);
            assert!(payload.is_unique(), "{first} and {second} bytes");
        }
    }
}

#[test]
fn a_packet_lists_no_more_than_any_use_has_for() {
    let read = |first: &str, head: &str, item: &str, count: usize| {
        let item = hex(item).repeat(count);
        // Three bytes of length, three for the properties' where the items are those.
        let length = |value: usize| {
            [value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80, value >> 14]
                .map(|byte| u8::try_from(byte).expect("a byte"))
        };
        let mut body = hex(head);
        if body.is_empty() {
            body.extend_from_slice(b"\0\x01a");
            body.extend_from_slice(&length(item.len()));
        }
        body.extend_from_slice(&item);
        let packet = [&hex(first)[..], &length(body.len()), &body].concat();
        let mut decoder = Decoder::new(Role::Server, 1_000_000);
        decoder.set_version(V5);
        let packet = decoder.decode(&mut BytesMut::from(&packet[..]));
        packet.map(|packet| assert!(packet.is_some(), "incomplete"))
    };
    for (what, first, head, item) in [
        ("SUBSCRIBE", "82", "0001 00", "0001 61 00"),
        ("UNSUBSCRIBE", "A2", "0001 00", "0001 61"),
        ("user properties of PUBLISH", "30", "", "26 0000 0000"),
    ] {
        assert_eq!(read(first, head, item, 20_480), Ok(()), "{what}");
        let refused = read(first, head, item, 20_481);
        assert_eq!(refused, Err(Violation::TooManyItems), "{what}");
    }
    assert_eq!(Violation::TooManyItems.reason(), ReasonCode::QuotaExceeded);
}
