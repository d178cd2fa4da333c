//! A CONNECT that cannot succeed changes nothing: who is connected under its client id stays (section 3.1.4).

mod world;

use ebbtide_broker::Limits;
use ebbtide_protocol::{
    Packet, QoS, ReasonCode,
    packet::{Connect, Will},
};
use world::*;

/// Connected, and subscribed to `t`.
fn connected(world: &mut World, id: &str) -> Client {
    let (client, connack) = world.connect(kept(id));
    assert_eq!(connack.reason, ReasonCode::Success);
    world.subscribe(client, "t", QoS::AtLeastOnce);
    client
}

/// Is refused, and the one that is connected goes on.
fn is_refused(world: &mut World, client: Client, connect: Connect, expected: ReasonCode) {
    let (newcomer, connack) = world.connect(connect);
    assert_eq!(connack.reason, expected);
    assert_eq!(world.is_closed(newcomer), Some(expected));
    assert_eq!(world.is_closed(client), None, "it stays");
}

fn with_will(topic: &str) -> Connect {
    Connect {
        will: Some(Will {
            retain: true,
            ..will(topic, "gone", 0)
        }),
        ..kept("c")
    }
}

#[test]
fn who_takes_no_connack_takes_nothing_over() {
    let mut world = World::new();
    let client = connected(&mut world, "c");
    let connect = Connect {
        maximum_packet_size: Some(10),
        ..kept("c")
    };
    is_refused(&mut world, client, connect, ReasonCode::PacketTooLarge);
    let (publisher, _) = world.connect(clean("p"));
    world.publish(publisher, 1, "t", "x", QoS::AtLeastOnce, false);
    assert_eq!(world.take_texts(client), ["x"]);
    // One that takes it is let in.
    let (_, connack) = world.connect(Connect {
        maximum_packet_size: Some(100),
        ..kept("c")
    });
    assert!(connack.session_present);
    assert_eq!(world.is_closed(client), Some(ReasonCode::SessionTakenOver));
}

#[test]
fn a_will_without_room_takes_nothing_over() {
    let mut world = World::with(Limits {
        retained_messages_max: 1,
        ..Limits::default()
    });
    let (publisher, _) = world.connect(clean("p"));
    world.publish(publisher, 1, "full", "x", QoS::AtLeastOnce, true);
    let client = connected(&mut world, "c");
    let connect = with_will("w");
    is_refused(&mut world, client, connect, ReasonCode::QuotaExceeded);
    let (_, connack) = world.connect(with_will("full"));
    assert_eq!(connack.reason, ReasonCode::Success, "it replaces that one");
}

/// What only its own old session would have kept is no reason: that one ends.
#[test]
fn a_will_that_only_the_old_session_waits_for_is_no_reason() {
    let mut world = World::with(Limits {
        queue_messages_max: 1,
        ..Limits::default()
    });
    let (away, _) = world.connect(kept("away"));
    world.subscribe(away, "else", QoS::AtLeastOnce);
    world.cut(away);
    let (publisher, _) = world.connect(clean("p"));
    world.publish(publisher, 1, "else", "x", QoS::AtLeastOnce, false);
    let client = connected(&mut world, "c");
    let mut connect = Connect {
        clean_start: true,
        ..with_will("t")
    };
    connect.will.as_mut().expect("a will").retain = false;
    let (_, connack) = world.connect(connect);
    assert_eq!(connack.reason, ReasonCode::Success);
    assert_eq!(world.is_closed(client), Some(ReasonCode::SessionTakenOver));
}

/// CONNACK of a takeover waits for the disk, so it could not come.
#[test]
fn while_the_store_fails_nothing_is_taken_over() {
    let mut world = World::new();
    let client = connected(&mut world, "c");
    let (breaker, _) = world.connect(clean("breaker"));
    let mut packet = publish(9, "broken", "x", QoS::AtLeastOnce);
    packet.retain = true;
    world.send(breaker, Packet::Publish(Box::new(packet)));
    let _batch = world.broker.journal().take().expect("a batch");
    world.broker.journal().failed();
    world.settle();
    is_refused(&mut world, client, kept("c"), ReasonCode::QuotaExceeded);
}
