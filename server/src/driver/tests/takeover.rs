//! What had come for a connection before another took its session over.

use std::{collections::VecDeque, pin::Pin};

use bytes::Bytes;
use ebbtide_broker::Limits;
use ebbtide_protocol::{
    ReasonCode,
    packet::{Disconnect, Will},
};
use parking_lot::Mutex;

use super::*;

/// What has come for a connection, a packet for each read, or all of it at once.
#[derive(Clone, Default)]
pub(super) struct Mail {
    packets: Arc<Mutex<VecDeque<Packet>>>,
    comes_at_once: bool,
}

impl Mail {
    pub fn put(&self, packet: Packet) {
        self.packets.lock().push_back(packet);
    }
}

impl ByteStream for Mail {
    fn poll_read(&mut self, _: &mut Context<'_>, input: &mut BytesMut) -> Poll<io::Result<usize>> {
        let mut packets = self.packets.lock();
        let before = input.len();
        let count = if self.comes_at_once { packets.len() } else { 1 };
        for packet in packets.iter().take(count) {
            encode(packet, Version::V5, input);
        }
        let count = count.min(packets.len());
        packets.drain(..count);
        match input.len() - before {
            0 => Poll::Pending,
            count => Poll::Ready(Ok(count)),
        }
    }

    fn poll_write(&mut self, _: &mut Context<'_>, output: &mut BytesMut) -> Poll<io::Result<()>> {
        output.clear();
        Poll::Ready(Ok(()))
    }

    fn poll_end(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

pub(super) fn connect(will: Option<Will>) -> Packet {
    Packet::Connect(Box::new(Connect {
        client_id: "me".to_owned().into(),
        will,
        ..Connect::default()
    }))
}

pub(super) fn will() -> Will {
    Will {
        topic: TopicName::new("will".to_owned()).expect("a topic"),
        payload: Bytes::from_static(b"gone"),
        qos: QoS::AtMostOnce,
        retain: true,
        delay_interval: 0,
        properties: MessageProperties::default(),
    }
}

pub(super) fn retained(topic: &str) -> Packet {
    Packet::Publish(Box::new(Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: true,
        topic: Some(TopicName::new(topic.to_owned()).expect("a topic")),
        packet_id: None,
        topic_alias: None,
        subscription_identifiers: Vec::new(),
        properties: MessageProperties::default(),
        payload: Bytes::from_static(b"x"),
    }))
}

pub(super) fn disconnect() -> Packet {
    Packet::Disconnect(Box::new(Disconnect::new(ReasonCode::Success)))
}

fn look(serving: Pin<&mut impl Future<Output = ()>>) -> Poll<()> {
    serving.poll(&mut Context::from_waker(Waker::noop()))
}

/// [MQTT-3.14.4-3]
#[tokio::test]
async fn what_came_before_a_takeover_is_taken_in_however_many_reads_it_takes() {
    assert_all_is_taken_in(Limits::default(), false).await;
}

/// [MQTT-3.14.4-3]: would fail if a client that publishes too fast were still held back when there is no later.
#[tokio::test]
async fn what_was_held_back_before_a_takeover_is_taken_in() {
    for comes_at_once in [false, true] {
        let limits = Limits {
            publish_rate_max: 10,
            ..Limits::default()
        };
        assert_all_is_taken_in(limits, comes_at_once).await;
    }
}

/// `comes_at_once`: and has been read before the other comes.
async fn assert_all_is_taken_in(limits: Limits, comes_at_once: bool) {
    // More than are taken in at a time.
    let messages: u64 = if comes_at_once { 2_000 } else { 100 };
    let (_storage, surroundings) = broker();
    let (broker, _) = surroundings.broker.get();
    broker.set_limits(limits);
    let first = Mail {
        comes_at_once,
        ..Mail::default()
    };
    let second = Mail::default();
    first.put(connect(Some(will())));
    let mut one = Box::pin(serve_at(surroundings.clone(), first.clone()));
    let mut other = Box::pin(serve_at(surroundings, second.clone()));
    while broker.stats().connections == 0 {
        assert!(look(one.as_mut()).is_pending());
    }
    // All of it has come before the client does.
    for number in 0..messages {
        first.put(retained(&number.to_string()));
    }
    first.put(disconnect());
    if comes_at_once {
        assert!(look(one.as_mut()).is_pending());
    }
    second.put(connect(None));
    assert!(look(other.as_mut()).is_pending());
    one.await;
    let stats = broker.stats();
    assert_eq!(stats.retained, messages, "and no will");
}
