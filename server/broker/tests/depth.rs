//! The trees of topics are walked level by level on the stack: as deep as the limit may be set, they work on the stack of
//! an ordinary thread.

mod world;

use std::thread;

use ebbtide_broker::Limits;
use ebbtide_protocol::{Packet, QoS, TopicFilter, packet::Unsubscribe};
use world::*;

/// What Rust, and with it tokio, gives a thread.
const STACK_BYTES: usize = 2 * 1024 * 1024;

#[test]
fn as_many_levels_as_can_be_allowed_fit_on_the_stack() {
    let test = thread::Builder::new().stack_size(STACK_BYTES);
    let test = test.spawn(at_the_greatest_depth).expect("a thread");
    test.join().expect("nothing has failed");
}

fn at_the_greatest_depth() {
    let levels = Limits::TOPIC_LEVELS_CEILING;
    let mut world = World::with(Limits {
        topic_levels_max: levels,
        ..Limits::default()
    });
    let topic = vec!["a"; levels].join("/");
    let any = vec!["+"; levels].join("/");
    let all = vec!["a"; levels - 1].join("/") + "/#";
    let (publisher, _) = world.connect(clean("publisher"));
    world.publish(publisher, 1, &topic, "retained", QoS::AtLeastOnce, true);
    for filter in [&*topic, &any, &all, "#"] {
        let (client, _) = world.connect(kept(&format!("own {filter}")));
        world.subscribe(client, filter, QoS::AtLeastOnce);
        assert_eq!(world.take_texts(client), ["retained"], "{filter}");
        world.publish(publisher, 1, &topic, "live", QoS::AtLeastOnce, false);
        assert_eq!(world.take_texts(client), ["live"], "{filter}");
        let unsubscribe = Unsubscribe {
            packet_id: packet_id(1),
            user_properties: Vec::new(),
            filters: vec![TopicFilter::new(filter).expect("a filter")],
        };
        world.send(client, Packet::Unsubscribe(unsubscribe));
    }
    // Recovered, and the old broker dropped as it is.
    world.crash();
    assert_eq!(world.broker.stats().retained, 1);
    let (publisher, _) = world.connect(clean("publisher"));
    world.publish(publisher, 1, &topic, "", QoS::AtLeastOnce, true);
    assert_eq!(world.broker.stats().retained, 0);
}
