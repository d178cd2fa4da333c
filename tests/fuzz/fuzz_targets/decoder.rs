//! Any bytes, read as server and as client: no panic, nothing read past the packet, and what decodes survives being
//! encoded and decoded again.

#![no_main]

use bytes::BytesMut;
use ebbtide_protocol::{
    Version,
    codec::{Decoder, Role, encode, encoded_len},
};
use libfuzzer_sys::fuzz_target;

const SIZE_MAX: u32 = 4096;

fuzz_target!(|data: (bool, u8, &[u8])| {
    let (is_server, version, bytes) = data;
    let role = if is_server {
        Role::Server
    } else {
        Role::Client
    };
    let version = [Version::V3_1, Version::V3_1_1, Version::V5][usize::from(version) % 3];
    let mut decoder = Decoder::new(role, SIZE_MAX);
    // A server learns the version from CONNECT; half of the runs begin behind it.
    if !is_server || bytes.first().is_some_and(|first| first >> 4 != 1) {
        decoder.set_version(version);
    }
    let mut input = BytesMut::from(bytes);
    while let Ok(Some(packet)) = decoder.decode(&mut input) {
        let version = decoder.version().expect("it has decoded a packet");
        let mut output = BytesMut::new();
        encode(&packet, version, &mut output);
        assert_eq!(output.len(), encoded_len(&packet, version));
        let mut again = Decoder::new(role, u32::MAX);
        if !matches!(packet, ebbtide_protocol::Packet::Connect(_)) {
            again.set_version(version);
        }
        assert_eq!(again.decode(&mut output), Ok(Some(packet)));
        assert!(output.is_empty());
    }
});
