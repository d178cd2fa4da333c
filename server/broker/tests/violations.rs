//! What is not allowed: it ends that connection, with its reason code, and costs nobody else anything.

mod world;

use std::num::NonZeroU16;

use ebbtide_broker::Limits;
use ebbtide_protocol::{
    Packet, QoS, ReasonCode, TopicFilter, Version,
    packet::{Ack, Auth, ConnAck, Connect, Unsubscribe, Will},
};
use world::*;

/// Sends something on a fresh v5 connection; gives the reason it was closed for.
fn reason_for(packet: Packet) -> ReasonCode {
    let mut world = World::new();
    let (bystander, _) = world.connect(clean("bystander"));
    let (client, _) = world.connect(clean("x"));
    world.send(client, packet);
    world.commit();
    let Some(reason) = world.is_closed(client) else {
        panic!("still open")
    };
    assert_eq!(world.answers(client), [disconnect(reason)]);
    assert_eq!(world.is_closed(bystander), None);
    reason
}

/// [MQTT-3.1.0-1, MQTT-3.1.0-2]
#[test]
fn the_first_packet_is_connect_and_only_the_first() {
    let mut world = World::new();
    let client = world.open();
    world.send(client, Packet::PingReq);
    assert!(world.is_closed(client).is_some());
    assert_eq!(world.received(client), []);
    assert_eq!(
        reason_for(Packet::Connect(Box::new(clean("x")))),
        ReasonCode::ProtocolError
    );
}

#[test]
fn packets_that_only_servers_send() {
    assert_eq!(reason_for(Packet::PingResp), ReasonCode::ProtocolError);
    let connack = ConnAck::new(ReasonCode::Success, false);
    assert_eq!(
        reason_for(Packet::ConnAck(Box::new(connack))),
        ReasonCode::ProtocolError
    );
}

#[test]
fn authentication_that_nobody_began() {
    let auth = Auth {
        reason: ReasonCode::ReAuthenticate,
        authentication_method: Some("x".into()),
        authentication_data: None,
        reason_string: None,
        user_properties: Vec::new(),
    };
    assert_eq!(
        reason_for(Packet::Auth(Box::new(auth))),
        ReasonCode::ProtocolError
    );
    let mut world = World::new();
    let (client, connack) = world.connect(Connect {
        authentication_method: Some("SCRAM".into()),
        ..clean("x")
    });
    assert_eq!(connack.reason, ReasonCode::BadAuthenticationMethod);
    assert!(world.is_closed(client).is_some());
}

/// [MQTT-3.3.2-7, MQTT-3.3.2-9, MQTT-3.3.2-12]
#[test]
fn topic_aliases() {
    let with = |topic: Option<&str>, alias| {
        let mut message = publish(0, topic.unwrap_or("t"), "x", QoS::AtMostOnce);
        if topic.is_none() {
            message.topic = None;
        }
        message.topic_alias = NonZeroU16::new(alias);
        Packet::Publish(Box::new(message))
    };
    assert_eq!(
        reason_for(with(None, 1)),
        ReasonCode::ProtocolError,
        "never set"
    );
    assert_eq!(
        reason_for(with(Some("t"), 1_000)),
        ReasonCode::TopicAliasInvalid,
        "above the maximum"
    );

    let mut world = World::new();
    let (client, connack) = world.connect(clean("x"));
    assert!(connack.topic_alias_maximum >= 2);
    world.subscribe(client, "#", QoS::AtMostOnce);
    for packet in [
        with(Some("a"), 1),
        with(Some("b"), 2),
        with(None, 1),
        with(Some("c"), 1),
        with(None, 1),
    ] {
        world.send(client, packet);
    }
    let topics: Vec<String> = world
        .take_all(client)
        .iter()
        .filter_map(|message| message.topic.as_ref())
        .map(|topic| topic.as_str().to_owned())
        .collect();
    assert_eq!(topics, ["a", "b", "a", "c", "c"]);
    // Aliases belong to one connection.
    world.cut(client);
    let (client, _) = world.connect(clean("x"));
    world.send(client, with(None, 1));
    assert_eq!(world.is_closed(client), Some(ReasonCode::ProtocolError));
}

/// [MQTT-3.3.4-7]
#[test]
fn more_publishes_than_receive_maximum() {
    let limits = Limits {
        receive_maximum: 2,
        ..Limits::default()
    };
    let mut world = World::with(limits);
    let (client, connack) = world.connect(kept("x"));
    assert_eq!(connack.receive_maximum, NonZeroU16::new(2));
    for id in 1..=3 {
        world.send(
            client,
            Packet::Publish(Box::new(publish(id, "t", "x", QoS::ExactlyOnce))),
        );
    }
    assert_eq!(
        world.is_closed(client),
        Some(ReasonCode::ReceiveMaximumExceeded)
    );
    // PUBCOMP gives one back.
    let (client, _) = world.connect(clean("y"));
    for id in 1..=10 {
        world.publish(client, id, "t", "x", QoS::ExactlyOnce, false);
    }
    assert_eq!(world.is_closed(client), None);
}

#[test]
fn acknowledgements_of_the_wrong_kind_and_of_nothing() {
    let mut world = World::new();
    let (client, _) = world.connect(clean("x"));
    world.subscribe(client, "t", QoS::ExactlyOnce);
    let ack = |id| Ack::new(packet_id(id), ReasonCode::Success);
    world.send(client, Packet::PubAck(ack(77)));
    world.send(client, Packet::PubComp(ack(77)));
    world.send(client, Packet::PubRec(ack(77)));
    world.send(client, Packet::PubRel(ack(77)));
    let unknown = Ack::new(packet_id(77), ReasonCode::PacketIdentifierNotFound);
    assert_eq!(
        world.received(client),
        [Packet::PubRel(unknown.clone()), Packet::PubComp(unknown)]
    );
    world.publish(client, 1, "t", "x", QoS::ExactlyOnce, false);
    let packets = world.received(client);
    let [Packet::Publish(message)] = &packets[..] else {
        panic!("unexpected {packets:?}")
    };
    let id = message.packet_id.expect("QoS 2 has one").get();
    world.send(client, Packet::PubAck(ack(id)));
    assert_eq!(world.is_closed(client), Some(ReasonCode::ProtocolError));
}

/// The exchange is over for the client: PUBREL follows a success only [MQTT-4.3.3-4].
#[test]
fn a_refusal_of_nothing_is_not_answered() {
    let mut world = World::new();
    let (client, _) = world.connect(clean("x"));
    let refused = Ack::new(packet_id(77), ReasonCode::QuotaExceeded);
    world.send(client, Packet::PubRec(refused));
    assert_eq!(world.received(client), []);
    assert_eq!(world.is_closed(client), None);
}

#[test]
fn a_connect_that_does_not_come() {
    let mut world = World::new();
    let client = world.open();
    world.pass_ms(world.limits.connect_deadline_ms - 1);
    assert_eq!(world.is_closed(client), None);
    world.pass_ms(1);
    assert!(world.is_closed(client).is_some());
}

/// [MQTT-3.1.2-2, MQTT3-3.1.2-2]
#[test]
fn versions_that_nobody_knows_are_refused_in_words_they_know() {
    for (level, answer) in [
        (3, vec![0x20, 2, 0, 1]),
        // A bridge of Mosquitto.
        (0x84, vec![0x20, 2, 0, 1]),
        (6, vec![0x20, 3, 0, 0x84, 0]),
    ] {
        let mut world = World::new();
        let client = world.open();
        world.refused_bytes(
            client,
            &[0x10, 12, 0, 4, b'M', b'Q', b'T', b'T', level, 0, 0, 0, 0, 0],
            &answer,
        );
    }
    // 3.1.1: an empty id needs a clean session, return code 0x02 [MQTT3-3.1.3-8].
    let mut world = World::new();
    let client = world.open();
    world.refused_bytes(
        client,
        &[0x10, 12, 0, 4, b'M', b'Q', b'T', b'T', 4, 0, 0, 0, 0, 0],
        &[0x20, 2, 0, 2],
    );
}

#[test]
fn too_many_subscriptions_and_too_deep_topics() {
    let limits = Limits {
        subscriptions_per_session_max: 2,
        topic_levels_max: 3,
        ..Limits::default()
    };
    let mut world = World::with(limits);
    let (client, _) = world.connect(clean("x"));
    assert_eq!(
        world.subscribe(client, "a", QoS::ExactlyOnce).reasons,
        [ReasonCode::GrantedQoS2]
    );
    assert_eq!(
        world.subscribe(client, "a/b/c/d", QoS::AtMostOnce).reasons,
        [ReasonCode::TopicFilterInvalid]
    );
    assert_eq!(
        world.subscribe(client, "b", QoS::AtLeastOnce).reasons,
        [ReasonCode::GrantedQoS1]
    );
    assert_eq!(
        world.subscribe(client, "c", QoS::AtLeastOnce).reasons,
        [ReasonCode::QuotaExceeded]
    );
    assert_eq!(
        world.subscribe(client, "a", QoS::AtMostOnce).reasons,
        [ReasonCode::Success],
        "not a new one"
    );
    world.send(
        client,
        Packet::Publish(Box::new(publish(1, "a/b/c/d", "x", QoS::AtLeastOnce))),
    );
    let refused = Ack::new(packet_id(1), ReasonCode::TopicNameInvalid);
    assert_eq!(world.answers(client), [Packet::PubAck(refused)]);
    assert_eq!(world.is_closed(client), None);
}

/// [MQTT-3.10.4-1, MQTT-3.11.3-1]
#[test]
fn unsubscribe_tells_what_was_there() {
    let mut world = World::new();
    let (client, _) = world.connect(kept("x"));
    world.subscribe(client, "a", QoS::AtLeastOnce);
    let filters = ["a", "b"]
        .map(|filter| TopicFilter::new(filter).expect("a filter"))
        .to_vec();
    let packet_id = packet_id(3);
    world.send(
        client,
        Packet::Unsubscribe(Unsubscribe {
            packet_id,
            user_properties: Vec::new(),
            filters,
        }),
    );
    assert_eq!(world.received(client), [], "it waits for its commit");
    world.commit();
    let packets = world.received(client);
    let [Packet::UnsubAck(unsuback)] = &packets[..] else {
        panic!("unexpected {packets:?}")
    };
    assert_eq!(
        unsuback.reasons,
        [ReasonCode::Success, ReasonCode::NoSubscriptionExisted]
    );
    world.publish(client, 1, "a", "x", QoS::AtLeastOnce, false);
    assert_eq!(world.take_all(client), []);
}

/// [MQTT-3.1.2-24, MQTT-3.1.2-25]
#[test]
fn a_message_too_large_for_a_subscriber_is_dropped_for_it_alone_and_counted() {
    let mut world = World::new();
    let small = Connect {
        maximum_packet_size: Some(60),
        ..kept("small")
    };
    let (small, _) = world.connect(small);
    let (large, _) = world.connect(kept("large"));
    for client in [small, large] {
        world.subscribe(client, "t", QoS::AtLeastOnce);
    }
    let (publisher, _) = world.connect(clean("p"));
    let long = "x".repeat(100);
    world.publish(publisher, 1, "t", &long, QoS::AtLeastOnce, false);
    world.publish(publisher, 2, "t", "short", QoS::AtLeastOnce, false);
    assert_eq!(world.take_texts(small), ["short"]);
    assert_eq!(world.take_texts(large), [long, "short".into()]);
    assert_eq!(world.broker.stats().dropped.too_large, 1);
    assert_eq!(world.broker.stats().waiting, 0);
}

#[test]
fn a_transient_client_that_reads_too_slowly() {
    let limits = Limits {
        outgoing_bytes_max: 1_000,
        ..Limits::default()
    };
    let mut world = World::with(limits);
    let slow = Connect {
        receive_maximum: NonZeroU16::new(1),
        version: Version::V5,
        ..clean("slow")
    };
    let (slow, _) = world.connect(slow);
    world.subscribe(slow, "t", QoS::AtLeastOnce);
    let (publisher, _) = world.connect(clean("p"));
    for id in 1..=600 {
        world.publish(publisher, id, "t", "x", QoS::AtLeastOnce, false);
    }
    assert_eq!(world.is_closed(slow), Some(ReasonCode::QuotaExceeded));
    assert!(world.broker.stats().dropped.overflow > 0);
    assert_eq!(world.is_closed(publisher), None);
}

#[test]
fn a_will_may_not_go_where_a_publish_may_not() {
    for topic in ["/".repeat(2_000), "$SYS/x".to_owned()] {
        let mut world = World::new();
        let connect = Connect {
            will: Some(will(&topic, "bye", 0)),
            ..clean("x")
        };
        let (client, connack) = world.connect(connect);
        assert!(connack.reason.is_error());
        assert!(world.is_closed(client).is_some());
    }
}

/// Mosquitto's set one by default.
#[test]
fn a_bridge_may_say_by_its_will_that_it_is_gone() {
    let mut world = World::new();
    let topic = "$SYS/broker/connection/bridge/state";
    let (bridge, connack) = world.connect(Connect {
        will: Some(Will {
            retain: true,
            ..will(topic, "0", 0)
        }),
        ..clean("bridge")
    });
    assert_eq!(connack.reason, ReasonCode::Success);
    world.publish(bridge, 1, topic, "1", QoS::AtLeastOnce, true);
    let (watcher, _) = world.connect(clean("w"));
    world.subscribe(watcher, "$SYS/broker/connection/#", QoS::AtMostOnce);
    assert_eq!(world.take_texts(watcher), ["1"]);
    world.cut(bridge);
    assert_eq!(world.take_texts(watcher), ["0"]);
}

#[test]
fn one_subscribe_asks_for_no_more_than_a_session_may_have() {
    let limits = Limits {
        subscriptions_per_session_max: 3,
        ..Limits::default()
    };
    let mut world = World::with(limits);
    let (client, _) = world.connect(clean("x"));
    let Packet::Subscribe(mut packet) = subscribe(1, "a", Default::default()) else {
        unreachable!("as asked for")
    };
    packet.subscriptions = vec![packet.subscriptions[0].clone(); 5];
    world.send(client, Packet::Subscribe(packet));
    let packets = world.received(client);
    let [Packet::SubAck(suback)] = &packets[..] else {
        panic!("unexpected {packets:?}")
    };
    let refused = ReasonCode::QuotaExceeded;
    let granted = ReasonCode::Success;
    assert_eq!(
        suback.reasons,
        [granted, granted, granted, refused, refused]
    );
    assert_eq!(world.broker.stats().subscriptions, 1);
}

#[test]
fn pings_are_answered_within_a_budget_and_counted_as_replies() {
    let limits = Limits {
        replies_max: 100,
        ..Limits::default()
    };
    let mut world = World::with(limits);
    let (client, _) = world.connect(clean("x"));
    world.send_bytes(client, &[0xC0, 0].repeat(5_000));
    // All are answered in the end, a hundred at a time.
    let mut answered = world.received(client).len();
    for _ in 0..100 {
        world.settle();
        answered += world.received(client).len();
    }
    assert!(answered >= 100);
    assert_eq!(world.is_closed(client), None);
}
