//! What nobody keeps is lost when a connection ends, wherever it stood, and is counted, once each.

mod world;

use std::num::NonZeroU16;

use ebbtide_protocol::{QoS, packet::Connect};
use world::*;

/// A client that takes one message at a time: what follows waits in its mailbox.
fn slow(world: &mut World, connect: Connect) -> Client {
    let (client, _) = world.connect(Connect {
        receive_maximum: NonZeroU16::new(1),
        ..connect
    });
    world.subscribe(client, "t", QoS::AtLeastOnce);
    client
}

fn publish_all(world: &mut World, qos: QoS, texts: std::ops::Range<u16>) {
    let (publisher, _) = world.connect(clean("p"));
    for n in texts {
        world.publish(publisher, n + 1, "t", &n.to_string(), qos, false);
    }
}

#[test]
fn of_a_session_that_is_not_kept_all_that_was_not_sent() {
    let mut world = World::new();
    let client = slow(&mut world, clean("a"));
    publish_all(&mut world, QoS::AtLeastOnce, 0..600);
    assert_eq!(world.broker.stats().dropped.total(), 0);
    world.cut(client);
    let dropped = world.broker.stats().dropped;
    assert_eq!(dropped.qos0_unready, 599, "one was sent");
    assert_eq!(dropped.total(), 599);
}

#[test]
fn of_a_session_that_is_kept_what_came_at_qos_0() {
    let mut world = World::new();
    let client = slow(&mut world, kept("a"));
    publish_all(&mut world, QoS::AtLeastOnce, 0..3);
    publish_all(&mut world, QoS::AtMostOnce, 3..8);
    publish_all(&mut world, QoS::AtLeastOnce, 8..10);
    assert_eq!(world.broker.stats().dropped.total(), 0);
    world.cut(client);
    let dropped = world.broker.stats().dropped;
    assert_eq!((dropped.qos0_unready, dropped.total()), (5, 5));
    let (back, _) = world.connect(kept("a"));
    assert_eq!(world.take_texts(back), ["0", "1", "2", "8", "9"]);
    assert_eq!(world.broker.stats().dropped.total(), 5);
}
