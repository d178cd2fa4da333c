//! What has no end any more takes no timer: whoever sets ends that lie far away, and takes them back, would fill the memory.
//!
//! Nothing else has an end here, so that the next time to wake at tells whether any timer is left.

mod world;

use ebbtide_broker::Command;
use ebbtide_protocol::{
    Packet, QoS, ReasonCode,
    packet::{Connect, Disconnect},
};
use world::*;

const LONG_S: u32 = u32::MAX - 1;

/// Retains a message under `t/{n}`; an empty one clears it.
fn retain(world: &mut World, publisher: Client, n: usize, payload: &str, expiry_s: Option<u32>) {
    let mut message = publish(1, &format!("t/{n}"), payload, QoS::AtLeastOnce);
    message.retain = true;
    message.properties.message_expiry_interval = expiry_s;
    world.send(publisher, Packet::Publish(Box::new(message)));
    world.commit();
    world.received(publisher);
}

/// A session of that id, with an end, is away.
fn leave(world: &mut World, id: &str) {
    let (client, _) = world.connect(Connect {
        session_expiry_interval: Some(LONG_S),
        ..kept(id)
    });
    world.send(client, disconnect(ReasonCode::Success));
    world.commit();
    assert!(world.broker.poll_timeout().is_some(), "it has an end");
}

#[test]
fn a_retained_message_that_is_cleared_or_replaced() {
    for expiry_s in [None, Some(LONG_S)] {
        for payload in ["", "other"] {
            if !payload.is_empty() && expiry_s.is_some() {
                continue;
            }
            let mut world = World::new();
            let (publisher, _) = world.connect(clean("p"));
            assert_eq!(world.broker.poll_timeout(), None);
            for n in 0..3 {
                retain(&mut world, publisher, n, "x", Some(LONG_S));
            }
            assert!(world.broker.poll_timeout().is_some(), "they have an end");
            for n in 0..3 {
                retain(&mut world, publisher, n, payload, expiry_s);
            }
            assert_eq!(world.broker.poll_timeout(), None, "{payload:?}");
        }
    }
}

#[test]
fn a_session_that_begins_anew() {
    let mut world = World::new();
    leave(&mut world, "a");
    let (client, connack) = world.connect(clean("a"));
    assert!(!connack.session_present);
    assert_eq!(world.broker.poll_timeout(), None);
    world.send(client, disconnect(ReasonCode::Success));
    world.commit();
    assert_eq!(world.broker.poll_timeout(), None);
}

#[test]
fn a_session_that_goes_on() {
    let mut world = World::new();
    leave(&mut world, "a");
    let (client, connack) = world.connect(kept("a"));
    assert!(connack.session_present);
    assert_eq!(world.broker.poll_timeout(), None);
    world.send(
        client,
        Packet::Disconnect(Box::new(Disconnect {
            session_expiry_interval: Some(0),
            ..Disconnect::new(ReasonCode::Success)
        })),
    );
    world.commit();
    assert_eq!(world.broker.poll_timeout(), None);
}

#[test]
fn a_session_that_is_deleted() {
    let mut world = World::new();
    leave(&mut world, "a");
    let pending = world.broker.command("a", Command::Delete, world.now);
    assert!(pending.is_some(), "there is a session");
    assert_eq!(world.broker.poll_timeout(), None);
}

#[test]
fn a_will_that_is_published_before_its_delay_is_over() {
    let mut world = World::new();
    let (client, _) = world.connect(Connect {
        session_expiry_interval: Some(LONG_S),
        will: Some(will("gone", "x", LONG_S)),
        ..kept("a")
    });
    world.cut(client);
    assert!(world.broker.poll_timeout().is_some(), "it waits");
    let (_, connack) = world.connect(clean("a"));
    assert!(!connack.session_present);
    assert_eq!(world.broker.poll_timeout(), None);
}
