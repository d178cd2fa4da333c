//! One MQTT connection of the generator: buffers, the first packets, and what it sends again and again.

use std::{future::poll_fn, io, num::NonZeroU16, task::Context, task::Poll};

use bytes::{Buf, Bytes, BytesMut};
use ebbtide_protocol::ReasonCode;
use ebbtide_protocol::{
    Packet, PacketId, QoS, TopicFilter, TopicName, Version,
    codec::encode,
    packet::{
        Connect, Disconnect, MessageProperties, Publish, Subscribe, Subscription,
        SubscriptionOptions,
    },
};

use super::{
    frame::{self, Frame},
    target::Dialer,
};
use crate::connection::ByteStream;

/// Unacknowledged messages that the broker may have under way to one client.
const RECEIVE_MAXIMUM: NonZeroU16 = NonZeroU16::new(4096).expect("not zero");
/// Sessions that are kept are kept that long, seconds: longer than any run.
const SESSION_EXPIRY_S: u32 = 3600;
/// The longest there is: nobody sends pings during a run. Not zero, which some brokers refuse.
const KEEP_ALIVE_S: u16 = u16::MAX;

/// A connection on which the broker has let the client in.
pub struct Link {
    stream: Box<dyn ByteStream>,
    pub version: Version,
    input: BytesMut,
    /// There may be whole packets in the input already.
    has_more: bool,
    pub output: BytesMut,
}

/// What becomes of the session when the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// It ends as well.
    Clean,
    /// It stays, and was there before.
    Kept,
    /// It ends an older one, and stays.
    New,
}

impl Link {
    /// Connects and waits for CONNACK.
    pub async fn connect(
        dialer: &Dialer,
        version: Version,
        client_id: &str,
        session: Session,
    ) -> io::Result<Self> {
        let mut link = Self {
            stream: dialer.dial().await?,
            version,
            input: BytesMut::new(),
            has_more: false,
            output: BytesMut::new(),
        };
        let connect = Connect {
            version,
            // A Clean Session of 3.1.1 ends with its connection.
            clean_start: match session {
                Session::Clean => true,
                Session::New => version == Version::V5,
                Session::Kept => false,
            },
            keep_alive: KEEP_ALIVE_S,
            client_id: client_id.to_owned().into(),
            session_expiry_interval: (session != Session::Clean).then_some(SESSION_EXPIRY_S),
            receive_maximum: Some(RECEIVE_MAXIMUM),
            ..Connect::default()
        };
        link.put(&Packet::Connect(Box::new(connect)));
        link.flush().await?;
        link.expect("CONNECT", |frame| match frame {
            Frame::ConnAck { reason, .. } => Some(reason),
            _ => None,
        })
        .await?;
        Ok(link)
    }

    /// Subscribes and waits for SUBACK; what arrives before it is lost.
    pub async fn subscribe(&mut self, filter: &str, qos: QoS) -> io::Result<()> {
        self.ask_to_subscribe(filter, qos)?;
        self.flush().await?;
        self.expect("SUBSCRIBE", |frame| match frame {
            Frame::SubAck { reason } => Some(reason),
            _ => None,
        })
        .await
    }

    /// Only puts SUBSCRIBE into the output.
    pub fn ask_to_subscribe(&mut self, filter: &str, qos: QoS) -> io::Result<()> {
        let filter = TopicFilter::new(filter.to_owned()).map_err(io::Error::other)?;
        let options = SubscriptionOptions {
            qos,
            ..SubscriptionOptions::default()
        };
        self.put(&Packet::Subscribe(Subscribe {
            packet_id: PacketId::MAX,
            subscription_identifier: None,
            user_properties: Vec::new(),
            subscriptions: vec![Subscription { filter, options }],
        }));
        Ok(())
    }

    /// Says goodbye, so that the broker need not find out.
    pub async fn disconnect(mut self) -> io::Result<()> {
        self.put(&Packet::Disconnect(Box::new(Disconnect::new(
            ReasonCode::Success,
        ))));
        self.flush().await?;
        poll_fn(|context| self.stream.poll_end(context)).await
    }

    fn put(&mut self, packet: &Packet) {
        encode(packet, self.version, &mut self.output);
    }

    /// Writes what is in the output.
    pub async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|context| self.poll_write(context)).await
    }

    /// Ready when the output is empty.
    pub fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_write(context, &mut self.output)
    }

    /// Reads once, and hands over every whole packet that is there.
    pub fn poll_frames(
        &mut self,
        context: &mut Context<'_>,
        mut take: impl FnMut(Frame<'_>, &mut BytesMut),
    ) -> Poll<io::Result<()>> {
        if !std::mem::take(&mut self.has_more) {
            let Poll::Ready(count) = self.stream.poll_read(context, &mut self.input)? else {
                return Poll::Pending;
            };
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
        let mut at = 0;
        while let Some((frame, length)) = frame::first(&self.input[at..], self.version)? {
            take(frame, &mut self.output);
            at += length;
        }
        self.input.advance(at);
        Poll::Ready(Ok(()))
    }

    /// Waits for the answer to a request. What comes behind it is left for the next read: a session that is back gets its
    /// messages together with CONNACK.
    async fn expect(
        &mut self,
        request: &'static str,
        answer: impl Fn(Frame<'_>) -> Option<u8>,
    ) -> io::Result<()> {
        let mut reason = None;
        while reason.is_none() {
            let Some((frame, length)) = frame::first(&self.input, self.version)? else {
                let count = poll_fn(|context| self.stream.poll_read(context, &mut self.input));
                if count.await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                continue;
            };
            reason = match frame {
                Frame::Disconnect { reason } => Some(reason),
                frame => answer(frame),
            };
            self.input.advance(length);
        }
        self.has_more = !self.input.is_empty();
        match reason {
            Some(reason) if reason >= 0x80 || (request == "CONNECT" && reason != 0) => {
                let why = format!("the broker refused {request}: 0x{reason:02x}");
                Err(io::Error::new(io::ErrorKind::ConnectionRefused, why))
            }
            _ => Ok(()),
        }
    }
}

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
    use super::*;

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
