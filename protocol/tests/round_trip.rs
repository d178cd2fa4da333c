//! Properties of the codec over all packets of all versions.

mod arbitrary;

use bytes::BytesMut;
use ebbtide_protocol::codec::{PublishRef, check, encode, encode_publish_head, encoded_len, fit};
use ebbtide_protocol::{Decoder, Packet, Role, Version, Violation};
use proptest::collection::vec;
use proptest::prelude::*;

const PACKET_SIZE_MAX: u32 = 64 * 1024;

fn decoder(role: Role, version: Version) -> Decoder {
    let mut decoder = Decoder::new(role, PACKET_SIZE_MAX);
    decoder.set_version(version);
    decoder
}

fn encoded(packet: &Packet, version: Version) -> BytesMut {
    let mut output = BytesMut::new();
    encode(packet, version, &mut output);
    output
}

fn decode_all(decoder: &mut Decoder, input: &mut BytesMut) -> Result<Vec<Packet>, Violation> {
    let mut packets = Vec::new();
    while let Some(packet) = decoder.decode(input)? {
        packets.push(packet);
    }
    Ok(packets)
}

fn any_stream() -> impl Strategy<Value = (Role, Version, Vec<Packet>)> {
    (arbitrary::role(), arbitrary::version()).prop_flat_map(|(role, version)| {
        (
            Just(role),
            Just(version),
            vec(arbitrary::packet(role, version), 1..6),
        )
    })
}

proptest! {
    #[test]
    fn every_packet_survives((role, version, packets) in any_stream()) {
        for packet in packets {
            let mut bytes = encoded(&packet, version);
            prop_assert_eq!(bytes.len(), encoded_len(&packet, version));
            prop_assert_eq!(Ok(bytes.len()), check(&packet, version));
            prop_assert_eq!(decoder(role, version).decode(&mut bytes), Ok(Some(packet)));
            prop_assert!(bytes.is_empty());
        }
    }

    #[test]
    fn connect_survives_and_tells_the_version(
        connect in arbitrary::version().prop_flat_map(arbitrary::connect),
    ) {
        let version = connect.version;
        let packet = Packet::Connect(Box::new(connect));
        let mut bytes = encoded(&packet, version);
        prop_assert_eq!(bytes.len(), encoded_len(&packet, version));
        let mut decoder = Decoder::new(Role::Server, PACKET_SIZE_MAX);
        prop_assert_eq!(decoder.decode(&mut bytes), Ok(Some(packet)));
        prop_assert_eq!(decoder.version(), Some(version));
    }

    #[test]
    fn any_split_decodes_the_same((role, version, packets) in any_stream(), cuts in vec(1_usize..40, 1..40)) {
        let mut stream = BytesMut::new();
        for packet in &packets {
            encode(packet, version, &mut stream);
        }
        let (mut decoder, mut input, mut got) = (decoder(role, version), BytesMut::new(), Vec::new());
        for cut in cuts.into_iter().cycle() {
            if stream.is_empty() {
                break;
            }
            input.extend_from_slice(&stream.split_to(cut.min(stream.len())));
            got.extend(decode_all(&mut decoder, &mut input).expect("valid packets"));
        }
        prop_assert_eq!(got, packets);
    }

    #[test]
    fn any_prefix_is_incomplete_and_left_alone((role, version, packets) in any_stream(), cut in any::<usize>()) {
        let bytes = encoded(&packets[0], version);
        let mut prefix = BytesMut::from(&bytes[..cut % bytes.len()]);
        let before = prefix.clone();
        prop_assert_eq!(decoder(role, version).decode(&mut prefix), Ok(None));
        prop_assert_eq!(prefix, before);
    }

    /// Damaged packets never panic, and what still decodes is something that encodes and decodes to itself.
    #[test]
    fn damage_never_panics(
        (role, version, packets) in any_stream(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut bytes = encoded(&packets[0], version);
        for (index, byte) in damage {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        if let Ok(Some(packet)) = decoder(role, version).decode(&mut bytes) {
            let again = decoder(role, version).decode(&mut encoded(&packet, version));
            prop_assert_eq!(again, Ok(Some(packet)));
        }
    }

    /// What waits in the input is never more than one packet of the largest size.
    #[test]
    fn the_limit_holds_for_arbitrary_bytes(
        role in arbitrary::role(),
        version in arbitrary::version(),
        bytes in vec(any::<u8>(), 0..400),
        limit in 2_u32..200,
    ) {
        let mut decoder = Decoder::new(role, limit);
        decoder.set_version(version);
        let mut input = BytesMut::from(&bytes[..]);
        let capacity = input.capacity();
        if decode_all(&mut decoder, &mut input).is_ok() {
            prop_assert!(input.len() < limit as usize);
        }
        prop_assert!(input.capacity() <= capacity);
    }

    #[test]
    fn a_size_above_the_limit_is_refused_from_the_header((role, version, packets) in any_stream()) {
        let bytes = encoded(&packets[0], version);
        prop_assume!(bytes.len() >= 4);
        let mut decoder = Decoder::new(role, bytes.len() as u32 - 1);
        decoder.set_version(version);
        let mut head = BytesMut::from(&bytes[..3]);
        prop_assert_eq!(decoder.decode(&mut head), Err(Violation::PacketTooLarge));
        prop_assert_eq!(&head[..], &bytes[..3]);
    }

    #[test]
    fn head_and_payload_are_the_packet(
        (version, publish) in arbitrary::version()
            .prop_flat_map(|version| (Just(version), arbitrary::publish(Role::Client, version))),
    ) {
        let mut output = BytesMut::new();
        encode_publish_head(&PublishRef::from(&publish), version, &mut output);
        output.extend_from_slice(&publish.payload);
        prop_assert_eq!(output, encoded(&Packet::Publish(Box::new(publish)), version));
    }

    #[test]
    fn fit_keeps_to_the_limit((_, version, packets) in any_stream(), limit in 2_u32..200) {
        for mut packet in packets {
            let whole = packet.clone();
            if fit(&mut packet, version, limit) {
                prop_assert!(encoded_len(&packet, version) <= limit as usize);
            }
            if encoded_len(&whole, version) <= limit as usize {
                prop_assert_eq!(packet, whole);
            }
        }
    }
}

/// A large payload is a slice of the input, not a copy.
#[test]
fn large_payloads_are_not_copied() {
    const LENGTH: usize = 50_000;
    let mut input = BytesMut::from(&b"\x30\xd3\x86\x03\x00\x01a"[..]);
    input.resize(input.len() + LENGTH, b'x');
    let range = input.as_ptr_range();
    let packet = decoder(Role::Server, Version::V3_1_1)
        .decode(&mut input)
        .expect("valid");
    let Some(Packet::Publish(publish)) = packet else {
        panic!("a PUBLISH")
    };
    assert_eq!(publish.payload.len(), LENGTH);
    assert!(range.contains(&publish.payload.as_ptr()));
}
