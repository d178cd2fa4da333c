//! What had come for a connection before another took its session over.

use std::{collections::VecDeque, io::Write, pin::Pin};

use bytes::Bytes;
use ebbtide_broker::Limits;
use ebbtide_protocol::{
    ReasonCode,
    packet::{Disconnect, Will},
};
use parking_lot::Mutex;
use tokio::{io::AsyncReadExt, net::TcpListener};

use super::*;

/// What has come for a connection, a packet for each read, or all of it at once.
#[derive(Clone, Default)]
struct Mail {
    packets: Arc<Mutex<VecDeque<Packet>>>,
    comes_at_once: bool,
}

impl Mail {
    fn put(&self, packet: Packet) {
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

fn connect(will: Option<Will>) -> Packet {
    Packet::Connect(Box::new(Connect {
        client_id: "me".to_owned().into(),
        will,
        ..Connect::default()
    }))
}

fn will() -> Will {
    Will {
        topic: TopicName::new("will".to_owned()).expect("a topic"),
        payload: Bytes::from_static(b"gone"),
        qos: QoS::AtMostOnce,
        retain: true,
        delay_interval: 0,
        properties: MessageProperties::default(),
    }
}

fn retained(topic: &str) -> Packet {
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

fn disconnect() -> Packet {
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

/// [MQTT-3.14.4-3]: would fail if it were waited for a time that is set, which is over before the runtime has looked at this socket.
#[test]
fn what_came_before_a_takeover_is_taken_in_however_many_sockets_are_looked_at_before() {
    // Together they take many times as long as what is waited for at least.
    const OTHERS: u32 = 50;
    const EACH_TAKES: Duration = Duration::from_millis(2);
    assert!(OTHERS * EACH_TAKES > 5 * CATCH_UP);
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = looks::bound(&mut runtime).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let (_storage, surroundings) = broker();
        let (broker, _) = surroundings.broker.get();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let pair = || async {
            let client = std::net::TcpStream::connect(address).expect("it listens");
            (client, listener.accept().await.expect("it has come").0)
        };
        let bytes = |packets: &[Packet]| {
            let mut bytes = BytesMut::new();
            for packet in packets {
                encode(packet, Version::V5, &mut bytes);
            }
            bytes
        };

        let (mut client, stream) = pair().await;
        let first = tokio::spawn(serve_at(surroundings.clone(), Tcp::new(stream)));
        let hello = bytes(&[connect(Some(will()))]);
        client.write_all(&hello).expect("there is room");
        let mut others = Vec::new();
        for _ in 0..OTHERS {
            let (other, mut stream) = pair().await;
            others.push(other);
            tokio::spawn(async move {
                while stream.read(&mut [0; 16]).await.is_ok_and(|count| count > 0) {
                    std::thread::sleep(EACH_TAKES);
                }
            });
        }
        // All of them wait, and nothing has come for anybody.
        while broker.stats().connections == 0 {
            looks::all_seen().await;
        }
        looks::all_seen().await;
        for other in &mut others {
            other.write_all(b"x").expect("there is room");
        }
        let said = bytes(&[retained("one"), retained("two"), disconnect()]);
        client.write_all(&said).expect("there is room");

        let second = Mail::default();
        second.put(connect(None));
        let second = tokio::spawn(serve_at(surroundings, second));
        first.await.expect("it ends");
        second.abort();
        let stats = broker.stats();
        assert_eq!(stats.retained, 2, "what it said, and no will");
    });
}
