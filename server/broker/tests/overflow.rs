//! Full queues and limits in all: what a session loses is counted and told, what would pass a limit in all is refused
//! before anybody gets it.

mod world;

use std::num::NonZeroU16;

use ebbtide_broker::{Limits, LostSince, QueueOverflow};
use ebbtide_protocol::{
    Packet, QoS, ReasonCode,
    packet::{Ack, ConnAck, Connect},
};
use ebbtide_store::Operation;
use world::*;

fn small(queue_overflow: QueueOverflow) -> World {
    World::with(Limits {
        queue_messages_per_session_max: 3,
        queue_overflow,
        ..Limits::default()
    })
}

/// A session that has subscribed to `t` and is away.
fn away(world: &mut World, id: &str) {
    let (client, _) = world.connect(kept(id));
    world.subscribe(client, "t", QoS::ExactlyOnce);
    world.cut(client);
    world.commit();
}

fn publish_five(world: &mut World) {
    let (publisher, _) = world.connect(clean("p"));
    for number in 1..=5 {
        world.publish(
            publisher,
            number,
            "t",
            &number.to_string(),
            QoS::AtLeastOnce,
            false,
        );
    }
}

/// What CONNACK says of lost messages.
fn told(connack: &ConnAck) -> Option<&str> {
    let mut properties = connack.user_properties.iter();
    let (_, value) = properties.find(|(name, _)| &**name == "ebbtide-dropped")?;
    Some(value)
}

#[test]
fn the_oldest_go_for_the_newest() {
    let mut world = small(QueueOverflow::DropOldest);
    away(&mut world, "a");
    publish_five(&mut world);
    assert_eq!(world.broker.stats().dropped.queue_full, 2);
    assert_eq!(world.broker.stats().waiting, 3);
    let (client, _) = world.connect(kept("a"));
    assert_eq!(world.take_texts(client), ["3", "4", "5"]);
}

#[test]
fn whoever_has_lost_something_is_named_once() {
    let mut world = small(QueueOverflow::DropOldest);
    away(&mut world, "a");
    world.crash();
    let (client, _) = world.connect(kept("b"));
    world.subscribe(client, "u", QoS::AtLeastOnce);
    publish_five(&mut world);
    let lost = world.broker.take_losses();
    assert_eq!(lost.sessions, [("a".into(), 2)].into());
    assert_eq!(world.broker.take_losses(), LostSince::default());
}

#[test]
fn or_the_newest_are_not_taken() {
    let mut world = small(QueueOverflow::DropNewest);
    away(&mut world, "a");
    publish_five(&mut world);
    assert_eq!(world.broker.stats().dropped.queue_full, 2);
    let (client, _) = world.connect(kept("a"));
    assert_eq!(world.take_texts(client), ["1", "2", "3"]);
}

/// A message that would only just pass the limit must not push out what waits.
#[test]
fn the_newest_are_not_taken_by_bytes_either() {
    let mut world = World::with(Limits {
        // Three messages of 11 bytes, and a part of a fourth.
        queue_bytes_per_session_max: 40,
        queue_overflow: QueueOverflow::DropNewest,
        ..Limits::default()
    });
    away(&mut world, "a");
    let (publisher, _) = world.connect(clean("p"));
    for number in 1..=5 {
        let payload = format!("{number:>10}");
        world.publish(publisher, number, "t", &payload, QoS::AtLeastOnce, false);
    }
    assert_eq!(world.broker.stats().dropped.queue_full, 2);
    let (client, _) = world.connect(kept("a"));
    let texts = world.take_texts(client);
    let numbers: Vec<&str> = texts.iter().map(|text| text.trim()).collect();
    assert_eq!(numbers, ["1", "2", "3"]);
}

/// In a group too: neither those that its store keeps nor those that only wait in memory.
#[test]
fn the_newest_are_not_taken_by_a_group() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let mut world = small(QueueOverflow::DropNewest);
        let (client, _) = world.connect(Connect {
            receive_maximum: NonZeroU16::new(1),
            ..kept("a")
        });
        world.subscribe(client, "$share/g/t", QoS::AtLeastOnce);
        let (publisher, _) = world.connect(clean("p"));
        world.publish(publisher, 9, "t", "held", QoS::AtLeastOnce, false);
        for number in 1..=5 {
            let packet = publish(number, "t", &number.to_string(), qos);
            world.send(publisher, Packet::Publish(Box::new(packet)));
        }
        assert_eq!(world.broker.stats().dropped.queue_full, 2);
        assert_eq!(world.take_texts(client), ["held", "1", "2", "3"]);
    }
}

#[test]
fn bytes_count_too() {
    let mut world = World::with(Limits {
        // Topics count: 11 bytes each.
        queue_bytes_per_session_max: 33,
        ..Limits::default()
    });
    away(&mut world, "a");
    let (publisher, _) = world.connect(clean("p"));
    for number in 1..=5 {
        let payload = format!("{number:>10}");
        world.publish(publisher, number, "t", &payload, QoS::AtLeastOnce, false);
    }
    assert_eq!(world.broker.stats().waiting_bytes, 33);
    let (client, _) = world.connect(kept("a"));
    assert_eq!(world.take_texts(client).len(), 3);
    assert_eq!(world.broker.stats().waiting_bytes, 0);
    // What has been delivered makes room again, also for one that was connected all the time.
    for number in 6..=9 {
        let payload = format!("{number:>10}");
        world.publish(publisher, number, "t", &payload, QoS::AtLeastOnce, false);
        assert_eq!(world.take_texts(client), [payload]);
    }
    assert_eq!(world.broker.stats().dropped.queue_full, 2);
}

/// For a group as for a session, also of what has waited since before a start, and of what a member gave back.
#[test]
fn bytes_count_for_a_group() {
    for (queue_overflow, expected) in [
        (QueueOverflow::DropOldest, ["4", "5"]),
        (QueueOverflow::DropNewest, ["1", "2"]),
    ] {
        let mut world = World::with(Limits {
            queue_bytes_per_session_max: 33,
            queue_overflow,
            ..Limits::default()
        });
        let (client, _) = world.connect(kept("a"));
        world.subscribe(client, "$share/g/t", QoS::AtLeastOnce);
        let (publisher, _) = world.connect(clean("p"));
        // 12 bytes each with the topic.
        let payload = |number| format!("{number:>11}");
        world.publish(publisher, 1, "t", &payload(1), QoS::AtLeastOnce, false);
        assert_eq!(world.received(client).len(), 1);
        world.cut(client);
        world.publish(publisher, 2, "t", &payload(2), QoS::AtLeastOnce, false);
        world.crash();
        let (publisher, _) = world.connect(clean("p"));
        for number in 3..=5 {
            world.publish(
                publisher,
                number,
                "t",
                &payload(number),
                QoS::AtLeastOnce,
                false,
            );
        }
        assert_eq!(world.broker.stats().dropped.queue_full, 3);
        assert_eq!(world.broker.stats().waiting_bytes, 24);
        let (client, _) = world.connect(kept("a"));
        let texts = world.take_texts(client);
        let numbers: Vec<&str> = texts.iter().map(|text| text.trim()).collect();
        assert_eq!(numbers, expected);
    }
}

#[test]
fn a_session_is_told_once_what_it_has_lost() {
    let mut world = small(QueueOverflow::DropOldest);
    away(&mut world, "a");
    publish_five(&mut world);
    world.pass_ms(60_000);
    publish_five(&mut world);
    world.crash();
    // Who has not shown that CONNACK arrived is told again.
    let (client, connack) = world.connect(kept("a"));
    let expected = r#"{"count":7,"first":"1970-01-01T00:16:40Z","last":"1970-01-01T00:17:40Z"}"#;
    assert_eq!(told(&connack), Some(expected));
    world.cut(client);
    let (client, connack) = world.connect(kept("a"));
    assert_eq!(told(&connack), Some(expected));
    world.send(client, Packet::PingReq);
    world.commit();
    world.cut(client);
    world.crash();
    let (_, connack) = world.connect(kept("a"));
    assert_eq!(told(&connack), None);
}

#[test]
fn what_connack_has_no_room_for_is_told_later() {
    let mut world = small(QueueOverflow::DropOldest);
    away(&mut world, "a");
    publish_five(&mut world);
    let narrow = Connect {
        maximum_packet_size: Some(60),
        ..kept("a")
    };
    let (client, connack) = world.connect(narrow);
    assert_eq!(told(&connack), None);
    world.send(client, Packet::PingReq);
    world.commit();
    world.cut(client);
    let (_, connack) = world.connect(kept("a"));
    assert!(told(&connack).is_some());
}

#[test]
fn version_3_1_1_cannot_be_told_and_version_5_is_later() {
    let mut world = small(QueueOverflow::DropOldest);
    away(&mut world, "a");
    publish_five(&mut world);
    let (client, connack) = world.connect(kept_3("a"));
    assert_eq!(told(&connack), None);
    world.send(client, Packet::PingReq);
    world.cut(client);
    let (_, connack) = world.connect(kept("a"));
    assert!(told(&connack).is_some());
}

#[test]
fn what_was_dropped_does_not_come_back_after_a_crash() {
    let mut world = small(QueueOverflow::DropOldest);
    away(&mut world, "a");
    publish_five(&mut world);
    world.crash();
    let (client, _) = world.connect(kept("a"));
    assert_eq!(world.take_texts(client), ["3", "4", "5"]);
}

/// Numbers of other sessions' messages lie between: one range for each loss would make what the store notes of the session
/// longer and longer.
#[test]
fn what_is_noted_of_losses_does_not_grow() {
    let mut world = small(QueueOverflow::DropOldest);
    for topic in ["a", "b"] {
        let (client, _) = world.connect(kept(topic));
        world.subscribe(client, topic, QoS::AtLeastOnce);
        world.cut(client);
    }
    let (publisher, _) = world.connect(clean("p"));
    world.commit();
    let before = world.batches.len();
    for number in 1..=20 {
        for topic in ["a", "b"] {
            world.publish(publisher, number, topic, "x", QoS::AtLeastOnce, false);
        }
    }
    let operations = world.batches[before..].iter().flatten();
    let done: Vec<(u64, u64)> = operations
        .filter_map(|operation| match operation {
            Operation::Done {
                sequence, cursor, ..
            } => Some((sequence.0, cursor.0)),
            _ => None,
        })
        .collect();
    assert_eq!(done.len(), 2 * 17);
    assert!(
        done.iter().all(|(sequence, cursor)| cursor > sequence),
        "{done:?}"
    );
}

/// What the session has been sent and not acknowledged comes again, though all around it was lost, also after a crash.
#[test]
fn losses_do_not_pass_what_is_under_way() {
    let mut world = small(QueueOverflow::DropOldest);
    let (client, _) = world.connect(kept("a"));
    world.subscribe(client, "t", QoS::ExactlyOnce);
    let (publisher, _) = world.connect(clean("p"));
    world.publish(publisher, 1, "t", "in flight", QoS::ExactlyOnce, false);
    assert_eq!(world.received(client).len(), 1);
    world.cut(client);
    publish_five(&mut world);
    world.crash();
    publish_five(&mut world);
    world.crash();
    let (client, _) = world.connect(kept("a"));
    assert_eq!(world.take_texts(client), ["in flight", "3", "4", "5"]);
}

#[test]
fn what_has_a_packet_id_is_never_dropped() {
    let mut world = small(QueueOverflow::DropOldest);
    let (client, _) = world.connect(kept("a"));
    world.subscribe(client, "t", QoS::ExactlyOnce);
    let (publisher, _) = world.connect(clean("p"));
    world.publish(publisher, 1, "t", "in flight", QoS::ExactlyOnce, false);
    assert_eq!(world.received(client).len(), 1);
    world.cut(client);
    publish_five(&mut world);
    let (client, connack) = world.connect(kept("a"));
    assert!(told(&connack).is_some_and(|value| value.starts_with(r#"{"count":2,"#)));
    let all = world.take_texts(client);
    assert_eq!(all, ["in flight", "3", "4", "5"]);
}

#[test]
fn a_limit_in_all_refuses_before_anybody_gets_it() {
    let mut world = World::with(Limits {
        queue_messages_max: 3,
        ..Limits::default()
    });
    away(&mut world, "a");
    let (live, _) = world.connect(clean("live"));
    world.subscribe(live, "t", QoS::AtMostOnce);
    let (publisher, _) = world.connect(clean("p"));
    for number in 1..=3 {
        world.publish(
            publisher,
            number,
            "t",
            &number.to_string(),
            QoS::AtLeastOnce,
            false,
        );
    }
    assert_eq!(world.take_texts(live).len(), 3);

    let send = |qos| Packet::Publish(Box::new(publish(4, "t", "4", qos)));
    world.send(publisher, send(QoS::AtLeastOnce));
    let refused = Ack::new(packet_id(4), ReasonCode::QuotaExceeded);
    assert_eq!(world.answers(publisher), [Packet::PubAck(refused.clone())]);
    world.send(publisher, send(QoS::ExactlyOnce));
    assert_eq!(world.answers(publisher), [Packet::PubRec(refused)]);
    assert_eq!(world.take_texts(live), Vec::<String>::new());
    assert_eq!(world.broker.stats().dropped.refused, 2);
    // What needs no queue goes on.
    world.send(publisher, send(QoS::AtMostOnce));
    assert_eq!(world.take_texts(live), ["4"]);

    // 3.1.1 has no word for it: no acknowledgement, and the end.
    let (old, _) = world.connect(kept_3("old"));
    world.send(old, send(QoS::AtLeastOnce));
    assert_eq!(world.received(old), []);
    assert_eq!(world.is_closed(old), Some(ReasonCode::QuotaExceeded));

    let (client, _) = world.connect(kept("a"));
    assert_eq!(world.take_texts(client), ["1", "2", "3"]);
    world.send(publisher, send(QoS::AtLeastOnce));
    world.commit();
    assert_eq!(world.take_texts(client), ["4"]);
}

/// Its publisher still has it, and may send it again.
#[test]
fn what_is_refused_is_lost_for_nobody() {
    let mut world = World::with(Limits {
        queue_messages_per_session_max: 3,
        queue_messages_max: 3,
        queue_overflow: QueueOverflow::DropNewest,
        ..Limits::default()
    });
    away(&mut world, "full");
    let (other, _) = world.connect(kept("other"));
    world.subscribe(other, "t", QoS::AtLeastOnce);
    let (publisher, _) = world.connect(clean("p"));
    for number in 1..=3 {
        world.publish(publisher, number, "t", "x", QoS::AtLeastOnce, false);
    }
    assert_eq!(world.take_all(other).len(), 3);
    let fourth = publish(4, "t", "x", QoS::AtLeastOnce);
    world.send(publisher, Packet::Publish(Box::new(fourth)));
    let refused = Ack::new(packet_id(4), ReasonCode::QuotaExceeded);
    assert_eq!(world.answers(publisher), [Packet::PubAck(refused)]);
    let full = world
        .broker
        .session("full", world.now)
        .expect("it is there");
    assert_eq!(full.dropped, None);
    assert_eq!(world.broker.stats().dropped.queue_full, 0);
}

#[test]
fn retained_messages_have_limits_in_all() {
    let mut world = World::with(Limits {
        retained_messages_max: 2,
        retained_bytes_max: 20 + 2 * 96,
        ..Limits::default()
    });
    let (client, _) = world.connect(clean("c"));
    let mut retain = |topic: &str, payload: &str| {
        let mut packet = publish(1, topic, payload, QoS::AtLeastOnce);
        packet.retain = true;
        world.send(client, Packet::Publish(Box::new(packet)));
        world.commit();
        match &*world.received(client) {
            [Packet::PubAck(ack)] => ack.reason.is_error(),
            other => panic!("no PUBACK: {other:?}"),
        }
    };
    assert!(!retain("a", "123456789"));
    assert!(!retain("b", "123456789"));
    assert!(retain("c", "1"), "a third topic");
    assert!(retain("a", "1234567890"), "21 bytes");
    assert!(!retain("a", "12345678"), "smaller than before");
    assert!(!retain("b", ""), "to clear makes room");
    assert!(!retain("c", "1"));
    assert_eq!(world.broker.stats().retained_bytes, 9 + 2);
}

#[test]
fn a_user_has_so_many_sessions() {
    let mut world = World::with(Limits {
        sessions_per_user_max: 2,
        ..Limits::default()
    });
    let of = |id: &str, user: &str| Connect {
        username: Some(user.into()),
        ..kept(id)
    };
    let (a, _) = world.connect(of("a", "ada"));
    let (_, connack) = world.connect(of("b", "ada"));
    assert_eq!(connack.reason, ReasonCode::Success);
    world.cut(a);
    let (_, connack) = world.connect(of("c", "ada"));
    assert_eq!(connack.reason, ReasonCode::QuotaExceeded);
    let (_, connack) = world.connect(of("c", "grace"));
    assert_eq!(connack.reason, ReasonCode::Success);
    // One's own session is no further one; neither after a crash.
    world.crash();
    let (a, connack) = world.connect(of("a", "ada"));
    assert!(connack.session_present);
    let (_, connack) = world.connect(of("c2", "ada"));
    assert_eq!(connack.reason, ReasonCode::QuotaExceeded);
    let mut end = ebbtide_protocol::packet::Disconnect::new(ReasonCode::Success);
    end.session_expiry_interval = Some(0);
    world.send(a, Packet::Disconnect(Box::new(end)));
    let (_, connack) = world.connect(of("c2", "ada"));
    assert_eq!(connack.reason, ReasonCode::Success);
}

#[test]
fn what_waits_and_what_was_lost_can_be_seen_per_session() {
    let mut world = small(QueueOverflow::DropOldest);
    away(&mut world, "away");
    let (live, _) = world.connect(kept("live"));
    world.subscribe(live, "t", QoS::AtLeastOnce);
    publish_five(&mut world);
    let session = world
        .broker
        .session("away", world.now)
        .expect("it is there");
    assert!(session.connection.is_none());
    assert_eq!((session.queue_messages, session.queue_bytes), (3, 6));
    assert_eq!(session.dropped.map(|dropped| dropped.count), Some(2));
    let session = world
        .broker
        .session("live", world.now)
        .expect("it is there");
    assert!(session.connection.is_some());
    assert_eq!((session.queue_messages, session.dropped), (0, None));
    assert_eq!(world.broker.session("nobody", world.now), None);
}
