//! Sessions: resume, takeover, expiry, and what a crash leaves of them.

mod world;

use ebbtide_broker::Limits;
use ebbtide_protocol::{
    Packet, QoS, ReasonCode, Version,
    packet::{Ack, Connect, Disconnect},
};
use world::*;

const QOS: [QoS; 2] = [QoS::AtLeastOnce, QoS::ExactlyOnce];

fn numbers(range: std::ops::Range<u16>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

fn publish_range(world: &mut World, range: std::ops::Range<u16>, qos: QoS) {
    let (publisher, _) = world.connect(clean("publisher"));
    for n in range {
        world.publish(publisher, n + 1, "t", &n.to_string(), qos, false);
    }
    world.send(publisher, disconnect(ReasonCode::Success));
}

/// [MQTT-3.1.2-5, MQTT-4.5.0-1, MQTT-4.6.0-5]
#[test]
fn a_backlog_comes_in_order_then_live() {
    for qos in QOS {
        let mut world = World::new();
        let (away, _) = world.connect(kept("s"));
        world.subscribe(away, "t", qos);
        world.cut(away);
        publish_range(&mut world, 0..300, qos);
        let (back, connack) = world.connect(kept("s"));
        assert!(connack.session_present);
        publish_range(&mut world, 300..320, qos);
        assert_eq!(world.take_texts(back), numbers(0..320));
        assert_eq!(world.broker.stats().waiting, 0);
    }
}

/// [MQTT-3.1.2-23, MQTT3-3.1.2-4, MQTT3-3.1.2-5]
#[test]
fn a_backlog_survives_a_crash() {
    for connect in [kept("s"), kept_3("s")] {
        for qos in QOS {
            let mut world = World::new();
            let (away, _) = world.connect(connect.clone());
            world.subscribe(away, "t", qos);
            world.cut(away);
            publish_range(&mut world, 0..200, qos);
            world.crash();
            let (back, connack) = world.connect(connect.clone());
            assert!(connack.session_present);
            assert_eq!(world.take_texts(back), numbers(0..200));
            world.crash();
            let (back, _) = world.connect(connect.clone());
            assert_eq!(
                world.take_texts(back),
                numbers(0..0),
                "what was acknowledged does not come again"
            );
        }
    }
}

/// [MQTT-3.3.1-1, MQTT-4.4.0-1]
#[test]
fn a_message_under_way_is_repeated_with_its_id_and_dup() {
    let mut world = World::new();
    let (client, _) = world.connect(kept("s"));
    world.subscribe(client, "t", QoS::AtLeastOnce);
    publish_range(&mut world, 0..3, QoS::AtLeastOnce);
    let ids: Vec<_> = world.received(client).into_iter().map(publish_id).collect();
    world.crash();
    let (back, _) = world.connect(kept("s"));
    let again = world.received(back);
    assert!(
        again
            .iter()
            .all(|packet| matches!(packet, Packet::Publish(publish) if publish.dup))
    );
    assert_eq!(again.into_iter().map(publish_id).collect::<Vec<_>>(), ids);
}

fn publish_id(packet: Packet) -> Option<u16> {
    match packet {
        Packet::Publish(publish) => publish.packet_id.map(|id| id.get()),
        other => panic!("unexpected {other:?}"),
    }
}

/// [MQTT-4.3.3-5, MQTT-4.3.3-6]
#[test]
fn qos_2_to_a_subscriber_never_repeats_after_pubrec_across_a_crash() {
    let mut world = World::new();
    let (client, _) = world.connect(kept("s"));
    world.subscribe(client, "t", QoS::ExactlyOnce);
    publish_range(&mut world, 0..1, QoS::ExactlyOnce);
    let packets = world.received(client);
    let [Packet::Publish(publish)] = &packets[..] else {
        panic!("unexpected {packets:?}")
    };
    let id = publish.packet_id.expect("QoS 2 has one");
    world.send(client, Packet::PubRec(Ack::new(id, ReasonCode::Success)));
    assert_eq!(world.received(client), [], "PUBREL waits for its commit");
    world.commit();
    assert_eq!(
        world.received(client),
        [Packet::PubRel(Ack::new(id, ReasonCode::Success))]
    );
    world.crash();
    let (back, _) = world.connect(kept("s"));
    assert_eq!(
        world.received(back),
        [Packet::PubRel(Ack::new(id, ReasonCode::Success))]
    );
    world.send(back, Packet::PubComp(Ack::new(id, ReasonCode::Success)));
    world.commit();
    world.crash();
    let (back, _) = world.connect(kept("s"));
    assert_eq!(world.received(back), []);
}

/// [MQTT-4.3.3-10]
#[test]
fn qos_2_from_a_publisher_is_recognised_across_a_crash() {
    let mut world = World::new();
    let (subscriber, _) = world.connect(kept("s"));
    world.subscribe(subscriber, "t", QoS::AtLeastOnce);
    world.cut(subscriber);
    let (publisher, _) = world.connect(kept("p"));
    world.send(
        publisher,
        Packet::Publish(Box::new(publish(9, "t", "once", QoS::ExactlyOnce))),
    );
    world.commit();
    world.crash();
    let (publisher, _) = world.connect(kept("p"));
    let mut again = publish(9, "t", "once", QoS::ExactlyOnce);
    again.dup = true;
    world.send(publisher, Packet::Publish(Box::new(again)));
    world.commit();
    assert!(matches!(world.received(publisher)[..], [Packet::PubRec(_)]));
    let (subscriber, _) = world.connect(kept("s"));
    assert_eq!(world.take_texts(subscriber), ["once"]);
}

/// [MQTT-3.3.4-9, MQTT-4.9.0-1, MQTT-4.9.0-2]
#[test]
fn the_window_of_receive_maximum_is_kept_and_refilled() {
    let mut world = World::new();
    let (client, _) = world.connect(Connect {
        receive_maximum: Some(packet_id(2)),
        ..kept("s")
    });
    world.subscribe(client, "t", QoS::AtLeastOnce);
    publish_range(&mut world, 0..5, QoS::AtLeastOnce);
    assert_eq!(world.received(client).len(), 2);
    world.send(
        client,
        Packet::PubAck(Ack::new(packet_id(1), ReasonCode::Success)),
    );
    assert_eq!(world.received(client).len(), 1);
    // A message that was under way counts again after a resume.
    world.cut(client);
    let (client, _) = world.connect(Connect {
        receive_maximum: Some(packet_id(1)),
        ..kept("s")
    });
    assert_eq!(
        world
            .received(client)
            .into_iter()
            .map(publish_id)
            .collect::<Vec<_>>(),
        [Some(2)]
    );
}

/// [MQTT-3.1.4-3]
#[test]
fn a_takeover_hands_the_session_over_at_once() {
    let mut world = World::new();
    let (first, _) = world.connect(kept("s"));
    world.subscribe(first, "t", QoS::AtLeastOnce);
    publish_range(&mut world, 0..3, QoS::AtLeastOnce);
    world.received(first);
    let (second, connack) = world.connect(kept("s"));
    assert!(connack.session_present);
    assert_eq!(world.is_closed(first), Some(ReasonCode::SessionTakenOver));
    assert_eq!(
        world.answers(first),
        [disconnect(ReasonCode::SessionTakenOver)]
    );
    publish_range(&mut world, 3..6, QoS::AtLeastOnce);
    assert_eq!(world.take_texts(second), numbers(0..6));
}

/// [MQTT-3.1.2-4, MQTT-3.2.2-2]
#[test]
fn a_clean_start_deletes_the_stored_session_before_connack() {
    let mut world = World::new();
    let (first, _) = world.connect(kept("s"));
    world.subscribe(first, "t", QoS::AtLeastOnce);
    world.cut(first);
    publish_range(&mut world, 0..3, QoS::AtLeastOnce);
    let client = world.open();
    world.send(client, Packet::Connect(Box::new(clean("s"))));
    assert_eq!(
        world.received(client),
        [],
        "CONNACK stands for the deletion"
    );
    world.commit();
    assert!(
        matches!(&world.received(client)[..], [Packet::ConnAck(connack)] if !connack.session_present)
    );
    world.crash();
    let (_, connack) = world.connect(kept("s"));
    assert!(!connack.session_present);
    assert_eq!(world.broker.stats().waiting, 0);
}

/// [MQTT-3.1.3-8]
#[test]
fn a_session_of_another_user_cannot_be_taken() {
    let mut world = World::new();
    let ana = Connect {
        username: Some("ana".into()),
        ..kept("s")
    };
    let (first, _) = world.connect(ana);
    for state in ["connected", "away"] {
        let (intruder, connack) = world.connect(Connect {
            username: Some("bob".into()),
            ..kept("s")
        });
        assert_eq!(
            connack.reason,
            ReasonCode::ClientIdentifierNotValid,
            "{state}"
        );
        assert!(world.is_closed(intruder).is_some());
        assert_eq!(world.is_closed(first).is_some(), state == "away");
        world.cut(first);
    }
}

/// [MQTT-4.1.0-2]
#[test]
fn sessions_expire_also_across_a_crash() {
    let expiring = |seconds| Connect {
        session_expiry_interval: Some(seconds),
        ..kept("s")
    };
    let mut world = World::new();
    let (client, _) = world.connect(expiring(10));
    world.cut(client);
    world.pass_ms(9_000);
    let (client, connack) = world.connect(expiring(10));
    assert!(connack.session_present);
    world.cut(client);
    // The timer of the first absence does not end the second one.
    world.pass_ms(2_000);
    let (client, connack) = world.connect(expiring(10));
    assert!(connack.session_present);
    world.commit();
    world.crash();
    let _ = client;
    world.pass_ms(10_001);
    world.commit();
    let (_, connack) = world.connect(expiring(10));
    assert!(!connack.session_present);
}

#[test]
fn disconnect_may_change_the_expiry_but_not_from_zero() {
    let mut world = World::new();
    let farewell = |interval| {
        let mut disconnect = Disconnect::new(ReasonCode::Success);
        disconnect.session_expiry_interval = Some(interval);
        Packet::Disconnect(Box::new(disconnect))
    };
    let (client, _) = world.connect(kept("s"));
    world.send(client, farewell(0));
    world.commit();
    let (client, connack) = world.connect(Connect {
        client_id: "s".into(),
        ..Connect::default()
    });
    assert!(!connack.session_present);
    world.send(client, farewell(5));
    assert_eq!(
        world.answers(client),
        [disconnect(ReasonCode::ProtocolError)]
    );
}

/// [MQTT-3.1.3-6, MQTT-3.2.2-16]
#[test]
fn a_client_without_id_gets_one() {
    let mut world = World::new();
    let (_, first) = world.connect(clean(""));
    let (_, second) = world.connect(clean(""));
    let first = first.assigned_client_identifier.expect("an id");
    assert_ne!(Some(first), second.assigned_client_identifier);
}

#[test]
fn a_session_spills_when_its_client_reads_too_slowly_and_catches_up_in_order() {
    let limits = Limits {
        outgoing_bytes_max: 2_000,
        ..Limits::default()
    };
    let mut world = World::with(limits);
    let slow = Connect {
        receive_maximum: Some(packet_id(1)),
        ..kept("s")
    };
    let (client, _) = world.connect(slow);
    world.subscribe(client, "t", QoS::AtLeastOnce);
    publish_range(&mut world, 0..600, QoS::AtLeastOnce);
    assert_eq!(world.take_texts(client), numbers(0..600));
    publish_range(&mut world, 600..610, QoS::AtLeastOnce);
    assert_eq!(world.take_texts(client), numbers(600..610));
    assert_eq!(world.broker.stats().waiting, 0);
}

#[test]
fn the_two_versions_understand_each_other() {
    let mut world = World::new();
    let (old, _) = world.connect(kept_3("old"));
    world.subscribe(old, "t", QoS::ExactlyOnce);
    let (new, _) = world.connect(Connect {
        version: Version::V5,
        ..kept("new")
    });
    world.subscribe(new, "t", QoS::ExactlyOnce);
    world.publish(new, 1, "t", "from 5", QoS::ExactlyOnce, false);
    world.publish(old, 1, "t", "from 3.1.1", QoS::ExactlyOnce, false);
    assert_eq!(world.take_texts(old), ["from 5", "from 3.1.1"]);
    assert_eq!(world.take_texts(new), ["from 5", "from 3.1.1"]);
}

#[test]
fn the_server_stops_politely() {
    let mut world = World::new();
    let (client, _) = world.connect(clean("a"));
    let (old, _) = world.connect(kept_3("b"));
    world.broker.shut_down(None);
    world.settle();
    assert_eq!(
        world.answers(client),
        [disconnect(ReasonCode::ServerShuttingDown)]
    );
    assert_eq!(world.received(old), []);
    assert!(world.is_closed(old).is_some());
}

#[test]
fn a_repeated_message_that_has_become_too_large_is_given_up() {
    let mut world = World::new();
    let (client, _) = world.connect(kept("s"));
    world.subscribe(client, "t", QoS::AtLeastOnce);
    let (publisher, _) = world.connect(clean("p"));
    world.publish(publisher, 1, "t", &"x".repeat(500), QoS::AtLeastOnce, false);
    world.publish(publisher, 2, "t", "short", QoS::AtLeastOnce, false);
    world.received(client);
    world.cut(client);
    let small = Connect {
        maximum_packet_size: Some(100),
        ..kept("s")
    };
    let (client, _) = world.connect(small);
    assert_eq!(world.take_texts(client), ["short"]);
    assert_eq!(world.broker.stats().dropped.too_large, 1);
    assert_eq!(world.broker.stats().waiting, 0);
}

#[test]
fn a_session_that_ends_with_its_connection_leaves_nothing_waiting() {
    let mut world = World::new();
    let slow = Connect {
        receive_maximum: Some(packet_id(1)),
        ..kept("s")
    };
    let (client, _) = world.connect(slow);
    world.subscribe(client, "t", QoS::AtLeastOnce);
    publish_range(&mut world, 0..10, QoS::AtLeastOnce);
    let mut farewell = Disconnect::new(ReasonCode::Success);
    farewell.session_expiry_interval = Some(0);
    world.send(client, Packet::Disconnect(Box::new(farewell)));
    assert_eq!(world.broker.stats().waiting, 0);
    assert_eq!(world.broker.stats().sessions, 0);
}

#[test]
fn keep_alive_does_not_run_while_the_broker_does_not_read() {
    let limits = Limits {
        uncommitted_bytes_max: 100,
        ..Limits::default()
    };
    let mut world = World::with(limits);
    let (client, _) = world.connect(Connect {
        keep_alive: 10,
        ..clean("s")
    });
    let mut retained = publish(1, "t", &"x".repeat(200), QoS::AtLeastOnce);
    retained.retain = true;
    world.send(client, Packet::Publish(Box::new(retained)));
    assert!(!world.is_reading(client));
    world.pass_ms(60_000);
    world.commit();
    assert_eq!(world.is_closed(client), None);
    world.pass_ms(14_999);
    assert_eq!(world.is_closed(client), None);
    world.pass_ms(1);
    assert_eq!(world.is_closed(client), Some(ReasonCode::KeepAliveTimeout));
}

#[test]
fn pubcomp_for_an_earlier_connection_makes_no_room_in_this_one() {
    let mut world = World::new();
    let (client, _) = world.connect(kept("s"));
    world.subscribe(client, "t", QoS::ExactlyOnce);
    let (publisher, _) = world.connect(clean("p"));
    world.publish(publisher, 1, "t", "0", QoS::ExactlyOnce, false);
    let first = world.received(client);
    let [Packet::Publish(first)] = &first[..] else {
        panic!("{first:?}")
    };
    let old = Ack::new(first.packet_id.expect("an id"), ReasonCode::Success);
    world.send(client, Packet::PubRec(old.clone()));
    world.commit();
    world.cut(client);
    let (client, _) = world.connect(Connect {
        receive_maximum: Some(packet_id(1)),
        ..kept("s")
    });
    for n in 1..3 {
        let text = n.to_string();
        world.publish(publisher, 1, "t", &text, QoS::AtLeastOnce, false);
    }
    let received = world.received(client);
    assert!(
        matches!(&received[..], [Packet::PubRel(_), Packet::Publish(one)] if text(one) == "1"),
        "{received:?}"
    );
    world.send(client, Packet::PubComp(old));
    world.commit();
    assert_eq!(world.received(client), [], "[MQTT-3.3.4-9]");
}
