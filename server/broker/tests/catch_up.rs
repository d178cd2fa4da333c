//! A session that returns is live as soon as the last numbers of what has waited are taken, though they have not been read: from then on
//! nothing is lost for it that a client which has never been away would get, and all keeps its order.

mod world;

use std::num::NonZeroU16;

use ebbtide_broker::Limits;
use ebbtide_protocol::{
    Packet, QoS, ReasonCode,
    packet::{Ack, Connect},
};
use ebbtide_store::Store;
use world::{Client, World, clean, kept, packet_id, publish, snapshots, text};

/// More than one answer of the store holds.
const LARGE: usize = 100 * 1024;

/// One that takes a message at a time.
fn narrow() -> Connect {
    Connect {
        receive_maximum: NonZeroU16::new(1),
        ..kept("s")
    }
}

/// A session that is away, subscribed to `t`, and a publisher.
fn away(limits: Limits) -> (World, Client) {
    let mut world = World::with(limits);
    let (subscriber, _) = world.connect(kept("s"));
    world.subscribe(subscriber, "t", QoS::AtLeastOnce);
    world.cut(subscriber);
    world.commit();
    let (publisher, _) = world.connect(clean("p"));
    (world, publisher)
}

fn say(world: &mut World, publisher: Client, payload: &str, qos: QoS) {
    let one = publish(1, "t", payload, qos);
    world.send(publisher, Packet::Publish(Box::new(one)));
}

fn say_all(world: &mut World, publisher: Client, payloads: impl IntoIterator<Item = u32>) {
    for n in payloads {
        say(world, publisher, &n.to_string(), QoS::AtLeastOnce);
    }
}

/// What has come, acknowledged.
fn take(world: &mut World, client: Client) -> Vec<String> {
    let mut texts = Vec::new();
    for packet in world.received(client) {
        if let Packet::Publish(publish) = packet {
            texts.push(text(&publish));
            if let Some(packet_id) = publish.packet_id {
                let ack = Ack::new(packet_id, ReasonCode::Success);
                world.send(client, Packet::PubAck(ack));
            }
        }
    }
    texts
}

/// As much as one commit does, while which `meanwhile` happens.
fn commit_while(world: &mut World, meanwhile: impl FnOnce(&mut World)) {
    let batch = world.broker.journal().take();
    meanwhile(world);
    if let Some(batch) = batch {
        world.store.commit(&batch.operations).expect("in memory");
        world.broker.journal().committed(&batch);
    }
    world.settle();
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

/// [MQTT-4.5.0-1]
#[test]
fn qos_0_comes_to_a_client_that_has_not_acknowledged_what_waited() {
    let (mut world, publisher) = away(Limits::default());
    say_all(&mut world, publisher, 1..3);
    let (subscriber, _) = world.connect(narrow());
    say(&mut world, publisher, "3", QoS::AtMostOnce);
    assert_eq!(world.take_texts(subscriber), ["1", "2", "3"]);
    assert_eq!(world.broker.stats().dropped.total(), 0);
}

/// However often the disk commits, more has come meanwhile.
#[test]
fn steady_traffic_does_not_keep_a_session_from_going_live() {
    const EACH: u32 = 100;
    // More than are taken at a time, too.
    for waiting in [1, 300, 3_000] {
        let (mut world, publisher) = away(Limits::default());
        for n in 0..waiting {
            say_all(&mut world, publisher, n..n + 1);
            world.commit();
        }
        let subscriber = world.open();
        world.send(subscriber, Packet::Connect(Box::new(kept("s"))));
        let (mut received, mut expected) = (Vec::new(), numbers(0..waiting));
        for round in 0..20 {
            commit_while(&mut world, |world| {
                let first = waiting + round * EACH;
                say_all(world, publisher, first..first + EACH);
                expected.extend(numbers(first..first + EACH));
                let before = world.broker.stats().dropped.qos0_unready;
                say(world, publisher, "live", QoS::AtMostOnce);
                let is_dropped = world.broker.stats().dropped.qos0_unready > before;
                if !is_dropped {
                    expected.push("live".to_owned());
                }
                assert!(!is_dropped || round < 3, "not live in round {round}");
            });
            received.extend(take(&mut world, subscriber));
        }
        received.extend(world.take_texts(subscriber));
        assert_eq!(received, expected, "{waiting}");
    }
}

/// Who has caught up with the disk waits for no commit: QoS 1 leaves at once.
#[test]
fn who_is_live_again_waits_for_no_commit() {
    let (mut world, publisher) = away(Limits::default());
    say_all(&mut world, publisher, 0..10);
    let (subscriber, _) = world.connect(kept("s"));
    assert_eq!(world.take_texts(subscriber), numbers(0..10));
    say_all(&mut world, publisher, 10..11);
    assert_eq!(take(&mut world, subscriber), ["10"]);
}

/// Live messages wait in memory while the rest is read, and publishers are slowed as with any client that is behind.
#[test]
fn publishers_wait_for_who_catches_up() {
    let (mut world, publisher) = away(Limits {
        back_pressure_bytes: 2_000,
        ..Limits::default()
    });
    say_all(&mut world, publisher, 0..10);
    let (subscriber, _) = world.connect(narrow());
    let count = (10..100).find(|n| {
        say_all(&mut world, publisher, *n..*n + 1);
        !world.is_reading(publisher)
    });
    let count = count.expect("it is held back");
    assert_eq!(world.take_texts(subscriber), numbers(0..count + 1));
    assert!(world.is_reading(publisher));
}

fn large(n: u32) -> String {
    format!("{}{n}", "0".repeat(LARGE))
}

/// Twelve large messages wait, one is sent, and what comes next is live.
fn behind_large_ones(limits: Limits) -> (World, Client, Client) {
    let (mut world, publisher) = away(limits);
    for n in 0..12 {
        say(&mut world, publisher, &large(n), QoS::AtLeastOnce);
    }
    let (subscriber, _) = world.connect(narrow());
    (world, publisher, subscriber)
}

fn parse_all(texts: &[String]) -> Vec<u32> {
    let number = |text: &String| text.parse().expect("a number");
    texts.iter().map(number).collect()
}

#[test]
fn what_is_live_stands_behind_what_is_still_to_be_read() {
    let (mut world, publisher, subscriber) = behind_large_ones(Limits::default());
    say(&mut world, publisher, "12", QoS::AtLeastOnce);
    say(&mut world, publisher, "13", QoS::AtMostOnce);
    let texts = world.take_texts(subscriber);
    assert_eq!(parse_all(&texts), Vec::from_iter(0..14));
}

/// In the middle of a part, of the reading of one, and when more waits than may in memory.
#[test]
fn whoever_goes_while_it_catches_up_finds_the_rest_in_order() {
    for taken in 0..11 {
        for is_spilling in [false, true] {
            for is_crash in [false, true] {
                let (mut world, publisher, mut subscriber) = behind_large_ones(Limits {
                    outgoing_bytes_max: 1_000,
                    ..Limits::default()
                });
                let mut texts = Vec::new();
                for _ in 0..taken {
                    texts.extend(take(&mut world, subscriber));
                    world.commit();
                }
                let last = if is_spilling { 32 } else { 14 };
                say_all(&mut world, publisher, 12..last);
                world.commit();
                if is_crash {
                    world.crash();
                } else {
                    world.cut(subscriber);
                }
                (subscriber, _) = world.connect(narrow());
                let (publisher, _) = world.connect(clean("p"));
                say_all(&mut world, publisher, last..last + 2);
                texts.extend(world.take_texts(subscriber));
                let case = format!("{taken} {is_spilling} {is_crash}");
                assert_eq!(parse_all(&texts), Vec::from_iter(0..last + 2), "{case}");
                assert_eq!(world.broker.stats().waiting, 0, "{case}");
                let session = world.broker.session("s", world.now).expect("it is there");
                let left = (session.queue_messages, session.queue_bytes);
                assert_eq!(left, (0, 0), "{case}");
            }
        }
    }
}

/// It has one owner, and what the old connection had not read is read by the next.
#[test]
fn a_takeover_while_it_is_read_loses_nothing() {
    let (mut world, publisher, first) = behind_large_ones(Limits::default());
    let mut texts = take(&mut world, first);
    say_all(&mut world, publisher, 12..14);
    let second = world.open();
    world.send(second, Packet::Connect(Box::new(narrow())));
    say_all(&mut world, publisher, 14..16);
    world.commit();
    assert_eq!(world.is_closed(first), Some(ReasonCode::SessionTakenOver));
    let received = world.received(second);
    let [Packet::ConnAck(connack), Packet::Publish(_)] = &received[..] else {
        panic!("{received:?}");
    };
    assert!(connack.session_present);
    let ack = Ack::new(packet_id(2), ReasonCode::Success);
    texts.push(large(1));
    world.send(second, Packet::PubAck(ack));
    texts.extend(world.take_texts(second));
    assert_eq!(parse_all(&texts), Vec::from_iter(0..16));
}

/// They wait for no one's own messages, and no own messages for them.
#[test]
fn messages_of_groups_go_on_meanwhile() {
    let mut world = World::new();
    let (subscriber, _) = world.connect(kept("s"));
    world.subscribe(subscriber, "t", QoS::AtLeastOnce);
    world.subscribe(subscriber, "$share/g/u", QoS::AtLeastOnce);
    world.cut(subscriber);
    world.commit();
    let (publisher, _) = world.connect(clean("p"));
    say_all(&mut world, publisher, 0..10);
    let subscriber = world.open();
    world.send(subscriber, Packet::Connect(Box::new(kept("s"))));
    let mut own = Vec::new();
    let mut of_group = Vec::new();
    for round in 0..10 {
        commit_while(&mut world, |world| {
            say_all(world, publisher, 10 + round..11 + round);
            let one = publish(1, "u", &format!("g{round}"), QoS::AtLeastOnce);
            world.send(publisher, Packet::Publish(Box::new(one)));
        });
        for text in take(&mut world, subscriber) {
            match text.starts_with('g') {
                true => of_group.push(text),
                false => own.push(text),
            }
        }
    }
    assert_eq!(own, numbers(0..20));
    assert_eq!(of_group, Vec::from_iter((0..10).map(|n| format!("g{n}"))));
}

/// What is owed of a snapshot comes behind what has waited and before what is live. A value that changes in between is left to its
/// live copy, and comes with the snapshot where that was dropped.
#[test]
fn a_snapshot_that_is_owed_stands_between_what_waited_and_what_is_live() {
    for is_dropped in [false, true] {
        let mut world = World::with(Limits {
            outgoing_bytes_max: 1_000,
            ..Limits::default()
        });
        let (publisher, _) = world.connect(clean("p"));
        snapshots::retain(&mut world, snapshots::MANY);
        let (subscriber, _) = world.connect(narrow());
        world.subscribe(subscriber, "t", QoS::AtLeastOnce);
        world.subscribe(subscriber, "r/#", QoS::AtLeastOnce);
        world.commit();
        world.cut(subscriber);
        say_all(&mut world, publisher, 0..10);
        let (subscriber, _) = world.connect(narrow());
        // All up to the second of what has waited since.
        let mut texts: Vec<String> = Vec::new();
        while texts.last().is_none_or(|text| text != "t 1") {
            let received = world.received(subscriber);
            let [Packet::Publish(publish)] = &received[..] else {
                panic!("{received:?}");
            };
            let topic = publish.topic.as_ref().expect("no aliases");
            texts.push(format!("{topic} {}", text(publish)));
            let ack = Ack::new(publish.packet_id.expect("QoS 1"), ReasonCode::Success);
            world.send(subscriber, Packet::PubAck(ack));
            world.commit();
        }
        if is_dropped {
            say(&mut world, publisher, &"x".repeat(1_000), QoS::AtMostOnce);
        }
        let mut new = publish(1, &snapshots::topic(7), "new", QoS::AtMostOnce);
        new.retain = true;
        world.send(publisher, Packet::Publish(Box::new(new)));
        let dropped = world.broker.stats().dropped.qos0_unready;
        assert_eq!(dropped, u64::from(is_dropped));
        let rest = snapshots::all(&mut world, subscriber);
        let waited: Vec<_> = (2..10).map(|n| format!("t {n}")).collect();
        let new = format!("{} new", snapshots::topic(7));
        let mut values = snapshots::values(0..snapshots::MANY);
        let live = match is_dropped {
            true => {
                values[7] = new;
                format!("t {}", "x".repeat(1_000))
            }
            false => {
                values.remove(7);
                new
            }
        };
        assert_eq!(rest, [waited, values, vec![live]].concat(), "{is_dropped}");
    }
}
