//! Values of the broker's own below `$SYS/`.

mod world;

use bytes::Bytes;
use ebbtide_broker::{Monotonic, Now};
use ebbtide_protocol::{QoS, TopicName};
use ebbtide_store::WallTime;
use world::*;

fn tell(world: &World, value: &'static str) {
    let topic = TopicName::new("$SYS/broker/uptime").expect("a topic");
    let now = Now {
        monotonic: Monotonic(1),
        wall: WallTime(1),
    };
    world
        .broker
        .publish_system(topic, Bytes::from_static(value.as_bytes()), now);
}

#[test]
fn they_are_retained_but_never_on_disk() {
    let mut world = World::new();
    let (client, _) = world.connect(kept("a"));
    world.subscribe(client, "$SYS/#", QoS::ExactlyOnce);
    let batches = world.batches.len();
    tell(&world, "1 seconds");
    world.settle();
    let live = world.take_all(client);
    assert_eq!(text(&live[0]), "1 seconds");
    assert_eq!((live[0].qos, live[0].retain), (QoS::AtMostOnce, false));

    let (newcomer, _) = world.connect(clean("b"));
    world.subscribe(newcomer, "$SYS/broker/+", QoS::ExactlyOnce);
    let first = world.take_all(newcomer);
    assert_eq!(
        (text(&first[0]), first[0].retain),
        ("1 seconds".into(), true)
    );
    assert_eq!(world.batches.len(), batches, "nothing was committed");

    world.crash();
    let (newcomer, _) = world.connect(clean("b"));
    world.subscribe(newcomer, "$SYS/#", QoS::ExactlyOnce);
    assert_eq!(world.take_texts(newcomer), Vec::<String>::new());
}

#[test]
fn who_is_away_does_not_get_them_and_that_is_no_loss() {
    let mut world = World::new();
    let (client, _) = world.connect(kept("a"));
    world.subscribe(client, "$SYS/#", QoS::AtLeastOnce);
    world.cut(client);
    tell(&world, "1 seconds");
    assert_eq!(world.broker.stats().dropped.total(), 0);
    let (client, _) = world.connect(kept("a"));
    assert_eq!(world.take_texts(client), Vec::<String>::new());
    tell(&world, "2 seconds");
    assert_eq!(world.take_texts(client), ["2 seconds"]);
}

#[test]
fn they_are_not_among_everything() {
    let mut world = World::new();
    let (client, _) = world.connect(clean("a"));
    world.subscribe(client, "#", QoS::AtMostOnce);
    tell(&world, "1 seconds");
    assert_eq!(world.take_texts(client), Vec::<String>::new());
}

#[test]
fn traffic_is_counted_in_packets_and_bytes() {
    let mut world = World::new();
    let (client, _) = world.connect(clean("a"));
    world.subscribe(client, "t", QoS::AtMostOnce);
    let before = world.broker.stats();
    world.publish(client, 1, "t", "four", QoS::AtLeastOnce, false);
    let after = world.broker.stats();
    assert_eq!(after.received.packets - before.received.packets, 1);
    assert_eq!(after.received.publishes - before.received.publishes, 1);
    assert_eq!(
        after.received.payload_bytes - before.received.payload_bytes,
        4
    );
    // Fixed header, topic, packet id, no properties, payload.
    assert_eq!(
        after.received.bytes - before.received.bytes,
        2 + 3 + 2 + 1 + 4
    );
    assert_eq!(
        after.sent.packets - before.sent.packets,
        2,
        "PUBLISH and PUBACK"
    );
    assert_eq!(after.sent.publishes - before.sent.publishes, 1);
    assert_eq!(after.sent.bytes - before.sent.bytes, (2 + 3 + 1 + 4) + 4);
    assert_eq!(
        (after.connections, after.connections_max, after.connects),
        (1, 1, 1)
    );
}
