//! Connections by themselves, with streams that are made for it.

mod farewell;
mod order;
mod takeover;
mod turns;
mod unseen;

use ebbtide_broker::Transport;
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
        transport: Transport::Tcp,
    };
    let signal = Signal::new();
    let driver = Driver::new(stream, origin, &signal, surroundings, None);
    serve(driver, signal, ())
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
