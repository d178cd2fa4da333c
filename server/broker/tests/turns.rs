//! A snapshot is looked for in turns, so that a filter that matches little does not hold up everybody else on its thread.

mod world;

use std::task::Waker;

use bytes::BytesMut;
use ebbtide_broker::{Answer, Connection, Identity, Now, Origin};
use ebbtide_protocol::{
    Packet, QoS, TopicFilter, Version,
    codec::{Decoder, Role, encode},
    packet::{Subscribe, Subscription, SubscriptionOptions},
};
use world::{World, clean, packet_id, snapshots::retain};

/// More levels of topics than are looked at in two turns.
const TOPICS: usize = 40_000;

/// A connection that the test itself drives, turn by turn.
struct Line {
    connection: Connection,
    decoder: Decoder,
    output: BytesMut,
}

impl Line {
    fn new(world: &World) -> Self {
        let origin = Origin {
            address: "test".into(),
            transport: "tcp",
        };
        let waker = Waker::noop().clone();
        let mut decoder = Decoder::new(Role::Client, u32::MAX);
        decoder.set_version(Version::V5);
        let mut line = Self {
            connection: world.broker.connect(origin, waker, Now::default()),
            decoder,
            output: BytesMut::new(),
        };
        line.send(Packet::Connect(Box::new(clean("raw"))));
        assert!(line.connection.poll_question().is_some());
        let answer = Answer::Authenticated(Ok(Identity::default()).into());
        line.connection.handle_answer(answer, Now::default());
        line
    }

    fn send(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        encode(&packet, Version::V5, &mut bytes);
        self.connection.receive(&mut bytes, Now::default());
    }

    fn turn(&mut self) -> Vec<Packet> {
        self.connection
            .poll_transmit(&mut self.output, Now::default());
        let decode = || self.decoder.decode(&mut self.output).expect("it is MQTT");
        std::iter::from_fn(decode).collect()
    }
}

#[test]
fn a_filter_that_matches_little_takes_several_turns() {
    let mut world = World::new();
    retain(&mut world, TOPICS);
    let (publisher, _) = world.connect(clean("p"));
    // Behind all the others.
    world.publish(publisher, 1, "s/1/x", "found", QoS::AtLeastOnce, true);
    let mut line = Line::new(&world);
    assert_eq!(line.turn().len(), 1, "CONNACK");
    line.send(Packet::Subscribe(Subscribe {
        packet_id: packet_id(1),
        subscription_identifier: None,
        user_properties: Vec::new(),
        subscriptions: vec![Subscription {
            filter: TopicFilter::new("+/+/x").expect("a filter"),
            options: SubscriptionOptions::default(),
        }],
    }));
    assert_eq!(line.turn().len(), 1, "SUBACK");
    let mut turns = 0;
    let found = loop {
        assert!(line.connection.wants_turn(), "it is not done");
        turns += 1;
        let packets = line.turn();
        if !packets.is_empty() {
            break packets;
        }
    };
    assert!(turns >= 2, "{turns} turns");
    let [Packet::Publish(publish)] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(world::text(publish), "found");
    assert!(!line.connection.wants_turn(), "it is done");
}
