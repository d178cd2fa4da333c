//! One connection by itself: what it takes while it is idle, when it lets others have their turn, and how far it reads ahead. Two: who is served first.

use std::sync::atomic::{AtomicUsize, Ordering};

use ebbtide_protocol::{
    Packet, PacketId, QoS, TopicFilter, TopicName, Version,
    codec::encode,
    packet::{Connect, MessageProperties, Publish, Subscribe, Subscription, SubscriptionOptions},
};
use parking_lot::Mutex;

use super::*;
use crate::{
    auth::Directory,
    config::{Config, Options},
    events::Events,
    storage::Storage,
};

fn bytes_of<F>(_: impl FnOnce(Driver<Tcp>, Arc<Signal>, ()) -> F) -> usize {
    size_of::<F>()
}

#[test]
fn the_task_of_an_idle_client_is_small() {
    let (task, driver) = (bytes_of(serve), size_of::<Driver<Tcp>>());
    assert!(driver <= 576, "the driver takes {driver} bytes");
    assert!(
        task <= driver + 320,
        "the task takes {task} bytes, {driver} of them the driver"
    );
}

/// A client that always has more, and takes all: nothing that it does makes its connection wait. It hears what is published to "busy".
struct Busy {
    input: BytesMut,
    /// What one read gives, but the first.
    publishes: BytesMut,
    /// So many reads, then it has nothing more.
    reads_left: usize,
    carried: Arc<Carried>,
}

/// Bytes that a client has given and taken.
#[derive(Default)]
struct Carried {
    read: AtomicUsize,
    written: AtomicUsize,
}

impl Carried {
    fn all(&self) -> usize {
        self.read.load(Ordering::Relaxed) + self.written.load(Ordering::Relaxed)
    }
}

impl Busy {
    fn new(reads: usize, publishes: BytesMut) -> Self {
        let mut first = connect("busy");
        first.unsplit(subscribe("busy"));
        Self {
            input: first,
            publishes,
            reads_left: reads,
            carried: Arc::default(),
        }
    }

    /// As often as it fits.
    fn publishes(bytes: usize, topic: &str, payload_bytes: usize) -> BytesMut {
        let packet = publish(topic, QoS::AtMostOnce, payload_bytes);
        packet.repeat(bytes / packet.len())[..].into()
    }
}

fn encoded(packet: &Packet) -> BytesMut {
    let mut bytes = BytesMut::new();
    encode(packet, Version::V3_1_1, &mut bytes);
    bytes
}

fn connect(client_id: &str) -> BytesMut {
    encoded(&Packet::Connect(Box::new(Connect {
        version: Version::V3_1_1,
        clean_start: true,
        client_id: client_id.to_owned().into(),
        ..Connect::default()
    })))
}

fn subscribe(filter: &str) -> BytesMut {
    encoded(&Packet::Subscribe(Subscribe {
        packet_id: PacketId::MIN,
        subscription_identifier: None,
        user_properties: Vec::new(),
        subscriptions: vec![Subscription {
            filter: TopicFilter::new(filter.to_owned()).expect("a filter"),
            options: SubscriptionOptions::default(),
        }],
    }))
}

fn publish(topic: &str, qos: QoS, payload_bytes: usize) -> BytesMut {
    encoded(&Packet::Publish(Box::new(Publish {
        dup: false,
        qos,
        retain: false,
        topic: Some(TopicName::new(topic.to_owned()).expect("a topic")),
        packet_id: (qos != QoS::AtMostOnce).then_some(PacketId::MIN),
        topic_alias: None,
        subscription_identifiers: Vec::new(),
        properties: MessageProperties::default(),
        payload: vec![b'x'; payload_bytes].into(),
    })))
}

impl ByteStream for Busy {
    fn poll_read(&mut self, _: &mut Context<'_>, input: &mut BytesMut) -> Poll<io::Result<usize>> {
        if self.reads_left == 0 {
            return Poll::Pending;
        }
        self.reads_left -= 1;
        if self.input.is_empty() {
            self.input = self.publishes.clone();
        }
        let count = self.input.len();
        input.unsplit(self.input.split());
        self.carried.read.fetch_add(count, Ordering::Relaxed);
        Poll::Ready(Ok(count))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, output: &mut BytesMut) -> Poll<io::Result<()>> {
        (self.carried.written).fetch_add(output.len(), Ordering::Relaxed);
        output.clear();
        Poll::Ready(Ok(()))
    }

    fn poll_end(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A broker that nobody can reach but by [`serve_at`].
fn broker() -> (Storage, Surroundings) {
    let options = Options {
        ephemeral: Some(true),
        ..Options::default()
    };
    let config = Config::resolve(options).expect("a valid configuration");
    let (clock, directory) = (Clock::start(), Directory::default());
    let storage = Storage::start(&config, clock, &Events::default(), &directory);
    let storage = storage.expect("in memory");
    let authenticator = Authenticator::new(&config.auth, directory, clock);
    let surroundings = Surroundings {
        broker: storage.current().clone(),
        clock,
        authenticator: authenticator.expect("nobody is asked"),
        durability: config.mqtt_durability.into(),
        violations: Arc::new(Throttle::new()),
    };
    (storage, surroundings)
}

/// The connection of `stream` to it.
fn serve_at(surroundings: Surroundings, stream: impl ByteStream) -> impl Future<Output = ()> {
    let origin = Origin {
        address: "a test".to_owned(),
        transport: "none",
    };
    let signal = Signal::new();
    let driver = Driver::new(stream, origin, &signal, surroundings, None);
    serve(driver, signal, ())
}

/// Lets it have one turn after the other until nothing moves any more. `progress` is asked after each.
async fn turn_by_turn(serving: impl Future<Output = ()>, mut progress: impl FnMut() -> usize) {
    let mut serving = Box::pin(serving);
    let mut before = None;
    loop {
        let over = poll_fn(|context| Poll::Ready(serving.as_mut().poll(context)));
        assert!(over.await.is_pending(), "its connection has ended");
        let now = Some(progress());
        if now == before {
            return;
        }
        before = now;
    }
}

#[tokio::test]
async fn one_that_always_has_more_lets_others_have_their_turn() {
    const READS: usize = 2_000;
    const READ_BYTES: usize = 4 * 1024;
    let stream = Busy::new(READS, Busy::publishes(READ_BYTES, "busy", 100));
    let carried = Arc::clone(&stream.carried);
    let (_storage, surroundings) = broker();
    let serving = serve_at(surroundings, stream);
    let (mut before, mut most) = (0, 0);
    turn_by_turn(serving, || {
        let now = carried.all();
        most = most.max(now - before);
        before = now;
        now
    })
    .await;
    // Everything came, and went back to it.
    assert!(before > READS * READ_BYTES * 3 / 2, "{before} bytes");
    // What is taken in at last, and what that causes.
    let bound = CARRIED_BYTES_MAX + 2 * OUTPUT_BYTES_MAX;
    assert!(most <= bound, "{most} bytes in one turn");
}

#[tokio::test]
async fn no_more_is_read_than_the_core_takes() {
    const READS: usize = 200;
    const READ_BYTES: usize = 64 * 1024;
    // Thousands of packets come with one read, some hundreds are taken in at a turn, and it has nothing to write meanwhile.
    let stream = Busy::new(READS, Busy::publishes(READ_BYTES, "quiet", 1));
    let carried = Arc::clone(&stream.carried);
    let (storage, surroundings) = broker();
    let serving = serve_at(surroundings, stream);
    let broker = storage.current().get().0;
    let mut most = 0;
    turn_by_turn(serving, || {
        let taken = broker.stats().received.bytes as usize;
        most = most.max(carried.read.load(Ordering::Relaxed) - taken);
        carried.all() + taken
    })
    .await;
    let read = carried.read.load(Ordering::Relaxed);
    assert!(read > (READS - 2) * READ_BYTES, "{read} bytes");
    assert!(most <= READ_BYTES, "{most} bytes lay in the connection");
}

/// A client that sends one part after the other, each at its moment.
struct Script {
    name: &'static str,
    parts: tokio::sync::mpsc::Receiver<BytesMut>,
    /// Who was sent what: the first byte of each write.
    sent: Arc<Mutex<Vec<(&'static str, u8)>>>,
}

impl ByteStream for Script {
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        input: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        self.parts.poll_recv(context).map(|part| {
            let part = part.unwrap_or_default();
            input.extend_from_slice(&part);
            Ok(part.len())
        })
    }

    fn poll_write(&mut self, _: &mut Context<'_>, output: &mut BytesMut) -> Poll<io::Result<()>> {
        self.sent.lock().push((self.name, output[0]));
        output.clear();
        Poll::Ready(Ok(()))
    }

    fn poll_end(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_message_that_comes_alone_is_delivered_before_it_is_acknowledged() {
    const CONNACK: u8 = 0x20;
    const SUBACK: u8 = 0x90;
    const PUBLISH: u8 = 0x30;
    const PUBACK: u8 = 0x40;
    let (_storage, surroundings) = broker();
    let sent = Arc::default();
    let join = |name| {
        let (parts, received) = tokio::sync::mpsc::channel(1);
        let script = Script {
            name,
            parts: received,
            sent: Arc::clone(&sent),
        };
        tokio::spawn(serve_at(surroundings.clone(), script));
        parts
    };
    let (subscriber, publisher) = (join("subscriber"), join("publisher"));
    let steps = [
        (
            &subscriber,
            connect("subscriber"),
            vec![("subscriber", CONNACK)],
        ),
        (
            &subscriber,
            subscribe("topic"),
            vec![("subscriber", SUBACK)],
        ),
        (
            &publisher,
            connect("publisher"),
            vec![("publisher", CONNACK)],
        ),
        (
            &publisher,
            publish("topic", QoS::AtLeastOnce, 1),
            vec![("subscriber", PUBLISH), ("publisher", PUBACK)],
        ),
    ];
    for (client, part, expected) in steps {
        client.send(part).await.expect("it is there");
        while sent.lock().len() < expected.len() {
            tokio::task::yield_now().await;
        }
        assert_eq!(std::mem::take(&mut *sent.lock()), expected);
    }
}
