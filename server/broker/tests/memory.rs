//! What clients can make the broker hold is bounded by named limits, whatever they send and however little they read.

mod world;

use ebbtide_protocol::{Packet, QoS};
use world::*;

#[test]
fn a_backlog_of_large_messages_is_read_part_by_part() {
    let mut world = World::new();
    let (client, _) = world.connect(kept("away"));
    world.subscribe(client, "t", QoS::ExactlyOnce);
    world.commit();
    world.cut(client);
    let (publisher, _) = world.connect(clean("p"));
    let text = |id: u16| format!("{id:03}{}", "x".repeat(100_000));
    for id in 1..=40 {
        let qos = [QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(id % 2)];
        world.publish(publisher, id, "t", &text(id), qos, false);
    }
    world.commit();
    let (client, _) = world.connect(kept("away"));
    let mut got = Vec::new();
    for _ in 0..100 {
        world.commit();
        got.extend(world.take_texts(client));
    }
    let numbers: Vec<_> = got.iter().map(|text| text[..3].to_owned()).collect();
    let expected: Vec<_> = (1..=40).map(|id| format!("{id:03}")).collect();
    assert_eq!(numbers, expected);
    assert_eq!(world.broker.stats().waiting, 0);
}

#[test]
fn large_messages_under_way_are_repeated_part_by_part() {
    let mut world = World::new();
    let (client, _) = world.connect(kept("away"));
    world.subscribe(client, "t", QoS::AtLeastOnce);
    world.commit();
    let (publisher, _) = world.connect(clean("p"));
    let large = "x".repeat(100_000);
    for id in 1..=20 {
        world.publish(publisher, id, "t", &large, QoS::AtLeastOnce, false);
    }
    world.commit();
    let publishes = |packets: Vec<Packet>| {
        let ids = packets.into_iter().filter_map(|packet| match packet {
            Packet::Publish(publish) => publish.packet_id,
            _ => None,
        });
        ids.collect::<Vec<_>>()
    };
    let first = publishes(world.received(client));
    assert_eq!(first.len(), 20);
    world.cut(client);
    let (client, _) = world.connect(kept("away"));
    for _ in 0..10 {
        world.commit();
    }
    assert_eq!(publishes(world.received(client)), first);
}
