//! Retained messages: the snapshot that answers a subscription, and how it joins the live stream.

mod world;

use ebbtide_protocol::{
    Packet, QoS, TopicName,
    packet::{Publish, RetainHandling, SubscriptionOptions},
};
use world::*;

fn set(world: &mut World, topic: &str, payload: &str) {
    let (publisher, _) = world.connect(clean("publisher"));
    world.publish(publisher, 1, topic, payload, QoS::AtLeastOnce, true);
}

fn topics(messages: &[Publish]) -> Vec<&str> {
    messages
        .iter()
        .filter_map(|message| message.topic.as_ref())
        .map(TopicName::as_str)
        .collect()
}

/// [MQTT-3.3.1-9]
#[test]
fn a_subscription_is_answered_with_what_matches_however_many() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        for connect in [clean("s"), kept("s")] {
            let mut world = World::new();
            let (publisher, _) = world.connect(clean("publisher"));
            let names: Vec<String> = (0..3_000).map(|n| format!("presence/{n:04}")).collect();
            for name in &names {
                world.publish(publisher, 1, name, "on", QoS::ExactlyOnce, true);
            }
            world.publish(publisher, 1, "other/x", "on", QoS::ExactlyOnce, true);
            let (subscriber, _) = world.connect(connect);
            world.subscribe(subscriber, "presence/+", qos);
            let messages = world.take_all(subscriber);
            assert_eq!(topics(&messages), names);
            assert!(
                messages
                    .iter()
                    .all(|message| message.retain && message.qos == qos)
            );
            assert_eq!(world.broker.stats().waiting, 0);
        }
    }
}

/// More levels are looked at than for one chunk.
#[test]
fn what_is_found_after_much_that_does_not_match_is_sent() {
    let mut world = World::new();
    let (publisher, _) = world.connect(clean("publisher"));
    for n in 0..2_500 {
        world.publish(
            publisher,
            1,
            &format!("/{n}/v"),
            "on",
            QoS::AtMostOnce,
            true,
        );
    }
    world.publish(publisher, 1, "z/z/w", "on", QoS::AtMostOnce, true);
    let (subscriber, _) = world.connect(clean("s"));
    world.subscribe(subscriber, "+/+/w", QoS::AtMostOnce);
    assert_eq!(topics(&world.take_all(subscriber)), ["z/z/w"]);
}

/// [MQTT-3.3.1-5, MQTT-3.3.1-6, MQTT-3.3.1-7]
#[test]
fn retained_messages_survive_a_crash_and_cleared_ones_stay_cleared() {
    let mut world = World::new();
    set(&mut world, "a", "1");
    set(&mut world, "b", "1");
    set(&mut world, "a", "2");
    set(&mut world, "b", "");
    world.crash();
    let (subscriber, _) = world.connect(clean("s"));
    world.subscribe(subscriber, "#", QoS::AtMostOnce);
    assert_eq!(world.take_texts(subscriber), ["2"]);
    assert_eq!(world.broker.stats().retained, 1);
}

#[test]
fn a_value_that_changes_during_the_snapshot_comes_once_as_its_live_copy() {
    let mut world = World::new();
    for n in 0..600 {
        set(&mut world, &format!("t/{n:03}"), "old");
    }
    let (publisher, _) = world.connect(clean("p"));
    let (subscriber, _) = world.connect(kept("s"));
    // SUBACK waits for its commit, and with it the snapshot; meanwhile two values change.
    world.send(
        subscriber,
        subscribe(
            1,
            "t/#",
            SubscriptionOptions {
                qos: QoS::AtLeastOnce,
                ..Default::default()
            },
        ),
    );
    for (topic, payload) in [("t/001", "new"), ("t/599", "")] {
        let mut change = publish(1, topic, payload, QoS::AtLeastOnce);
        change.retain = true;
        world.send(publisher, Packet::Publish(Box::new(change)));
    }
    world.commit();
    world.take_suback(subscriber);
    let messages = world.take_all(subscriber);
    let of = |topic: &str| -> Vec<(String, bool)> {
        let same = messages
            .iter()
            .filter(|m| m.topic.as_ref().is_some_and(|name| name.as_str() == topic));
        same.map(|message| (text(message), message.retain))
            .collect()
    };
    assert_eq!(of("t/001"), [("new".into(), false)]);
    assert_eq!(of("t/599"), [(String::new(), false)]);
    assert_eq!(of("t/000"), [("old".into(), true)]);
    assert_eq!(messages.len(), 600);
}

/// [MQTT-3.8.4-4]
#[test]
fn mail_from_before_a_second_subscription_comes_before_its_snapshot() {
    let mut world = World::new();
    let (subscriber, _) = world.connect(clean("s"));
    world.subscribe(subscriber, "t/#", QoS::AtMostOnce);
    set(&mut world, "t/a", "1");
    set(&mut world, "t/a", "2");
    world.subscribe(subscriber, "t/a", QoS::AtMostOnce);
    set(&mut world, "t/a", "3");
    let seen: Vec<(String, bool)> = world
        .take_all(subscriber)
        .iter()
        .map(|message| (text(message), message.retain))
        .collect();
    let expected = [("1", false), ("2", false), ("2", true), ("3", false)];
    assert_eq!(
        seen,
        expected.map(|(payload, retain)| (payload.to_owned(), retain))
    );
}

#[test]
fn a_snapshot_that_a_disconnect_interrupts_goes_on_after_the_resume() {
    let mut world = World::new();
    for n in 0..700 {
        set(&mut world, &format!("t/{n:03}"), "x");
    }
    let slow = ebbtide_protocol::packet::Connect {
        receive_maximum: Some(packet_id(5)),
        ..kept("s")
    };
    for is_crash in [false, true] {
        let (subscriber, _) = world.connect(slow.clone());
        let options = SubscriptionOptions {
            qos: QoS::AtLeastOnce,
            ..Default::default()
        };
        world.send(subscriber, subscribe(1, "t/#", options));
        world.commit();
        world.take_suback(subscriber);
        assert_eq!(world.received(subscriber).len(), 5);
        if is_crash {
            world.crash();
        } else {
            world.cut(subscriber);
        }
        let (subscriber, _) = world.connect(slow.clone());
        let mut seen: Vec<_> = topics(&world.take_all(subscriber))
            .into_iter()
            .map(str::to_owned)
            .collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 700, "crash: {is_crash}");
        world.send(
            subscriber,
            disconnect(ebbtide_protocol::ReasonCode::Success),
        );
    }
}

/// What has been queued at QoS 0 nobody keeps: it is owed until it is sent.
#[test]
fn what_a_disconnect_takes_of_the_end_of_a_snapshot_comes_after_the_resume() {
    let mut world = World::new();
    let (publisher, _) = world.connect(clean("p"));
    for (topic, qos) in [
        ("t/a", QoS::AtLeastOnce),
        ("t/b", QoS::AtLeastOnce),
        ("t/c", QoS::AtMostOnce),
    ] {
        world.publish(publisher, 1, topic, "x", qos, true);
    }
    let slow = ebbtide_protocol::packet::Connect {
        receive_maximum: Some(packet_id(1)),
        ..kept("s")
    };
    let (subscriber, _) = world.connect(slow.clone());
    world.subscribe(subscriber, "t/#", QoS::AtLeastOnce);
    assert_eq!(world.received(subscriber).len(), 1);
    world.cut(subscriber);
    let (subscriber, _) = world.connect(slow.clone());
    let got = world.take_all(subscriber);
    assert_eq!(topics(&got), ["t/a", "t/b", "t/a", "t/b", "t/c"]);
    world.cut(subscriber);
    let (subscriber, _) = world.connect(slow);
    assert_eq!(world.take_all(subscriber), [], "it is sent");
}

/// [MQTT-3.3.1-9, MQTT-3.3.1-10, MQTT-3.3.1-11, MQTT-3.3.1-13]
#[test]
fn retain_handling_and_retain_as_published() {
    let mut world = World::new();
    set(&mut world, "t", "x");
    let (subscriber, _) = world.connect(clean("s"));
    let mut ask = |retain_handling, retain_as_published| {
        let options = SubscriptionOptions {
            retain_handling,
            retain_as_published,
            ..Default::default()
        };
        world.send(subscriber, subscribe(1, "t", options));
        world.commit();
        world.take_suback(subscriber);
        world.received(subscriber).len()
    };
    assert_eq!(ask(RetainHandling::DoNotSend, false), 0);
    assert_eq!(
        ask(RetainHandling::SendIfNew, false),
        0,
        "the subscription exists"
    );
    assert_eq!(ask(RetainHandling::Send, false), 1);
    assert_eq!(ask(RetainHandling::DoNotSend, true), 0);
    set(&mut world, "t", "y");
    assert!(world.take_all(subscriber)[0].retain, "as published");
}

/// [MQTT-3.3.2-6]
#[test]
fn retained_messages_expire() {
    let mut world = World::new();
    let (publisher, _) = world.connect(clean("p"));
    let mut message = publish(1, "t", "x", QoS::AtLeastOnce);
    message.retain = true;
    message.properties.message_expiry_interval = Some(10);
    world.send(publisher, Packet::Publish(Box::new(message)));
    world.commit();
    world.pass_ms(4_000);
    let (subscriber, _) = world.connect(clean("s"));
    world.subscribe(subscriber, "t", QoS::AtMostOnce);
    assert_eq!(
        world.take_all(subscriber)[0]
            .properties
            .message_expiry_interval,
        Some(6)
    );
    world.crash();
    world.pass_ms(6_000);
    world.commit();
    assert_eq!(world.broker.stats().retained, 0);
    world.crash();
    assert_eq!(world.broker.stats().retained, 0);
}

/// [MQTT-4.7.2-1]
#[test]
fn wildcards_in_the_first_level_leave_system_topics_alone() {
    let mut world = World::new();
    set(&mut world, "$app/x", "s");
    set(&mut world, "app/x", "a");
    for (filter, expected) in [("#", vec!["a"]), ("+/x", vec!["a"]), ("$app/#", vec!["s"])] {
        let (subscriber, _) = world.connect(clean("s"));
        world.subscribe(subscriber, filter, QoS::AtMostOnce);
        assert_eq!(world.take_texts(subscriber), expected, "{filter}");
    }
}

/// [MQTT-3.10.4-2]
#[test]
fn unsubscribe_stops_a_snapshot_under_way() {
    let mut world = World::new();
    for n in 0..50 {
        set(&mut world, &format!("t/{n:03}"), "x");
    }
    let slow = ebbtide_protocol::packet::Connect {
        receive_maximum: Some(packet_id(5)),
        ..kept("s")
    };
    let (subscriber, _) = world.connect(slow);
    let options = SubscriptionOptions {
        qos: QoS::AtLeastOnce,
        ..Default::default()
    };
    // Behind a first snapshot that the window holds up stands a second one.
    world.send(subscriber, subscribe(1, "t/#", options));
    world.send(subscriber, subscribe(2, "t/+", options));
    world.send(subscriber, unsubscribe(3, "t/+"));
    world.commit();
    world.take_suback(subscriber);
    world.take_suback(subscriber);
    let packets = world.received(subscriber);
    assert!(matches!(packets[0], Packet::UnsubAck(_)), "{packets:?}");
    let mut count = packets.len() - 1;
    for packet in &packets[1..] {
        if let Packet::Publish(message) = packet {
            let id = message.packet_id.expect("QoS 1 has one");
            let ack = ebbtide_protocol::packet::Ack::new(id, ebbtide_protocol::ReasonCode::Success);
            world.send(subscriber, Packet::PubAck(ack));
        }
    }
    count += world.take_all(subscriber).len();
    assert_eq!(count, 50);
}

#[test]
fn what_waits_behind_an_interrupted_snapshot_stays_behind_it() {
    let mut world = World::new();
    set(&mut world, "t/a", "retained");
    let slow = ebbtide_protocol::packet::Connect {
        receive_maximum: Some(packet_id(1)),
        ..kept("s")
    };
    let (subscriber, _) = world.connect(slow.clone());
    world.subscribe(subscriber, "block", QoS::AtLeastOnce);
    let (publisher, _) = world.connect(clean("p"));
    // The window is spent before the subscription is made.
    world.publish(publisher, 1, "block", "first", QoS::AtLeastOnce, false);
    world.subscribe(subscriber, "t/#", QoS::AtLeastOnce);
    world.publish(publisher, 2, "t/a", "live", QoS::AtLeastOnce, false);
    world.cut(subscriber);
    let (subscriber, _) = world.connect(slow);
    assert_eq!(world.take_texts(subscriber), ["first", "retained", "live"]);
}

#[test]
fn a_subscription_that_is_replaced_at_once_does_not_lose_what_the_first_asked_for() {
    for (first, second) in [
        (RetainHandling::Send, RetainHandling::SendIfNew),
        (RetainHandling::SendIfNew, RetainHandling::SendIfNew),
        (RetainHandling::Send, RetainHandling::DoNotSend),
    ] {
        let mut world = World::new();
        let (publisher, _) = world.connect(clean("p"));
        for number in 1..=3 {
            let topic = format!("t/{number}");
            world.publish(publisher, number, &topic, "x", QoS::AtLeastOnce, true);
        }
        let (client, _) = world.connect(kept("c"));
        // Both are on their way before anything is committed, and so before the first is answered.
        for (id, retain_handling) in [(1, first), (2, second)] {
            let options = SubscriptionOptions {
                qos: QoS::AtLeastOnce,
                retain_handling,
                ..SubscriptionOptions::default()
            };
            world.send(client, subscribe(id, "t/#", options));
        }
        world.commit();
        world.take_suback(client);
        world.take_suback(client);
        assert_eq!(world.take_texts(client).len(), 3, "{first:?}, {second:?}");
        // Once, and not again.
        let options = SubscriptionOptions {
            qos: QoS::AtLeastOnce,
            retain_handling: RetainHandling::SendIfNew,
            ..SubscriptionOptions::default()
        };
        world.send(client, subscribe(3, "t/#", options));
        world.commit();
        world.take_suback(client);
        assert_eq!(world.take_texts(client).len(), 0);
    }
}

/// [MQTT-3.3.1-11]
#[test]
fn what_an_ended_subscription_was_owed_does_not_come_for_the_next_one() {
    let mut world = World::new();
    set(&mut world, "t/a", "x");
    let (client, _) = world.connect(kept("c"));
    let subscribe = |id, retain_handling| {
        let options = SubscriptionOptions {
            qos: QoS::AtLeastOnce,
            retain_handling,
            ..SubscriptionOptions::default()
        };
        subscribe(id, "t/#", options)
    };
    // All of them before anything is committed, and so before the first is answered.
    world.send(client, subscribe(1, RetainHandling::Send));
    world.send(client, unsubscribe(2, "t/#"));
    world.send(client, subscribe(3, RetainHandling::DoNotSend));
    world.cut(client);
    let (client, connack) = world.connect(kept("c"));
    assert!(connack.session_present);
    assert_eq!(world.take_texts(client).len(), 0);
    set(&mut world, "t/a", "live");
    assert_eq!(world.take_texts(client), ["live"]);
}
