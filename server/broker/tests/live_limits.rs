//! Limits that change while clients are there: at once in what is in all or per session, and for a connection as CONNACK has said.

mod world;

use ebbtide_broker::Limits;
use std::num::NonZeroU16;

use ebbtide_protocol::{Packet, QoS, ReasonCode, packet::Connect};
use world::{World, clean, kept, publish};

fn limits(receive_maximum: u16) -> Limits {
    Limits {
        receive_maximum,
        ..Limits::default()
    }
}

#[test]
fn a_connection_keeps_the_receive_maximum_that_it_was_told() {
    let mut world = World::with(limits(3));
    let (away, _) = world.connect(kept("away"));
    world.subscribe(away, "t", QoS::AtLeastOnce);
    world.cut(away);
    let (before, connack) = world.connect(clean("before"));
    assert_eq!(connack.receive_maximum.map(u16::from), Some(3));
    world.broker.set_limits(limits(1));
    let (after, connack) = world.connect(clean("after"));
    assert_eq!(connack.receive_maximum.map(u16::from), Some(1));
    // Nothing is committed, so nothing is acknowledged.
    let mut is_closed_after = |client, id| {
        let message = publish(id, "t", "m", QoS::AtLeastOnce);
        world.send(client, Packet::Publish(Box::new(message)));
        world.is_closed(client)
    };
    let exceeded = Some(ReasonCode::ReceiveMaximumExceeded);
    assert_eq!(is_closed_after(after, 1), None);
    assert_eq!(is_closed_after(after, 2), exceeded);
    for id in 1..=3 {
        assert_eq!(is_closed_after(before, id), None);
    }
    assert_eq!(is_closed_after(before, 4), exceeded);
}

#[test]
fn what_a_session_may_have_changes_for_those_that_are_there() {
    let mut world = World::with(limits(8));
    let (client, _) = world.connect(clean("c"));
    let suback = world.subscribe(client, "a", QoS::AtMostOnce);
    assert_eq!(suback.reasons, [ReasonCode::Success]);
    world.broker.set_limits(Limits {
        subscriptions_per_session_max: 1,
        topic_levels_max: 2,
        ..limits(8)
    });
    let suback = world.subscribe(client, "b", QoS::AtMostOnce);
    assert_eq!(suback.reasons, [ReasonCode::QuotaExceeded]);
    let suback = world.subscribe(client, "a/b/c", QoS::AtMostOnce);
    assert_eq!(suback.reasons, [ReasonCode::TopicFilterInvalid]);
    world.broker.set_limits(limits(8));
    let suback = world.subscribe(client, "a/b/c", QoS::AtMostOnce);
    assert_eq!(suback.reasons, [ReasonCode::Success]);
}

#[test]
fn a_shared_subscription_that_is_there_gets_the_limits_of_now() {
    let mut world = World::with(limits(100));
    // It acknowledges nothing, and takes one message.
    let (member, _) = world.connect(Connect {
        receive_maximum: NonZeroU16::new(1),
        ..clean("member")
    });
    world.subscribe(member, "$share/g/t", QoS::AtLeastOnce);
    let (publisher, _) = world.connect(clean("publisher"));
    let is_read_after = |world: &mut World, id| {
        let message = publish(id, "t", &"x".repeat(100), QoS::AtLeastOnce);
        world.send(publisher, Packet::Publish(Box::new(message)));
        world.is_reading(publisher)
    };
    for id in 1..=4 {
        assert!(is_read_after(&mut world, id), "{id}");
    }
    world.broker.set_limits(Limits {
        back_pressure_bytes: 50,
        ..limits(100)
    });
    assert!(!is_read_after(&mut world, 5), "it is crowded by now");
}
