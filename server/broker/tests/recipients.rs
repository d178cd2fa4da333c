//! Whom the store keeps a message for. It is the same for most messages to a topic, and asked once for all of them.

mod world;

use ebbtide_protocol::{Packet, QoS, packet::SubscriptionOptions};
use ebbtide_store::Recipient;
use world::{Client, World, clean, kept, publish, subscribe};

const TOPIC: &str = "t";

/// A session that is kept and has subscribed.
fn member(world: &mut World, id: &str, options: SubscriptionOptions) -> Client {
    let (client, _) = world.connect(kept(id));
    world.send(client, subscribe(1, TOPIC, options));
    world.commit();
    world.take_suback(client);
    client
}

fn options(no_local: bool, retain_as_published: bool) -> SubscriptionOptions {
    SubscriptionOptions {
        qos: QoS::ExactlyOnce,
        no_local,
        retain_as_published,
        ..SubscriptionOptions::default()
    }
}

/// What comes after a crash is what the store has: texts, each with its QoS and whether it is marked as retained.
fn kept_for(world: &mut World, id: &str) -> Vec<(String, QoS, bool)> {
    let (client, _) = world.connect(kept(id));
    let all = world.take_all(client);
    all.iter()
        .map(|publish| (world::text(publish), publish.qos, publish.retain))
        .collect()
}

#[test]
fn a_publisher_with_no_local_is_not_among_those_of_its_own_messages() {
    let mut world = World::new();
    let other = member(&mut world, "other", options(false, false));
    let publisher = member(&mut world, "publisher", options(true, false));
    let (anybody, _) = world.connect(clean("anybody"));
    let send = |world: &mut World, client, text: &str| {
        world.publish(client, 1, TOPIC, text, QoS::AtLeastOnce, false);
    };
    for text in ["1", "2", "3"] {
        send(&mut world, anybody, text);
    }
    send(&mut world, publisher, "own");
    send(&mut world, anybody, "4");
    for client in [other, publisher] {
        world.cut(client);
    }
    world.crash();
    let texts = |all: Vec<(String, QoS, bool)>| all.into_iter().map(|(text, ..)| text);
    let to_other: Vec<String> = texts(kept_for(&mut world, "other")).collect();
    let to_publisher: Vec<String> = texts(kept_for(&mut world, "publisher")).collect();
    assert_eq!(to_other, ["1", "2", "3", "own", "4"]);
    assert_eq!(to_publisher, ["1", "2", "3", "4"]);
}

#[test]
fn a_publisher_whose_other_subscription_is_lower_gets_its_own_messages_lower() {
    let mut world = World::new();
    let publisher = member(&mut world, "publisher", options(true, false));
    world.subscribe(publisher, "+", QoS::AtLeastOnce);
    let (anybody, _) = world.connect(clean("anybody"));
    let mut expected = Vec::new();
    for round in 1..=3 {
        for (client, qos) in [(anybody, QoS::ExactlyOnce), (publisher, QoS::AtLeastOnce)] {
            world.publish(client, round, TOPIC, "x", QoS::ExactlyOnce, false);
            expected.push(("x".to_owned(), qos, false));
        }
    }
    world.cut(publisher);
    world.crash();
    assert_eq!(kept_for(&mut world, "publisher"), expected);
}

#[test]
fn each_qos_and_each_retain_flag_has_recipients_of_its_own() {
    let mut world = World::new();
    let client = member(&mut world, "away", options(false, true));
    world.cut(client);
    let (publisher, _) = world.connect(clean("publisher"));
    let all = [
        ("1", QoS::AtLeastOnce, false),
        ("2", QoS::ExactlyOnce, false),
        ("3", QoS::AtLeastOnce, true),
        ("4", QoS::ExactlyOnce, true),
    ];
    let mut expected = Vec::new();
    for round in 0..3 {
        for (text, qos, retain) in all {
            world.publish(publisher, 1 + round, TOPIC, text, qos, retain);
            expected.push((text.to_owned(), qos, retain));
        }
    }
    world.crash();
    assert_eq!(kept_for(&mut world, "away"), expected);
}

/// Would fail if they weighed nothing because they are remembered: that may end long before the disk has them.
#[test]
fn many_recipients_weigh_once_among_what_waits_for_the_disk() {
    const MEMBERS: usize = 200;
    let mut world = World::new();
    for number in 0..MEMBERS {
        member(&mut world, &format!("m{number}"), options(false, false));
    }
    let (anybody, _) = world.connect(clean("anybody"));
    let mut weigh = |id| {
        let before = world.broker.journal().queue_bytes();
        let one = publish(id, TOPIC, "x", QoS::AtLeastOnce);
        world.send(anybody, Packet::Publish(Box::new(one)));
        world.broker.journal().queue_bytes() - before
    };
    let (first, second, third) = (weigh(1), weigh(2), weigh(3));
    let recipients = MEMBERS * size_of::<Recipient>();
    assert!(first >= second + recipients, "{first}, {second}");
    assert_eq!(second, third);
}
