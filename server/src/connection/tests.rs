//! One connection by itself: what it takes while it is idle, and when it lets others have their turn.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
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

/// A client that always has more, hears itself, and takes all: nothing that it does makes its connection wait.
struct Busy {
    input: BytesMut,
    /// So many reads, then it has nothing more.
    reads_left: usize,
    carried: Arc<AtomicUsize>,
}

impl Busy {
    /// One read, bytes.
    const READ_BYTES: usize = 4 * 1024;

    fn new(reads: usize) -> Self {
        let mut first = BytesMut::new();
        let topic = TopicFilter::new("busy".to_owned()).expect("a filter");
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
                    filter: topic,
                    options: SubscriptionOptions::default(),
                }],
            }),
        ] {
            encode(&packet, Version::V3_1_1, &mut first);
        }
        Self {
            input: first,
            reads_left: reads,
            carried: Arc::default(),
        }
    }

    /// PUBLISH to "busy" at QoS 0, as often as it fits.
    fn publishes() -> BytesMut {
        let mut packet = BytesMut::new();
        encode(
            &Packet::Publish(Box::new(Publish {
                dup: false,
                qos: QoS::AtMostOnce,
                retain: false,
                topic: Some(TopicName::new("busy".to_owned()).expect("a topic")),
                packet_id: None,
                topic_alias: None,
                subscription_identifiers: Vec::new(),
                properties: MessageProperties::default(),
                payload: Bytes::from_static(&[b'x'; 100]),
            })),
            Version::V3_1_1,
            &mut packet,
        );
        packet.repeat(Self::READ_BYTES / packet.len())[..].into()
    }
}

impl ByteStream for Busy {
    fn poll_read(&mut self, _: &mut Context<'_>, input: &mut BytesMut) -> Poll<io::Result<usize>> {
        if self.reads_left == 0 {
            return Poll::Pending;
        }
        self.reads_left -= 1;
        if self.input.is_empty() {
            self.input = Self::publishes();
        }
        let count = self.input.len();
        input.unsplit(self.input.split());
        self.carried.fetch_add(count, Ordering::Relaxed);
        Poll::Ready(Ok(count))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, output: &mut BytesMut) -> Poll<io::Result<()>> {
        self.carried.fetch_add(output.len(), Ordering::Relaxed);
        output.clear();
        Poll::Ready(Ok(()))
    }

    fn poll_end(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn one_that_always_has_more_lets_others_have_their_turn() {
    const READS: usize = 2_000;
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
    let stream = Busy::new(READS);
    let carried = Arc::clone(&stream.carried);
    let signal = Signal::new();
    let driver = Driver::new(stream, origin, &signal, surroundings, None);
    let mut serving = Box::pin(serve(driver, signal, ()));

    let (mut before, mut most, mut turns) = (0, 0, 0);
    loop {
        let over = poll_fn(|context| Poll::Ready(serving.as_mut().poll(context)));
        assert!(over.await.is_pending(), "its connection has ended");
        let now = carried.load(Ordering::Relaxed);
        if now == before && turns > 0 {
            break;
        }
        most = most.max(now - before);
        (before, turns) = (now, turns + 1);
    }
    // Everything came, and went back to it.
    assert!(before > READS * Busy::READ_BYTES * 3 / 2, "{before} bytes");
    // What is taken in at last, and what that causes.
    let bound = CARRIED_BYTES_MAX + 2 * OUTPUT_BYTES_MAX;
    assert!(most <= bound, "{most} bytes in one turn of {turns}");
}
