//! How much memory a client takes that shares subscriptions and reads little: as much as if it were in one group, and read none.

mod world;

use ebbtide_broker::Limits;
use ebbtide_protocol::{
    Packet, QoS, ReasonCode,
    packet::{Ack, SubscriptionOptions},
};
use world::{bare::Bare, *};

const BYTES_MAX: usize = 1_000_000;
const MESSAGE_BYTES: usize = 50_000;
const GROUPS: usize = 20;

/// Publishers are not kept waiting.
fn limits() -> Limits {
    Limits {
        outgoing_bytes_max: BYTES_MAX,
        back_pressure_ms_max: 0,
        ..Limits::default()
    }
}

fn filter(group: usize) -> String {
    format!("$share/g/{group}")
}

/// A client that has subscribed to these at QoS 0 and reads no more.
fn slow_in(world: &World, groups: usize) -> Bare {
    let mut slow = Bare::open(world, clean("slow"));
    slow.turn();
    for group in 0..groups {
        let options = SubscriptionOptions::default();
        slow.send(&subscribe(1, &filter(group), options));
        slow.turn();
    }
    slow
}

/// Five times as much as may wait.
const EACH: usize = 5 * BYTES_MAX / MESSAGE_BYTES;

fn publish_to(world: &mut World, publisher: Client, group: usize, qos: QoS) {
    let payload = "x".repeat(MESSAGE_BYTES);
    for _ in 0..EACH {
        world.publish(publisher, 1, &group.to_string(), &payload, qos, false);
    }
}

fn publish_to_each(world: &mut World, publisher: Client, groups: usize) {
    for group in 0..groups {
        publish_to(world, publisher, group, QoS::AtMostOnce);
    }
}

/// It reads and acknowledges now: how many messages there are.
fn messages(slow: &mut Bare) -> usize {
    let mut count = 0;
    loop {
        let is_more = slow.look();
        for packet in slow.written() {
            let Packet::Publish(publish) = packet else {
                continue;
            };
            count += 1;
            if let Some(id) = publish.packet_id {
                slow.send(&Packet::PubAck(Ack::new(id, ReasonCode::Success)));
            }
        }
        if !is_more && !slow.connection.wants_turn() {
            return count;
        }
    }
}

/// What it holds, what waits for it in its groups, and of each the one that is above the limit.
fn at_most(bytes_max: usize) -> usize {
    2 * (bytes_max / MESSAGE_BYTES + 1)
}

#[test]
fn in_many_groups_it_takes_as_much_as_in_one() {
    for groups in [1, GROUPS] {
        let mut world = World::with(limits());
        let (publisher, _) = world.connect(clean("publisher"));
        let mut slow = slow_in(&world, groups);
        publish_to_each(&mut world, publisher, groups);
        let held = messages(&mut slow);
        let in_one = BYTES_MAX / MESSAGE_BYTES;
        assert!((in_one..=at_most(BYTES_MAX)).contains(&held), "{held}");
    }
}

#[test]
fn while_memory_is_short_it_takes_less() {
    for groups in [1, GROUPS] {
        let mut world = World::with(limits());
        let (publisher, _) = world.connect(clean("publisher"));
        let mut slow = slow_in(&world, groups);
        world.broker.set_short_of_memory(true);
        publish_to_each(&mut world, publisher, groups);
        let held = messages(&mut slow);
        assert!(held <= at_most(Limits::SCARCE_BYTES_MAX), "{held}");
    }
}

#[test]
fn who_leaves_and_returns_takes_no_more() {
    let mut world = World::with(limits());
    let (publisher, _) = world.connect(clean("publisher"));
    // So that the group does not end.
    let (away, _) = world.connect(kept("away"));
    world.subscribe(away, &filter(0), QoS::AtMostOnce);
    world.cut(away);
    let mut slow = slow_in(&world, 1);
    for _ in 0..20 {
        publish_to_each(&mut world, publisher, 1);
        slow.send(&unsubscribe(2, &filter(0)));
        slow.send(&subscribe(1, &filter(0), SubscriptionOptions::default()));
    }
    let held = messages(&mut slow);
    assert!(held <= at_most(BYTES_MAX), "{held}");
}

/// Nothing waits in memory for a time when somebody comes. The member that is away keeps the groups from ending.
#[test]
fn who_goes_from_group_to_group_leaves_nothing_in_memory() {
    let mut world = World::with(limits());
    let (publisher, _) = world.connect(clean("publisher"));
    let (away, _) = world.connect(kept("away"));
    for group in 0..GROUPS {
        world.subscribe(away, &filter(group), QoS::AtMostOnce);
    }
    world.cut(away);
    let mut slow = slow_in(&world, 0);
    let before = world.broker.stats().dropped.nobody_there;
    for group in 0..GROUPS {
        let options = SubscriptionOptions::default();
        slow.send(&subscribe(1, &filter(group), options));
        slow.turn();
        publish_to(&mut world, publisher, group, QoS::AtMostOnce);
        slow.send(&unsubscribe(2, &filter(group)));
    }
    let dropped = world.broker.stats().dropped.nobody_there - before;
    let (away, _) = world.connect(kept("away"));
    assert!(world.take_texts(away).is_empty());
    let sent = messages(&mut slow);
    assert_eq!(usize::try_from(dropped).ok(), Some(GROUPS * EACH - sent));
}

/// A member would be told by the end of its connection if the messages were its own. These are the group's.
#[test]
fn what_is_lost_at_qos_1_while_somebody_is_there_counts_as_overflow() {
    let mut world = World::with(limits());
    let (publisher, _) = world.connect(clean("publisher"));
    let mut slow = Bare::open(&world, clean("slow"));
    slow.turn();
    let options = SubscriptionOptions {
        qos: QoS::AtLeastOnce,
        ..SubscriptionOptions::default()
    };
    slow.send(&subscribe(1, &filter(0), options));
    slow.turn();
    publish_to(&mut world, publisher, 0, QoS::AtLeastOnce);
    let dropped = world.broker.stats().dropped;
    assert_eq!(dropped.nobody_there, 0);
    let held = messages(&mut slow);
    assert!(held < EACH, "nothing was lost");
    assert_eq!(usize::try_from(dropped.overflow).ok(), Some(EACH - held));
}

/// Those that it has not begun to send.
#[test]
fn what_it_leaves_goes_to_others_at_once() {
    let mut world = World::new();
    let (publisher, _) = world.connect(clean("publisher"));
    let mut slow = slow_in(&world, 1);
    let (other, _) = world.connect(kept("other"));
    world.subscribe(other, &filter(0), QoS::AtLeastOnce);
    world.cut(other);
    for text in ["0", "1", "2"] {
        world.publish(publisher, 1, "0", text, QoS::AtLeastOnce, false);
    }
    let (other, _) = world.connect(kept("other"));
    assert!(world.take_texts(other).is_empty());
    slow.send(&unsubscribe(2, &filter(0)));
    assert_eq!(world.take_texts(other), ["0", "1", "2"]);
    assert_eq!(messages(&mut slow), 0);
}

/// Whose groups were refused, because it held too much, gets all that waits in them as it goes on, and of each some.
#[test]
fn each_group_has_its_turn_when_there_is_room() {
    let mut world = World::with(Limits {
        outgoing_bytes_max: 10_000,
        ..limits()
    });
    let (publisher, _) = world.connect(clean("publisher"));
    let (client, _) = world.connect(kept("client"));
    for group in 0..GROUPS {
        world.subscribe(client, &filter(group), QoS::AtLeastOnce);
    }
    let payload = "x".repeat(1_000);
    const EACH: usize = 50;
    for group in 0..GROUPS {
        for _ in 0..EACH {
            let topic = group.to_string();
            world.publish(publisher, 1, &topic, &payload, QoS::AtLeastOnce, false);
        }
    }
    let mut topics = Vec::new();
    loop {
        world.commit();
        let received = world.received(client);
        if received.is_empty() {
            break;
        }
        for packet in received {
            let Packet::Publish(publish) = packet else {
                panic!("no PUBLISH: {packet:?}")
            };
            topics.push(publish.topic.expect("a topic"));
            let id = publish.packet_id.expect("an id");
            world.send(client, Packet::PubAck(Ack::new(id, ReasonCode::Success)));
        }
    }
    assert_eq!(topics.len(), GROUPS * EACH);
    assert_eq!(world.broker.stats().waiting, 0);
    let half = &topics[..topics.len() / 2];
    for group in 0..GROUPS {
        let name = group.to_string();
        let early = half.iter().filter(|topic| topic.as_str() == name).count();
        assert!(early > 0, "nothing of group {group} among the first half");
    }
}
