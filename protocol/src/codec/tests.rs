//! What the standard says about single packets, clause by clause; each case is bytes in hexadecimal and what they mean.

use bytes::BytesMut;

use super::{Decoder, Role, encode};
use crate::{Packet, Version, Violation};

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

#[test]
fn connect_and_back() {
    let bytes = "10 10 0004 4D515454 05 02 003C 00 0003 616263";
    let packet = read(Role::Server, None, bytes)
        .expect("valid")
        .expect("complete");
    let mut output = BytesMut::new();
    encode(&packet, Version::V5, &mut output);
    assert_eq!(output, hex(bytes));
}
