//! What a client makes of the broker's bytes: it counts what was published to it and answers as its QoS demands.
//!
//! It looks at what it has to and copies nothing, so that what is counted is the broker's. It believes what it reads.

use bytes::BytesMut;

/// Answers every packet of `bytes`, all of which are whole. Gives how many were PUBLISH.
pub fn answer(bytes: &[u8], answers: &mut BytesMut) -> u64 {
    let (mut at, mut published) = (0, 0);
    while at < bytes.len() {
        let (first, body) = (bytes[at], body(&bytes[at..]));
        let packet = &bytes[at..at + body.end];
        match first >> 4 {
            3 => {
                published += 1;
                let topic_bytes = usize::from(u16::from_be_bytes(two(packet, body.start)));
                let packet_id = body.start + 2 + topic_bytes;
                match first >> 1 & 3 {
                    0 => {}
                    1 => put(answers, 0x40, two(packet, packet_id)),
                    _ => put(answers, 0x50, two(packet, packet_id)),
                }
            }
            // PUBREC and PUBREL.
            5 => put(answers, 0x62, two(packet, body.start)),
            6 => put(answers, 0x70, two(packet, body.start)),
            _ => {}
        }
        at += body.end;
    }
    published
}

fn put(answers: &mut BytesMut, first: u8, [high, low]: [u8; 2]) {
    answers.extend_from_slice(&[first, 2, high, low]);
}

fn two(packet: &[u8], at: usize) -> [u8; 2] {
    [packet[at], packet[at + 1]]
}

/// Where the body of the first packet lies (section 2.1.4).
fn body(bytes: &[u8]) -> std::ops::Range<usize> {
    let (mut length, mut at) = (0, 1);
    loop {
        let byte = bytes[at];
        length |= usize::from(byte & 0x7f) << (7 * (at - 1));
        at += 1;
        if byte & 0x80 == 0 {
            return at..at + length;
        }
    }
}
