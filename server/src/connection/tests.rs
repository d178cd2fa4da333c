//! One connection by itself: what it takes while it is idle, when it lets others have their turn, and how far it reads ahead.

use std::sync::atomic::{AtomicUsize, Ordering};

use ebbtide_protocol::{
    Packet, PacketId, QoS, TopicFilter, TopicName, Version,
    codec::encode,
    packet::{Connect, MessageProperties, Publish, Subscribe, Subscription, SubscriptionOptions},
};

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
        let mut first = BytesMut::new();
        let filter = TopicFilter::new("busy".to_owned()).expect("a filter");
        for packet in [
            Packet::Connect(Box::new(Connect {
                version: Version::V3_1_1,
                clean_start: true,
                client_id: "busy".to_owned().into(),
                ..Connect::default()
            })),
            Packet::Subscribe(Subscribe {
                packet_id: PacketId::MIN,
                subscription_identifier: None,
                user_properties: Vec::new(),
                subscriptions: vec![Subscription {
                    filter,
                    options: SubscriptionOptions::default(),
                }],
            }),
        ] {
            encode(&packet, Version::V3_1_1, &mut first);
        }
        Self {
            input: first,
            publishes,
            reads_left: reads,
            carried: Arc::default(),
        }
    }

    /// PUBLISH at QoS 0, as often as it fits.
    fn publishes(bytes: usize, topic: &str, payload_bytes: usize) -> BytesMut {
        let mut packet = BytesMut::new();
        encode(
            &Packet::Publish(Box::new(Publish {
                dup: false,
                qos: QoS::AtMostOnce,
                retain: false,
                topic: Some(TopicName::new(topic.to_owned()).expect("a topic")),
                packet_id: None,
                topic_alias: None,
                subscription_identifiers: Vec::new(),
                properties: MessageProperties::default(),
                payload: vec![b'x'; payload_bytes].into(),
            })),
            Version::V3_1_1,
            &mut packet,
        );
        packet.repeat(bytes / packet.len())[..].into()
    }
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

/// The broker, and the connection of `stream` to it.
fn serve_alone(stream: Busy) -> (Storage, impl Future<Output = ()>) {
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
    let origin = Origin {
        address: "a test".to_owned(),
        transport: "none",
    };
    let signal = Signal::new();
    let driver = Driver::new(stream, origin, &signal, surroundings, None);
    (storage, serve(driver, signal, ()))
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
    let (_storage, serving) = serve_alone(stream);
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
    let (storage, serving) = serve_alone(stream);
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
