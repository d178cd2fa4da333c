//! A snapshot for a client that is behind: live copies at QoS 0 that it leaves values to are dropped.

mod world;

use std::num::NonZeroU16;

use bytes::BytesMut;
use ebbtide_broker::{Limits, QueueOverflow};
use ebbtide_protocol::{
    Packet, QoS, Version,
    codec::encode,
    packet::{Connect, SubscriptionOptions},
};
use world::{Client, World, clean, kept, publish, snapshots::*};

/// So much may wait for a client in memory.
const BYTES_MAX: usize = 1_000;
const LAST: usize = MANY - 1;

fn say(world: &mut World, publisher: Client, topic: &str, payload: &str, retain: bool) {
    let mut packet = publish(1, topic, payload, QoS::AtMostOnce);
    packet.retain = retain;
    world.send(publisher, Packet::Publish(Box::new(packet)));
}

/// What a client gets that is held up by its window at the first message of its snapshot. `before` is said while there is room,
/// `after` when there is none any more.
fn received(connect: Connect, before: &[(usize, &str)], after: &[(usize, &str)]) -> Vec<String> {
    let mut world = World::with(Limits {
        outgoing_bytes_max: BYTES_MAX,
        ..Limits::default()
    });
    retain(&mut world, MANY);
    let (publisher, _) = world.connect(clean("p"));
    let (client, _) = world.connect(Connect {
        receive_maximum: NonZeroU16::new(1),
        ..connect
    });
    let suback = ask(&mut world, client, 7, &[("r/#", AT_LEAST_ONCE)]);
    assert_eq!(told(&suback).0, ["300"]);
    for (n, payload) in before {
        say(&mut world, publisher, &topic(*n), payload, true);
    }
    let filler = "x".repeat(BYTES_MAX);
    say(&mut world, publisher, "r/filler", &filler, false);
    for (n, payload) in after {
        say(&mut world, publisher, &topic(*n), payload, true);
    }
    let dropped = world.broker.stats().dropped.qos0_unready;
    assert_eq!(dropped, after.len() as u64);
    let mut received = all(&mut world, client);
    let last = received.pop();
    assert_eq!(last, Some(format!("r/filler {filler}")));
    assert_eq!(world.is_closed(client), None);
    received
}

/// With No Local there is no live copy of what the client replaces itself [MQTT-3.3.1-9].
#[test]
fn a_value_that_the_client_has_replaced_comes_though_it_wants_none_of_its_own() {
    let not_local = SubscriptionOptions {
        no_local: true,
        ..AT_LEAST_ONCE
    };
    for (connect, marker) in sessions() {
        let mut world = World::new();
        retain(&mut world, MANY);
        let (client, _) = world.connect(connect);
        let mut bytes = BytesMut::new();
        let subscribe = Packet::Subscribe(asking(Some(7), &[("r/#", not_local)]));
        encode(&subscribe, Version::V5, &mut bytes);
        for (n, payload) in [(LAST, "own"), (MANY, "new")] {
            let mut own = publish(1, &topic(n), payload, QoS::AtMostOnce);
            own.retain = true;
            encode(&Packet::Publish(Box::new(own)), Version::V5, &mut bytes);
        }
        world.send_bytes(client, &bytes);
        world.commit();
        assert_eq!(told(&world.next_suback(client)).0, ["300"]);
        let value = vec![format!("{} own", topic(LAST))];
        let expected = [values(0..LAST), value, marker].concat();
        assert_eq!(all(&mut world, client), expected);
    }
}

/// The marker comes in any case only to a session that keeps its copies.
fn sessions() -> [(Connect, Vec<String>); 2] {
    let marker = vec!["$ebbtide/end/7 [7]".to_owned()];
    [(clean("c"), Vec::new()), (kept("c"), marker)]
}

#[test]
fn a_value_whose_live_copy_was_dropped_comes_with_the_snapshot() {
    for (connect, marker) in sessions() {
        let received = received(connect, &[], &[(LAST, "one"), (LAST, "two")]);
        let value = vec![format!("{} two", topic(LAST))];
        assert_eq!(received, [values(0..LAST), value, marker].concat());
    }
}

#[test]
fn a_value_that_has_a_live_copy_before_the_one_that_was_dropped_does_not() {
    for (connect, _) in sessions() {
        let received = received(connect, &[(LAST, "one")], &[(LAST, "two")]);
        let rest = vec![
            "$ebbtide/end/7 [7]".to_owned(),
            format!("{} one", topic(LAST)),
        ];
        assert_eq!(received, [values(0..LAST), rest].concat());
    }
}

/// The queue is full while the snapshot goes on, for what that brings is not kept. The value waits until there is room.
#[test]
fn a_value_whose_live_copy_found_the_queue_full_comes_with_the_snapshot() {
    let mut world = World::with(Limits {
        queue_messages_per_session_max: 2,
        queue_overflow: QueueOverflow::DropNewest,
        ..Limits::default()
    });
    let (publisher, _) = world.connect(clean("p"));
    for n in 0..MANY {
        let qos = match n {
            0 | 1 => QoS::AtLeastOnce,
            _ => QoS::AtMostOnce,
        };
        world.publish(publisher, 1, &topic(n), "old", qos, true);
    }
    let (client, _) = world.connect(Connect {
        receive_maximum: NonZeroU16::new(1),
        ..kept("c")
    });
    let suback = ask(&mut world, client, 7, &[("r/#", AT_LEAST_ONCE)]);
    assert_eq!(told(&suback).0, ["300"]);
    for filler in ["one", "two"] {
        world.publish(publisher, 1, "r/filler", filler, QoS::AtLeastOnce, false);
    }
    set(&mut world, publisher, LAST, "new");
    assert_eq!(world.broker.stats().dropped.queue_full, 1);
    let mut received = all(&mut world, client);
    world.pass_ms(1_000);
    received.extend(all(&mut world, client));
    let marker = received.pop().expect("a marker");
    assert_eq!(marker, "$ebbtide/end/7 [7]");
    received.retain(|one| !one.starts_with("r/filler"));
    received.sort_unstable();
    let value = vec![format!("{} new", topic(LAST))];
    assert_eq!(received, [values(0..LAST), value].concat());
}

/// They would be taken for some that were announced.
#[test]
fn a_value_that_was_not_there_at_first_does_not() {
    for (connect, marker) in sessions() {
        let received = received(connect, &[], &[(MANY, "one"), (MANY, "two")]);
        assert_eq!(received, [values(0..MANY), marker].concat());
    }
}

#[test]
fn a_value_that_was_cleared_does_not() {
    for (connect, _) in sessions() {
        let received = received(connect, &[], &[(LAST, "one"), (LAST, "")]);
        let marker = vec!["$ebbtide/end/7 [7]".to_owned()];
        assert_eq!(received, [values(0..LAST), marker].concat());
    }
}

/// It was promised, and nothing else says that it is there.
#[test]
fn a_value_that_was_cleared_and_set_again_comes_with_the_snapshot() {
    for (connect, marker) in sessions() {
        let received = received(connect, &[], &[(LAST, "one"), (LAST, ""), (LAST, "two")]);
        let value = vec![format!("{} two", topic(LAST))];
        assert_eq!(received, [values(0..LAST), value, marker].concat());
    }
}
