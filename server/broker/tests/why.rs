//! "Why did this client not get that message?": each reason that the core knows, asked of it afterwards.

mod world;

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use ebbtide_broker::{Command, Fate, Known, Limits, Outcome, QueueOverflow};
use ebbtide_protocol::{
    Packet, QoS, ReasonCode, TopicName,
    packet::{Ack, Connect},
};
use ebbtide_store::access::{Actions, Effect, RuleRow, Who};
use world::*;

fn why(world: &mut World, topic: &str) -> Known {
    let topic = TopicName::new(topic.to_owned()).expect("a topic");
    let pending = world.broker.command("a", Command::Why { topic }, world.now);
    let pending = pending.expect("a session");
    world.settle();
    let mut context = Context::from_waker(Waker::noop());
    match pin!(pending).poll(&mut context) {
        Poll::Ready(Ok(Outcome::Known(known))) => known,
        other => panic!("{other:?}"),
    }
}

/// Fates with how often, and whether they are certain.
fn fates(world: &mut World, topic: &str) -> Vec<(Fate, u64, bool)> {
    let known = why(world, topic);
    assert!(
        known
            .fates
            .iter()
            .all(|info| info.last_at <= world.now.wall)
    );
    let fates = known.fates.iter();
    fates
        .map(|info| (info.fate, info.count, info.is_certain))
        .collect()
}

fn publish_one(world: &mut World, topic: &str, qos: QoS) {
    let (publisher, _) = world.connect(clean("p"));
    world.publish(publisher, 1, topic, "x", qos, false);
}

#[test]
fn what_was_acknowledged_is_known_with_its_time() {
    let mut world = World::new();
    let (client, _) = world.connect(kept("a"));
    world.subscribe(client, "t/+", QoS::ExactlyOnce);
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        world.pass_ms(1000);
        publish_one(&mut world, "t/1", qos);
        assert_eq!(world.take_all(client).len(), 1);
    }
    let known = why(&mut world, "t/1");
    assert_eq!(known.subscriptions.len(), 1);
    let last = known.fates[0];
    assert_eq!((last.fate, last.count), (Fate::Acknowledged, 2));
    assert_eq!(last.last_at, world.now.wall);
    assert_eq!(known.fates[1].fate, Fate::Sent);
    assert!(why(&mut world, "t/2").fates.is_empty());
    assert!(why(&mut world, "u").subscriptions.is_empty());
    world.cut(client);
    assert_eq!(why(&mut world, "t/1"), known, "also while it is away");
}

#[test]
fn what_the_client_has_refused_is_known() {
    let mut world = World::new();
    let (client, _) = world.connect(kept("a"));
    world.subscribe(client, "t", QoS::AtLeastOnce);
    publish_one(&mut world, "t", QoS::AtLeastOnce);
    let received = world.received(client);
    let Some(Packet::Publish(publish)) = received.first() else {
        panic!("{received:?}");
    };
    let id = publish.packet_id.expect("QoS 1 has one");
    let refused = Ack::new(id, ReasonCode::QuotaExceeded);
    world.send(client, Packet::PubAck(refused));
    assert_eq!(fates(&mut world, "t"), [(Fate::Refused, 1, true)]);
}

#[test]
fn qos_0_while_the_client_is_away_is_known() {
    let mut world = World::new();
    let (client, _) = world.connect(kept("a"));
    world.subscribe(client, "t", QoS::AtLeastOnce);
    world.cut(client);
    publish_one(&mut world, "t", QoS::AtMostOnce);
    publish_one(&mut world, "t", QoS::AtMostOnce);
    assert_eq!(fates(&mut world, "t"), [(Fate::QoS0Away, 2, true)]);
}

#[test]
fn what_has_expired_is_known() {
    let mut world = World::new();
    let (client, _) = world.connect(kept("a"));
    world.subscribe(client, "t", QoS::AtLeastOnce);
    world.cut(client);
    let (publisher, _) = world.connect(clean("p"));
    let mut short = publish(1, "t", "x", QoS::AtLeastOnce);
    short.properties.message_expiry_interval = Some(1);
    world.send(publisher, Packet::Publish(Box::new(short)));
    world.commit();
    world.pass_ms(1500);
    let (client, _) = world.connect(kept("a"));
    assert!(world.take_all(client).is_empty());
    assert_eq!(fates(&mut world, "t"), [(Fate::Expired, 1, true)]);
}

#[test]
fn what_is_too_large_is_known() {
    let mut world = World::new();
    let (client, _) = world.connect(Connect {
        maximum_packet_size: Some(64),
        ..kept("a")
    });
    world.subscribe(client, "t", QoS::AtLeastOnce);
    let (publisher, _) = world.connect(clean("p"));
    let payload = "x".repeat(100);
    world.publish(publisher, 1, "t", &payload, QoS::AtLeastOnce, false);
    assert_eq!(fates(&mut world, "t"), [(Fate::TooLarge, 1, true)]);
}

/// Of what waits on disk only the number is in memory: that it was dropped is certain, that it was this topic is not.
#[test]
fn what_a_full_queue_has_dropped_is_known_as_far_as_it_can_be() {
    for (queue_overflow, is_certain) in [
        (QueueOverflow::DropNewest, true),
        (QueueOverflow::DropOldest, false),
    ] {
        let mut world = World::with(Limits {
            queue_messages_per_session_max: 1,
            queue_overflow,
            ..Limits::default()
        });
        let (client, _) = world.connect(kept("a"));
        world.subscribe(client, "t", QoS::AtLeastOnce);
        world.cut(client);
        for _ in 0..3 {
            publish_one(&mut world, "t", QoS::AtLeastOnce);
        }
        let expected = [(Fate::QueueFull, 2, is_certain)];
        assert_eq!(fates(&mut world, "t"), expected, "{queue_overflow:?}");
    }
}

#[test]
fn that_an_operator_has_emptied_the_queue_is_known() {
    let mut world = World::new();
    let (client, _) = world.connect(kept("a"));
    world.subscribe(client, "t", QoS::AtLeastOnce);
    world.cut(client);
    publish_one(&mut world, "t", QoS::AtLeastOnce);
    let up_to = world.broker.last_sequence();
    let purge = Command::Purge { up_to, count: 10 };
    let _ = world.broker.command("a", purge, world.now);
    assert_eq!(fates(&mut world, "t"), [(Fate::Purged, 1, false)]);
}

#[test]
fn what_a_rule_denied_is_known_with_the_rule_of_now() {
    let rule = |effect, topic: &str| RuleRow {
        effect,
        who: Who::Any,
        actions: Actions {
            publish: effect == Effect::Allow,
            subscribe: true,
            retain: true,
        },
        topics: vec![topic.into()],
    };
    let rules = vec![rule(Effect::Deny, "t/secret"), rule(Effect::Allow, "t/#")];
    let mut world = World::guarded(rules);
    let (client, _) = world.connect(kept("a"));
    world.subscribe(client, "t/#", QoS::AtLeastOnce);
    for connected in [true, false] {
        publish_one(&mut world, "t/secret", QoS::AtLeastOnce);
        let known = why(&mut world, "t/secret");
        let decision = known.decision.expect("there are rules");
        assert_eq!((decision.is_allowed, decision.rule), (false, Some(1)));
        if connected {
            assert_eq!(fates(&mut world, "t/secret"), [(Fate::Denied, 1, true)]);
            world.cut(client);
        }
    }
    let decision = why(&mut world, "t/open").decision.expect("there are rules");
    assert_eq!(decision.to_string(), "rule 2 allows it");
}
