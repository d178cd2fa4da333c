//! What was under way when the connection went, and is sent again in the next one.

mod world;

use ebbtide_broker::Limits;
use ebbtide_protocol::{
    ByteString, Packet, QoS, ReasonCode, extension,
    packet::{Ack, ConnAck, Connect},
};
use world::{World, clean, kept, packet_id, publish};

#[test]
fn a_full_window_is_resumed() {
    let all = usize::from(u16::MAX);
    let mut world = World::with(Limits {
        receive_maximum: u16::MAX,
        ..Limits::default()
    });
    let (subscriber, _) = world.connect(kept("subscriber"));
    world.subscribe(subscriber, "t", QoS::AtLeastOnce);
    let (publisher, _) = world.connect(clean("publisher"));
    let one = publish(1, "t", "x", QoS::AtLeastOnce);
    for _ in 0..all {
        world.send(publisher, Packet::Publish(Box::new(one.clone())));
    }
    world.commit();
    assert_eq!(world.received(subscriber).len(), all);
    world.cut(subscriber);
    let (subscriber, _) = world.connect(kept("subscriber"));
    world.commit();
    assert_eq!(world.received(subscriber).len(), all, "all are sent again");
}

/// CONNACK does not wait for the disk, and so stands for nothing that is read from there.
#[test]
fn what_is_in_flight_is_resumed_though_nothing_is_waited_for() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut world = World::new();
        let subscriber = world.open_relaxed();
        world.send(subscriber, Packet::Connect(Box::new(kept("subscriber"))));
        world.subscribe(subscriber, "t", qos);
        let (publisher, _) = world.connect(clean("publisher"));
        world.received(subscriber);
        world.send(
            publisher,
            Packet::Publish(Box::new(publish(1, "t", "x", qos))),
        );
        assert_eq!(world.received(subscriber).len(), 1, "it is under way");
        world.cut(subscriber);
        let subscriber = world.open_relaxed();
        world.send(subscriber, Packet::Connect(Box::new(kept("subscriber"))));
        assert!(matches!(
            &world.received(subscriber)[..],
            [Packet::ConnAck(_)]
        ));
        assert_eq!(world.take_texts(subscriber), ["x"]);
    }
}

/// A message of a group at QoS 2 is the member's from its sending on, and only the store knows its text.
#[test]
fn what_is_in_flight_of_a_group_is_resumed_though_nothing_is_waited_for() {
    let mut world = World::new();
    let member = world.open_relaxed();
    world.send(member, Packet::Connect(Box::new(kept("member"))));
    world.subscribe(member, "$share/g/t", QoS::ExactlyOnce);
    let (publisher, _) = world.connect(clean("publisher"));
    world.received(member);
    world.send(
        publisher,
        Packet::Publish(Box::new(publish(1, "t", "x", QoS::ExactlyOnce))),
    );
    assert_eq!(world.received(member).len(), 1, "it is under way");
    world.cut(member);
    let member = world.open_relaxed();
    world.send(member, Packet::Connect(Box::new(kept("member"))));
    assert!(matches!(&world.received(member)[..], [Packet::ConnAck(_)]));
    assert_eq!(world.take_texts(member), ["x"]);
}

/// The client had received it before the connection went, and says so before it is read to be sent again.
#[test]
fn what_is_acknowledged_before_it_is_repeated_is_no_loss() {
    let mut world = World::new();
    let (subscriber, _) = world.connect(kept("subscriber"));
    world.subscribe(subscriber, "t", QoS::AtLeastOnce);
    let (publisher, _) = world.connect(clean("publisher"));
    for n in 0..100 {
        world.publish(publisher, 1, "t", &n.to_string(), QoS::AtLeastOnce, false);
    }
    assert_eq!(world.received(subscriber).len(), 100);
    world.cut(subscriber);
    let narrow = Connect {
        receive_maximum: Some(packet_id(10)),
        ..kept("subscriber")
    };
    let (subscriber, _) = world.connect(narrow);
    let ack = Ack::new(packet_id(90), ReasonCode::Success);
    world.send(subscriber, Packet::PubAck(ack));
    let texts = world.take_texts(subscriber);
    let expected: Vec<_> = (0..100).filter(|n| *n != 89).collect();
    assert_eq!(
        texts,
        expected.iter().map(u32::to_string).collect::<Vec<_>>()
    );
    assert_eq!(world.broker.stats().dropped.damaged, 0);
    world.cut(subscriber);
    let (_, connack) = world.connect(kept("subscriber"));
    let dropped = extension::values(&connack.user_properties, "ebbtide-dropped").count();
    assert_eq!(dropped, 0);
}

fn name(connack: &ConnAck) -> Option<ByteString> {
    let mut names = extension::values(&connack.user_properties, extension::SESSION_NAME);
    names.next().cloned()
}

#[test]
fn a_session_keeps_its_name_and_the_next_one_has_another() {
    let mut world = World::new();
    let mut come = |connect: Connect, crashes: bool| {
        if crashes {
            world.crash();
        }
        let (client, connack) = world.connect(connect);
        world.commit();
        world.cut(client);
        (connack.session_present, name(&connack))
    };
    let (is_present, first) = come(kept("a"), false);
    assert!(!is_present && first.is_some());
    assert_eq!(come(kept("a"), false), (true, first.clone()));
    assert_eq!(come(kept("a"), true), (true, first.clone()));
    let anew = Connect {
        clean_start: true,
        ..kept("a")
    };
    let (_, second) = come(anew, false);
    assert!(second.is_some() && second != first);
    assert_eq!(come(kept("a"), true), (true, second.clone()));
    let (_, other) = come(kept("b"), false);
    assert!(other.is_some() && other != second);
    assert_eq!(
        come(clean("c"), false),
        (false, None),
        "it ends with its connection"
    );
    let narrow = Connect {
        maximum_packet_size: Some(80),
        ..kept("a")
    };
    assert_eq!(come(narrow, false), (true, None), "there is no room for it");
}
