//! Any bytes, read as server and as client: no panic, nothing read past the packet, and what decodes survives being
//! encoded and decoded again.

use bytes::BytesMut;
use ebbtide_protocol::{
    Packet, Version,
    codec::{Decoder, Role, encode, encoded_len},
};

const SIZE_MAX: u32 = 4096;

/// The first byte says who reads and in which version, the rest is read.
pub fn run(data: &[u8]) {
    let Some((&first, bytes)) = data.split_first() else {
        return;
    };
    let role = if first & 1 == 0 {
        Role::Server
    } else {
        Role::Client
    };
    let version = [Version::V3_1, Version::V3_1_1, Version::V5][usize::from(first >> 1) % 3];
    // A server learns the version from CONNECT; half of the runs begin behind it.
    let is_known = role == Role::Client || first & 0x80 != 0;
    let mut decoder = Decoder::new(role, SIZE_MAX);
    if is_known {
        decoder.set_version(version);
    }
    let mut input = BytesMut::from(bytes);
    while let Ok(Some(packet)) = decoder.decode(&mut input) {
        let version = decoder.version().expect("it has decoded a packet");
        round_trip(packet, role, version);
    }
}

/// It is the same after it was encoded and decoded.
pub fn round_trip(packet: Packet, role: Role, version: Version) {
    let mut output = BytesMut::new();
    encode(&packet, version, &mut output);
    assert_eq!(output.len(), encoded_len(&packet, version));
    let mut again = Decoder::new(role, u32::MAX);
    if !matches!(packet, Packet::Connect(_)) {
        again.set_version(version);
    }
    assert_eq!(again.decode(&mut output), Ok(Some(packet)));
    assert!(output.is_empty());
}
