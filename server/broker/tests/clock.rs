//! Wall clocks that are set between two runs, or go a little behind the clock of the timers: what has an end is neither
//! expired by it nor kept for ever.

mod world;

use std::num::NonZeroU16;

use ebbtide_protocol::{
    Packet, QoS,
    packet::{Connect, Publish},
};
use world::*;

#[test]
fn a_clock_that_was_never_set_ends_no_session() {
    let mut world = World::new();
    let connect = Connect {
        session_expiry_interval: Some(60),
        ..kept("s")
    };
    let (client, _) = world.connect(connect.clone());
    world.cut(client);
    world.commit();
    world.set_wall_ms(56 * 365 * 24 * 3600 * 1000);
    world.crash();
    world.pass_ms(1);
    let (_, connack) = world.connect(connect);
    assert!(connack.session_present);
}

#[test]
fn a_clock_that_was_set_expires_no_message_and_keeps_none_for_ever() {
    const HOUR_MS: u64 = 3_600_000;
    const YEARS_MS: u64 = 56 * 365 * 24 * HOUR_MS;
    for (before, after) in [(1_000_000, YEARS_MS), (YEARS_MS, 1_000_000)] {
        let mut world = World::new();
        world.set_wall_ms(before);
        let (client, _) = world.connect(kept("s"));
        world.subscribe(client, "queued", QoS::AtLeastOnce);
        world.cut(client);
        let (publisher, _) = world.connect(clean("p"));
        for (topic, retain) in [("queued", false), ("retained", true)] {
            let mut message = publish(1, topic, "x", QoS::AtLeastOnce);
            message.retain = retain;
            message.properties.message_expiry_interval = Some(3600);
            world.send(publisher, Packet::Publish(Box::new(message)));
        }
        world.commit();
        world.set_wall_ms(after);
        world.crash();
        world.pass_ms(HOUR_MS - 1_000);
        let (client, _) = world.connect(kept("s"));
        let left = |message: &Publish| message.properties.message_expiry_interval;
        let queued = world.take_all(client);
        assert_eq!(queued.iter().map(left).collect::<Vec<_>>(), [Some(1)]);
        world.subscribe(client, "retained", QoS::AtMostOnce);
        let retained = world.take_all(client);
        assert_eq!(retained.iter().map(left).collect::<Vec<_>>(), [Some(1)]);
        assert!(world.broker.stats().implausible_times >= 2);
        world.pass_ms(2_000);
        assert_eq!(world.broker.stats().retained, 0);
    }
}

#[test]
fn a_clock_that_was_set_fires_no_will_and_delays_none_for_ever() {
    const HOUR_MS: u64 = 3_600_000;
    const YEARS_MS: u64 = 56 * 365 * 24 * HOUR_MS;
    for (before, after) in [(1_000_000, YEARS_MS), (YEARS_MS, 1_000_000)] {
        let mut world = World::new();
        world.set_wall_ms(before);
        for (id, expiry_s) in [("waits", u32::MAX), ("ends", 1800)] {
            let connect = Connect {
                session_expiry_interval: Some(expiry_s),
                will: Some(will("wills", id, 3600)),
                ..kept(id)
            };
            let (client, _) = world.connect(connect);
            world.cut(client);
        }
        world.commit();
        world.set_wall_ms(after);
        world.crash();
        let (watcher, _) = world.connect(clean("watcher"));
        world.subscribe(watcher, "wills", QoS::AtMostOnce);
        let mut pass_ms = |ms| {
            world.pass_ms(ms);
            world.take_texts(watcher)
        };
        assert!(pass_ms(HOUR_MS / 2 - 1_000).is_empty());
        assert_eq!(pass_ms(2_000), ["ends"], "with its session");
        assert!(pass_ms(HOUR_MS / 2 - 2_000).is_empty());
        assert_eq!(pass_ms(2_000), ["waits"]);
    }
}

#[test]
fn a_retained_message_goes_though_the_wall_clock_is_a_little_behind() {
    let mut world = World::new();
    let (publisher, _) = world.connect(clean("p"));
    let mut message = publish(1, "t", "x", QoS::AtLeastOnce);
    message.retain = true;
    message.properties.message_expiry_interval = Some(1);
    world.send(publisher, Packet::Publish(Box::new(message)));
    world.commit();
    world.set_wall_ms(1_000_000 - 1);
    world.pass_ms(1_000);
    assert_eq!(world.broker.stats().retained, 1, "a millisecond is left");
    world.pass_ms(1);
    assert_eq!(world.broker.stats().retained, 0);
}

/// A turn may have begun, by its clock, before the message that it delivers was accepted [MQTT-3.3.2-6].
#[test]
fn no_more_is_left_of_a_lifetime_than_there_was() {
    let mut world = World::new();
    let (subscriber, _) = world.connect(Connect {
        receive_maximum: NonZeroU16::new(1),
        ..clean("s")
    });
    world.subscribe(subscriber, "t", QoS::AtLeastOnce);
    let (publisher, _) = world.connect(clean("p"));
    world.publish(publisher, 1, "t", "first", QoS::AtLeastOnce, false);
    world.set_wall_ms(1_000_001);
    let mut message = publish(1, "t", "x", QoS::AtLeastOnce);
    message.properties.message_expiry_interval = Some(10);
    world.send(publisher, Packet::Publish(Box::new(message)));
    world.set_wall_ms(1_000_000);
    let left = |message: &Publish| message.properties.message_expiry_interval;
    let received = world.take_all(subscriber);
    assert_eq!(
        received.iter().map(left).collect::<Vec<_>>(),
        [None, Some(10)]
    );
}
