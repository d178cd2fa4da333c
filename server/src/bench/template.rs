//! A PUBLISH that is made once, and sent with another packet identifier and another time.

use std::io;

use bytes::{Bytes, BytesMut};
use ebbtide_protocol::{
    Packet, PacketId, QoS, TopicName, Version,
    codec::encode,
    packet::{MessageProperties, Publish},
};

/// A PUBLISH that is sent over and over: only its packet identifier and the time in its payload change.
#[derive(Clone, Debug)]
pub struct Template {
    bytes: Bytes,
    packet_id_at: Option<usize>,
    /// Where the payload begins, if it can hold a time.
    time_at: Option<usize>,
}

impl Template {
    /// How many bytes of a payload say when it was sent.
    const TIME_BYTES: usize = 8;

    pub fn new(
        topic: &str,
        payload_bytes: usize,
        qos: QoS,
        retain: bool,
        version: Version,
    ) -> io::Result<Self> {
        let topic = TopicName::new(topic.to_owned()).map_err(io::Error::other)?;
        let topic_bytes = topic.as_str().len();
        let packet = Packet::Publish(Box::new(Publish {
            dup: false,
            qos,
            retain,
            topic: Some(topic),
            packet_id: (qos != QoS::AtMostOnce).then_some(PacketId::MAX),
            topic_alias: None,
            subscription_identifiers: Vec::new(),
            properties: MessageProperties::default(),
            payload: Bytes::from(vec![b'x'; payload_bytes]),
        }));
        let mut bytes = BytesMut::new();
        encode(&packet, version, &mut bytes);
        let payload_at = bytes.len() - payload_bytes;
        let properties = usize::from(version == Version::V5);
        let packet_id_at = (qos != QoS::AtMostOnce).then_some(payload_at - properties - 2);
        debug_assert!(payload_at > topic_bytes, "the topic comes first");
        Ok(Self {
            bytes: bytes.freeze(),
            packet_id_at,
            time_at: (payload_bytes >= Self::TIME_BYTES).then_some(payload_at),
        })
    }

    /// Appends one, sent at `time_ns` of the run.
    pub fn put(&self, output: &mut BytesMut, packet_id: u16, time_ns: u64) {
        let start = output.len();
        output.extend_from_slice(&self.bytes);
        let packet = &mut output[start..];
        if let Some(at) = self.packet_id_at {
            packet[at..at + 2].copy_from_slice(&packet_id.to_be_bytes());
        }
        if let Some(at) = self.time_at {
            packet[at..at + Self::TIME_BYTES].copy_from_slice(&time_ns.to_be_bytes());
        }
    }

    /// When a payload says it was sent.
    pub fn time_ns(payload: &[u8]) -> Option<u64> {
        let bytes = payload.get(..Self::TIME_BYTES)?;
        Some(u64::from_be_bytes(bytes.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::frame::{self, Frame},
        *,
    };

    #[test]
    fn what_is_put_is_what_is_found() {
        for version in [Version::V3_1_1, Version::V5] {
            for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
                let template = Template::new("a/b", 300, qos, false, version).expect("a template");
                let mut output = BytesMut::new();
                template.put(&mut output, 0x0102, 77);
                let (frame, length) = frame::first(&output, version)
                    .expect("fine")
                    .expect("whole");
                assert_eq!(length, output.len());
                let Frame::Publish {
                    packet_id, payload, ..
                } = frame
                else {
                    panic!("{frame:?}");
                };
                let expected = if qos == QoS::AtMostOnce {
                    [0, 0]
                } else {
                    [1, 2]
                };
                assert_eq!((packet_id, payload.len()), (expected, 300));
                assert_eq!(Template::time_ns(payload), Some(77));
            }
        }
    }
}
