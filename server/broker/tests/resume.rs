//! What was under way when the connection went, and is sent again in the next one.

mod world;

use ebbtide_broker::Limits;
use ebbtide_protocol::{Packet, QoS};
use world::{World, clean, kept, publish};

#[test]
fn a_full_window_is_resumed() {
    let all = usize::from(u16::MAX);
    let mut world = World::with(Limits {
        receive_maximum: u16::MAX,
        ..Limits::default()
    });
    let (subscriber, _) = world.connect(kept("subscriber"));
    world.subscribe(subscriber, "t", QoS::AtLeastOnce);
    let (publisher, _) = world.connect(clean("publisher"));
    let one = publish(1, "t", "x", QoS::AtLeastOnce);
    for _ in 0..all {
        world.send(publisher, Packet::Publish(Box::new(one.clone())));
    }
    world.commit();
    assert_eq!(world.received(subscriber).len(), all);
    world.cut(subscriber);
    let (subscriber, _) = world.connect(kept("subscriber"));
    world.commit();
    assert_eq!(world.received(subscriber).len(), all, "all are sent again");
}
