//! What comes from a broker, looked at and not copied: a load generator must cost less than what it measures.
//!
//! Only what a generator has to know is read. The codec of `ebbtide-protocol` checks everything and makes a value of it;
//! here a broker that breaks the protocol is found out by a packet that makes no sense.

use std::io;

use ebbtide_protocol::{QoS, Version};

/// One packet from the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    Publish {
        qos: QoS,
        retain: bool,
        /// With QoS 1 and 2.
        packet_id: [u8; 2],
        payload: &'a [u8],
    },
    ConnAck {
        session_present: bool,
        reason: u8,
    },
    PubAck {
        reason: u8,
    },
    PubRec {
        packet_id: [u8; 2],
        reason: u8,
    },
    PubRel {
        packet_id: [u8; 2],
    },
    PubComp,
    SubAck {
        reason: u8,
    },
    Disconnect {
        reason: u8,
    },
    Other,
}

/// The packet at the front and its length; `None` when not all of it is there.
pub fn first(input: &[u8], version: Version) -> io::Result<Option<(Frame<'_>, usize)>> {
    let Some((body_at, body_bytes)) = header(input)? else {
        return Ok(None);
    };
    let Some(body) = input.get(body_at..body_at + body_bytes) else {
        return Ok(None);
    };
    let frame = parse(input[0], body, version).ok_or_else(|| bad("a packet makes no sense"))?;
    Ok(Some((frame, body_at + body_bytes)))
}

/// Where the body begins, and its length.
fn header(input: &[u8]) -> io::Result<Option<(usize, usize)>> {
    if input.is_empty() {
        return Ok(None);
    }
    match variable(&input[1..]) {
        Some((length, bytes)) => Ok(Some((1 + bytes, length))),
        None if input.len() > 4 => Err(bad("a length of more than four bytes")),
        None => Ok(None),
    }
}

/// A Variable Byte Integer and how long it is (section 1.5.5).
fn variable(input: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (at, byte) in input.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, at + 1));
        }
    }
    None
}

fn parse(first: u8, body: &[u8], version: Version) -> Option<Frame<'_>> {
    let packet_id = || Some([*body.first()?, *body.get(1)?]);
    // Left out: success.
    let reason = || body.get(2).copied().unwrap_or(0);
    Some(match first >> 4 {
        2 => Frame::ConnAck {
            session_present: body.first()? & 1 == 1,
            reason: *body.get(1)?,
        },
        3 => publish(first, body, version)?,
        4 => Frame::PubAck { reason: reason() },
        5 => Frame::PubRec {
            packet_id: packet_id()?,
            reason: reason(),
        },
        6 => Frame::PubRel {
            packet_id: packet_id()?,
        },
        7 => Frame::PubComp,
        9 => Frame::SubAck {
            // One filter in each SUBSCRIBE here: the code is the last byte.
            reason: *body.last()?,
        },
        14 => Frame::Disconnect {
            reason: body.first().copied().unwrap_or(0),
        },
        _ => Frame::Other,
    })
}

fn publish(first: u8, body: &[u8], version: Version) -> Option<Frame<'_>> {
    let qos = QoS::from_bits(first >> 1 & 3)?;
    let topic_bytes = usize::from(u16::from_be_bytes([*body.first()?, *body.get(1)?]));
    let mut rest = body.get(2 + topic_bytes..)?;
    let mut packet_id = [0; 2];
    if qos != QoS::AtMostOnce {
        packet_id = [*rest.first()?, *rest.get(1)?];
        rest = rest.get(2..)?;
    }
    if version == Version::V5 {
        let (length, bytes) = variable(rest)?;
        rest = rest.get(bytes + length..)?;
    }
    Some(Frame::Publish {
        qos,
        retain: first & 1 == 1,
        packet_id,
        payload: rest,
    })
}

fn bad(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};
    use ebbtide_protocol::{
        Packet, PacketId, TopicName,
        codec::encode,
        packet::{MessageProperties, Publish},
    };

    use super::*;

    /// What the project's codec writes is read here, byte by byte as it comes in.
    #[test]
    fn a_publish_as_the_codec_writes_it() {
        for version in [Version::V3_1_1, Version::V5] {
            for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
                let packet = Packet::Publish(Box::new(Publish {
                    dup: false,
                    qos,
                    retain: true,
                    topic: Some(TopicName::new("a/b").expect("a topic")),
                    packet_id: (qos != QoS::AtMostOnce)
                        .then(|| PacketId::new(0x0102).expect("not 0")),
                    topic_alias: None,
                    subscription_identifiers: vec![7],
                    properties: MessageProperties {
                        message_expiry_interval: Some(300),
                        ..MessageProperties::default()
                    },
                    payload: Bytes::from(vec![b'x'; 200]),
                }));
                let mut bytes = BytesMut::new();
                encode(&packet, version, &mut bytes);
                for end in 0..bytes.len() {
                    assert_eq!(first(&bytes[..end], version).expect("no fault"), None);
                }
                let (frame, length) = first(&bytes, version).expect("no fault").expect("whole");
                assert_eq!(length, bytes.len());
                let expected = Frame::Publish {
                    qos,
                    retain: true,
                    packet_id: if qos == QoS::AtMostOnce {
                        [0, 0]
                    } else {
                        [1, 2]
                    },
                    payload: &[b'x'; 200],
                };
                assert_eq!(frame, expected);
            }
        }
    }

    #[test]
    fn nonsense_is_an_error() {
        assert!(first(&[0x30, 0xff, 0xff, 0xff, 0xff, 0x01], Version::V5).is_err());
        assert!(first(&[0x30, 0x02, 0x00, 0x09], Version::V5).is_err());
        assert!(first(&[0x40, 0x02, 0x00, 0x01], Version::V3_1_1).is_ok());
    }
}
