//! A packet that may be sent, then spoilt in a few places: as it was it decodes to itself, spoilt it does no harm, and
//! whether it comes whole or in two pieces makes no difference.

use bytes::BytesMut;
use ebbtide_protocol::{
    Packet, Version,
    codec::{Decoder, Role, encode},
};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use super::decoder::round_trip;

#[path = "../../../protocol/tests/arbitrary/mod.rs"]
mod arbitrary;

/// Bytes that say what is spoilt; those behind them are the seed of the packet. (The generators draw again until they like
/// what they get, so bytes of the input cannot take the place of their random numbers.)
const HEAD: usize = 8;
const SEED: usize = 32;

/// Three bytes for each of two changes, one for where it is cut in two, one for version and role.
pub fn run(data: &[u8]) {
    let Some((head, rest)) = data.split_at_checked(HEAD) else {
        return;
    };
    let version = [Version::V3_1, Version::V3_1_1, Version::V5][usize::from(head[0] >> 1) % 3];
    let role = if head[0] & 1 == 0 {
        Role::Server
    } else {
        Role::Client
    };
    let mut seed = [0; SEED];
    let length = rest.len().min(SEED);
    seed[..length].copy_from_slice(&rest[..length]);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let packets = if head[0] & 0x80 != 0 && role == Role::Server {
        let connect = arbitrary::connect(version);
        connect
            .prop_map(|connect| Packet::Connect(Box::new(connect)))
            .boxed()
    } else {
        arbitrary::packet(role, version)
    };
    let Ok(packet) = packets.new_tree(&mut runner) else {
        return;
    };
    let packet = packet.current();
    let mut bytes = BytesMut::new();
    encode(&packet, version, &mut bytes);
    round_trip(packet, role, version);

    for change in [&head[2..5], &head[5..8]] {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % bytes.len();
        bytes[at] ^= change[2];
    }
    let decoder = || {
        let mut decoder = Decoder::new(role, 1 << 20);
        // CONNECT says it itself.
        if bytes[0] >> 4 != 1 {
            decoder.set_version(version);
        }
        decoder
    };
    let whole = decoder().decode(&mut bytes.clone());
    let cut = usize::from(head[1]) % bytes.len();
    let mut decoder = decoder();
    let mut input = BytesMut::from(&bytes[..cut]);
    let early = decoder.decode(&mut input);
    if early == Ok(None) {
        input.extend_from_slice(&bytes[cut..]);
        assert_eq!(decoder.decode(&mut input), whole);
    } else {
        // It was over, one way or the other, before the cut.
        assert_eq!(early, whole);
    }
}
