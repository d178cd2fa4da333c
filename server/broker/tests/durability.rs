//! Which reply waits for which commit, seen from outside.

mod world;

use ebbtide_broker::Limits;
use ebbtide_protocol::{
    Packet, QoS, ReasonCode, TopicName,
    packet::{Ack, Connect, Disconnect, SubscriptionOptions},
};
use ebbtide_store::{Operation, Store};
use world::*;

#[test]
fn connack_of_a_kept_session_waits_for_its_commit() {
    let mut world = World::new();
    let client = world.open();
    world.send(client, Packet::Connect(Box::new(kept("a"))));
    assert_eq!(world.received(client), []);
    world.commit();
    assert!(matches!(world.received(client)[..], [Packet::ConnAck(_)]));
}

#[test]
fn connack_of_a_clean_session_needs_no_disk() {
    let mut world = World::new();
    let client = world.open();
    world.send(client, Packet::Connect(Box::new(clean("a"))));
    assert!(matches!(world.received(client)[..], [Packet::ConnAck(_)]));
}

#[test]
fn connack_waits_for_the_will_of_a_transient_client() {
    let mut world = World::new();
    let client = world.open();
    let mut connect = clean("a");
    connect.will = Some(will("gone/a", "bye", 0));
    world.send(client, Packet::Connect(Box::new(connect)));
    assert_eq!(world.received(client), []);
    world.commit();
    assert!(matches!(world.received(client)[..], [Packet::ConnAck(_)]));
}

#[test]
fn puback_of_a_retained_message_waits_for_its_commit() {
    let mut world = World::new();
    let (client, _) = world.connect(clean("a"));
    let mut packet = publish(7, "t", "x", QoS::AtLeastOnce);
    packet.retain = true;
    world.send(client, Packet::Publish(Box::new(packet)));
    assert_eq!(world.received(client), []);
    world.commit();
    let expected = Ack::new(packet_id(7), ReasonCode::NoMatchingSubscribers);
    assert_eq!(world.received(client), [Packet::PubAck(expected)]);
}

#[test]
fn puback_without_anything_kept_leaves_at_once() {
    let mut world = World::new();
    let (client, _) = world.connect(clean("a"));
    world.send(
        client,
        Packet::Publish(Box::new(publish(7, "t", "x", QoS::AtLeastOnce))),
    );
    assert!(matches!(world.received(client)[..], [Packet::PubAck(_)]));
}

#[test]
fn acknowledgements_leave_in_receive_order() {
    let mut world = World::new();
    let (client, _) = world.connect(clean("a"));
    let mut retained = publish(1, "t", "x", QoS::AtLeastOnce);
    retained.retain = true;
    world.send(client, Packet::Publish(Box::new(retained)));
    // This one waits for nothing itself, but stands behind the first.
    world.send(
        client,
        Packet::Publish(Box::new(publish(2, "u", "x", QoS::AtLeastOnce))),
    );
    assert_eq!(world.received(client), []);
    world.commit();
    let ids: Vec<u16> = world
        .received(client)
        .iter()
        .map(|packet| match packet {
            Packet::PubAck(ack) => ack.packet_id.get(),
            other => panic!("unexpected {other:?}"),
        })
        .collect();
    assert_eq!(ids, [1, 2]);
}

#[test]
fn qos_1_reaches_a_connected_kept_subscriber_before_the_commit_and_qos_2_after_it() {
    let mut world = World::new();
    let (subscriber, _) = world.connect(kept("s"));
    world.subscribe(subscriber, "t", QoS::ExactlyOnce);
    let (publisher, _) = world.connect(clean("p"));

    world.send(
        publisher,
        Packet::Publish(Box::new(publish(1, "t", "one", QoS::AtLeastOnce))),
    );
    assert!(matches!(
        world.received(subscriber)[..],
        [Packet::Publish(_)]
    ));
    assert_eq!(world.received(publisher), [], "its PUBACK waits");

    world.send(
        publisher,
        Packet::Publish(Box::new(publish(2, "t", "two", QoS::ExactlyOnce))),
    );
    assert_eq!(
        world.received(subscriber),
        [],
        "QoS 2 waits for its packet id"
    );
    // What stands behind it waits too: one order for all QoS levels.
    world.send(
        publisher,
        Packet::Publish(Box::new(publish(0, "t", "three", QoS::AtMostOnce))),
    );
    assert_eq!(world.received(subscriber), []);
    world.commit();
    let texts: Vec<String> = world
        .received(subscriber)
        .iter()
        .map(|packet| match packet {
            Packet::Publish(publish) => text(publish),
            other => panic!("unexpected {other:?}"),
        })
        .collect();
    assert_eq!(texts, ["two", "three"]);
}

#[test]
fn suback_of_a_kept_session_waits_and_retained_messages_come_after_it() {
    let mut world = World::new();
    let (publisher, _) = world.connect(clean("p"));
    world.publish(publisher, 1, "t", "kept", QoS::AtLeastOnce, true);
    let (subscriber, _) = world.connect(kept("s"));
    world.send(
        subscriber,
        subscribe(1, "t", SubscriptionOptions::default()),
    );
    assert_eq!(world.received(subscriber), []);
    world.commit();
    assert!(matches!(
        world.received(subscriber)[..],
        [Packet::SubAck(_), Packet::Publish(_)]
    ));
}

#[test]
fn what_is_done_before_its_commit_is_not_written() {
    let mut world = World::new();
    let (subscriber, _) = world.connect(kept("s"));
    world.subscribe(subscriber, "t", QoS::AtLeastOnce);
    let (publisher, _) = world.connect(clean("p"));
    world.batches.clear();
    world.send(
        publisher,
        Packet::Publish(Box::new(publish(1, "t", "x", QoS::AtLeastOnce))),
    );
    world.send(
        subscriber,
        Packet::PubAck(Ack::new(packet_id(1), ReasonCode::Success)),
    );
    world.commit();
    assert_eq!(world.batches, [Vec::<Operation>::new()]);
    assert!(matches!(world.received(publisher)[..], [Packet::PubAck(_)]));
    assert_eq!(world.broker.stats().waiting, 0);
}

#[test]
fn a_retained_change_is_written_though_its_message_is_not() {
    let mut world = World::new();
    let (subscriber, _) = world.connect(kept("s"));
    world.subscribe(subscriber, "t", QoS::AtLeastOnce);
    let (publisher, _) = world.connect(clean("p"));
    world.batches.clear();
    let mut retained = publish(1, "t", "x", QoS::AtLeastOnce);
    retained.retain = true;
    world.send(publisher, Packet::Publish(Box::new(retained)));
    world.send(
        subscriber,
        Packet::PubAck(Ack::new(packet_id(1), ReasonCode::Success)),
    );
    world.commit();
    match &world.batches[0][..] {
        [Operation::Accept(accept)] => {
            assert!(accept.queued.is_none());
            assert!(accept.retained.is_some());
        }
        other => panic!("unexpected {other:?}"),
    }
}

#[test]
fn pubcomp_waits_for_the_release_of_the_inbound_id() {
    let mut world = World::new();
    let (publisher, _) = world.connect(kept("p"));
    world.send(
        publisher,
        Packet::Publish(Box::new(publish(1, "t", "x", QoS::ExactlyOnce))),
    );
    world.commit();
    assert!(matches!(world.received(publisher)[..], [Packet::PubRec(_)]));
    world.send(
        publisher,
        Packet::PubRel(Ack::new(packet_id(1), ReasonCode::Success)),
    );
    assert_eq!(world.received(publisher), []);
    world.commit();
    assert_eq!(
        world.received(publisher),
        [Packet::PubComp(Ack::new(packet_id(1), ReasonCode::Success))]
    );
}

/// A fault that passes [MQTT3-4.8.0-2].
#[test]
fn a_failed_commit_closes_whoever_waits_for_it_and_nobody_else() {
    let mut world = World::new();
    let (waiting, _) = world.connect(clean("w"));
    let (other, _) = world.connect(clean("o"));
    let mut retained = publish(1, "t", "x", QoS::AtLeastOnce);
    retained.retain = true;
    world.send(waiting, Packet::Publish(Box::new(retained)));
    world.broker.journal().take().expect("the retained change");
    world.broker.journal().failed();
    world.settle();
    assert_eq!(world.is_closed(waiting), Some(ReasonCode::ServerBusy));
    assert!(
        !world
            .received(waiting)
            .iter()
            .any(|packet| matches!(packet, Packet::PubAck(_)))
    );
    assert_eq!(world.is_closed(other), None);
    // What needs no disk goes on.
    world.send(other, Packet::PingReq);
    assert_eq!(world.received(other), [Packet::PingResp]);
}

#[test]
fn whoever_fills_the_journal_is_read_no_further_also_at_qos_0() {
    let limits = Limits {
        uncommitted_bytes_max: 1_050,
        ..Limits::default()
    };
    let mut world = World::with(limits);
    let (client, _) = world.connect(clean("a"));
    for n in 0..11 {
        assert!(world.is_reading(client), "{n}");
        let mut retained = publish(0, &n.to_string(), &"x".repeat(100), QoS::AtMostOnce);
        retained.retain = true;
        world.send(client, Packet::Publish(Box::new(retained)));
    }
    assert!(!world.is_reading(client));
    world.commit();
    assert!(world.is_reading(client));
    assert_eq!(world.received(client), []);
}

#[test]
fn a_relaxed_listener_acknowledges_at_once_and_a_crash_takes_it_along() {
    let mut world = World::new();
    let (subscriber, _) = world.connect(kept("s"));
    world.subscribe(subscriber, "t", QoS::ExactlyOnce);
    world.cut(subscriber);
    world.commit();
    let client = world.open_relaxed();
    world.send(client, Packet::Connect(Box::new(kept("p"))));
    world.send(
        client,
        subscribe(1, "other", SubscriptionOptions::default()),
    );
    for (id, qos) in [(2, QoS::AtLeastOnce), (3, QoS::ExactlyOnce)] {
        let message = publish(id, "t", &id.to_string(), qos);
        world.send(client, Packet::Publish(Box::new(message)));
    }
    let answers = world.received(client);
    assert!(
        matches!(
            &*answers,
            [
                Packet::ConnAck(_),
                Packet::SubAck(_),
                Packet::PubAck(_),
                Packet::PubRec(_)
            ]
        ),
        "nothing of it is committed: {answers:?}"
    );
    world.crash();
    let (_, connack) = world.connect(kept("p"));
    assert!(!connack.session_present);
    let (subscriber, _) = world.connect(kept("s"));
    assert_eq!(world.take_texts(subscriber), Vec::<String>::new());
}

/// CONNACK does not wait there for what the session had under way: the reading of it does.
#[test]
fn whoever_returns_to_a_relaxed_listener_loses_nothing_that_is_not_written_yet() {
    let mut world = World::new();
    let (subscriber, _) = world.connect(kept("s"));
    world.subscribe(subscriber, "t", QoS::AtLeastOnce);
    let (publisher, _) = world.connect(clean("p"));
    let message = publish(1, "t", "x", QoS::AtLeastOnce);
    world.send(publisher, Packet::Publish(Box::new(message)));
    let received = world.received(subscriber);
    assert!(matches!(&*received, [Packet::Publish(message)] if !message.dup));
    world.cut(subscriber);
    let subscriber = world.open_relaxed();
    world.send(subscriber, Packet::Connect(Box::new(kept("s"))));
    let received = world.received(subscriber);
    assert!(matches!(&*received, [Packet::ConnAck(connack)] if connack.session_present));
    world.commit();
    let received = world.received(subscriber);
    let again = |packet: &Packet| matches!(packet, Packet::Publish(message) if message.dup);
    assert!(received.iter().any(again), "{received:?}");
}

#[test]
fn a_relaxed_client_does_not_run_ahead_of_the_disk_without_end() {
    let mut world = World::with(Limits {
        journal_bytes_max: 10_000,
        ..Limits::default()
    });
    let client = world.open_relaxed();
    world.send(client, Packet::Connect(Box::new(kept("p"))));
    world.commit();
    let mut sent = 0;
    while world.is_reading(client) {
        let mut message = publish(1, "t", &"x".repeat(1000), QoS::AtLeastOnce);
        message.retain = true;
        message.topic = TopicName::new(format!("t/{sent}")).ok();
        world.send(client, Packet::Publish(Box::new(message)));
        sent += 1;
        assert!(sent < 100, "it reads without end");
    }
    world.commit();
    assert!(world.is_reading(client), "the disk has caught up");
}

#[test]
fn dup_outlives_a_second_crash() {
    let mut world = World::new();
    let (client, _) = world.connect(kept("s"));
    world.subscribe(client, "t", QoS::AtLeastOnce);
    world.cut(client);
    let (publisher, _) = world.connect(clean("p"));
    world.publish(publisher, 1, "t", "m", QoS::AtLeastOnce, false);
    let client = world.open();
    world.send(client, Packet::Connect(Box::new(kept("s"))));
    // CONNACK leaves and the message with it, whose packet id is not on disk.
    let batch = world.broker.journal().take().expect("the session");
    world.store.commit(&batch.operations).expect("commits");
    world.broker.journal().committed(&batch);
    world.settle();
    let received = world.received(client);
    assert!(
        matches!(&received[..], [Packet::ConnAck(_), Packet::Publish(first)] if !first.dup),
        "{received:?}"
    );
    world.crash();
    world.crash();
    let (client, _) = world.connect(kept("s"));
    let again = world.take_all(client);
    assert!(
        again.len() == 1 && again[0].dup,
        "[MQTT-3.3.1-1]: {again:?}"
    );
}

#[test]
fn connack_without_a_session_waits_for_the_end_of_the_last_one() {
    let mut world = World::new();
    let (client, _) = world.connect(kept("a"));
    let mut goodbye = Disconnect::new(ReasonCode::Success);
    goodbye.session_expiry_interval = Some(0);
    world.send(client, Packet::Disconnect(Box::new(goodbye)));
    let client = world.open();
    let transient = Connect {
        client_id: "a".into(),
        ..Connect::default()
    };
    world.send(client, Packet::Connect(Box::new(transient.clone())));
    assert_eq!(world.received(client), []);
    world.commit();
    let connack = world.received(client);
    assert!(
        matches!(&connack[..], [Packet::ConnAck(connack)] if !connack.session_present),
        "{connack:?}"
    );
    world.crash();
    let (_, connack) = world.connect(transient);
    assert!(!connack.session_present);
    // Nothing is left that another one would have to wait for.
    let client = world.open();
    world.send(client, Packet::Connect(Box::new(clean("b"))));
    assert_eq!(world.received(client).len(), 1);
}

#[test]
fn connack_of_a_takeover_waits_for_the_end_of_the_will_before() {
    let mut world = World::new();
    let mut connect = clean("a");
    connect.will = Some(will("gone/a", "bye", 0));
    world.connect(connect);
    let client = world.open();
    world.send(client, Packet::Connect(Box::new(clean("a"))));
    assert_eq!(world.received(client), []);
    world.commit();
    assert!(matches!(world.received(client)[..], [Packet::ConnAck(_)]));
}
