//! Wills: when they are published, when not, and that no crash silences them.

mod world;

use ebbtide_broker::{Limits, NoRoom};
use ebbtide_protocol::{
    Packet, QoS, ReasonCode, Version,
    packet::{Connect, Will},
};
use world::*;

/// A world with somebody who listens to wills; the session survives crashes.
fn listening() -> World {
    let mut world = World::new();
    let (listener, _) = world.connect(kept("listener"));
    world.subscribe(listener, "gone/#", QoS::AtLeastOnce);
    world.send(listener, disconnect(ReasonCode::Success));
    world.commit();
    world
}

fn heard(world: &mut World) -> Vec<String> {
    world.commit();
    let (listener, _) = world.connect(kept("listener"));
    let heard = world.take_texts(listener);
    world.send(listener, disconnect(ReasonCode::Success));
    world.commit();
    heard
}

fn with_will(connect: Connect, delay: u32) -> Connect {
    Connect {
        will: Some(will("gone/x", "bye", delay)),
        ..connect
    }
}

/// [MQTT-3.1.2-8, MQTT-3.1.2-10, MQTT-3.14.4-3, MQTT3-3.1.2-8, MQTT3-3.14.4-3]
#[test]
fn a_lost_connection_publishes_it_and_a_normal_disconnect_does_not() {
    for version in [Version::V3_1_1, Version::V5] {
        let mut world = listening();
        let connect = with_will(
            Connect {
                version,
                ..clean("x")
            },
            0,
        );
        let (client, _) = world.connect(connect.clone());
        world.cut(client);
        assert_eq!(heard(&mut world), ["bye"]);
        let (client, _) = world.connect(connect);
        world.send(client, disconnect(ReasonCode::Success));
        world.crash();
        assert_eq!(heard(&mut world), Vec::<String>::new());
    }
}

/// [MQTT-3.1.2-8]
#[test]
fn disconnect_with_will_and_violations_publish_it() {
    let mut world = listening();
    let (client, _) = world.connect(with_will(clean("x"), 0));
    world.send(client, disconnect(ReasonCode::DisconnectWithWill));
    assert_eq!(heard(&mut world), ["bye"]);
    let (client, _) = world.connect(with_will(clean("x"), 0));
    world.send_bytes(client, &[0xF1, 0]);
    assert_eq!(heard(&mut world), ["bye"]);
}

/// [MQTT-3.1.2-22]
#[test]
fn a_silent_client_loses_its_connection_after_one_and_a_half_keep_alives() {
    let mut world = listening();
    let (client, _) = world.connect(Connect {
        keep_alive: 10,
        ..with_will(clean("x"), 0)
    });
    world.pass_ms(14_000);
    world.send(client, Packet::PingReq);
    assert_eq!(world.received(client), [Packet::PingResp]);
    world.pass_ms(14_999);
    assert_eq!(world.is_closed(client), None);
    world.pass_ms(1);
    assert_eq!(world.is_closed(client), Some(ReasonCode::KeepAliveTimeout));
    assert_eq!(
        world.answers(client),
        [disconnect(ReasonCode::KeepAliveTimeout)]
    );
    assert_eq!(heard(&mut world), ["bye"]);
}

/// [MQTT-3.1.2-22]
#[test]
fn a_large_packet_that_comes_slowly_is_no_silence_and_one_that_stops_is() {
    let mut world = listening();
    let (client, _) = world.connect(Connect {
        keep_alive: 10,
        ..with_will(clean("x"), 0)
    });
    let mut packet = vec![0x30, 0xFF, 0x7F, 0, 1, b'a', 0];
    packet.resize(8 * 1024, b'x');
    for kib in 1..=8 {
        world.send_bytes(client, &packet[..kib * 1024]);
        world.pass_ms(14_000);
    }
    assert_eq!(world.is_closed(client), None);
    // What had come before is nothing new when the connection has another turn, and little more is little.
    packet.push(b'x');
    world.send_bytes(client, &packet);
    world.pass_ms(1_000);
    assert_eq!(world.is_closed(client), Some(ReasonCode::KeepAliveTimeout));
}

/// [MQTT-3.1.2-8, MQTT-3.1.3-9]
#[test]
fn a_delayed_will_waits_and_a_return_cancels_it() {
    let mut world = listening();
    let connect = with_will(kept("x"), 10);
    let (client, _) = world.connect(connect.clone());
    world.cut(client);
    world.pass_ms(9_000);
    let (client, _) = world.connect(connect.clone());
    world.pass_ms(5_000);
    assert_eq!(heard(&mut world), Vec::<String>::new());
    world.cut(client);
    world.pass_ms(9_999);
    assert_eq!(heard(&mut world), Vec::<String>::new());
    world.pass_ms(1);
    assert_eq!(heard(&mut world), ["bye"]);
}

/// [MQTT-3.1.2-8]
#[test]
fn the_end_of_the_session_cuts_the_delay_short() {
    let mut world = listening();
    let connect = Connect {
        session_expiry_interval: Some(2),
        ..with_will(clean("x"), 60)
    };
    let (client, _) = world.connect(connect);
    world.cut(client);
    world.pass_ms(2_001);
    assert_eq!(heard(&mut world), ["bye"]);
    // A session that ends with its connection has no time to wait.
    let (client, _) = world.connect(with_will(clean("y"), 60));
    world.cut(client);
    assert_eq!(heard(&mut world), ["bye"]);
}

/// [MQTT-3.1.3-9]
#[test]
fn a_takeover_publishes_it_unless_the_session_goes_on_within_the_delay() {
    let mut world = listening();
    let (_, _) = world.connect(with_will(kept("x"), 0));
    let (_, _) = world.connect(kept("x"));
    assert_eq!(heard(&mut world), ["bye"], "no delay");
    let (_, _) = world.connect(with_will(kept("y"), 10));
    let (_, _) = world.connect(kept("y"));
    world.pass_ms(11_000);
    assert_eq!(
        heard(&mut world),
        Vec::<String>::new(),
        "back within the delay"
    );
    let (_, _) = world.connect(with_will(kept("z"), 10));
    let (_, _) = world.connect(clean("z"));
    assert_eq!(heard(&mut world), ["bye"], "a clean start ends the session");
}

/// Nobody has come in its place: the client stays, and so does its will.
///
/// [MQTT-3.1.2-8]
#[test]
fn a_takeover_that_is_refused_neither_silences_nor_hastens_it() {
    for clean_start in [false, true] {
        let mut world = listening();
        let (client, _) = world.connect(with_will(kept("x"), 10));
        let (_, refused) = world.connect(Connect {
            clean_start,
            maximum_packet_size: Some(8),
            ..kept("x")
        });
        assert_eq!(refused.reason, ReasonCode::PacketTooLarge);
        assert_eq!(world.is_closed(client), None);
        world.cut(client);
        assert_eq!(heard(&mut world), Vec::<String>::new());
        world.pass_ms(10_000);
        assert_eq!(heard(&mut world), ["bye"]);
    }
    // It is over where only the session itself could tell that there is no room for the next one.
    let mut world = listening();
    let (client, _) = world.connect(with_will(clean("x"), 0));
    world.broker.journal().set_room_bytes(0);
    let (_, refused) = world.connect(kept("x"));
    assert_eq!(refused.reason, ReasonCode::QuotaExceeded);
    assert!(world.is_closed(client).is_some());
    assert_eq!(heard(&mut world), ["bye"]);
}

/// [MQTT-3.1.2-7, MQTT-3.1.2-10]
#[test]
fn a_crash_of_the_broker_fires_the_wills_of_all_who_were_connected() {
    let mut world = listening();
    let (_, _) = world.connect(with_will(clean("x"), 0));
    world.crash();
    world.pass_ms(0);
    assert_eq!(heard(&mut world), ["bye"]);
    world.crash();
    world.pass_ms(0);
    assert_eq!(heard(&mut world), Vec::<String>::new(), "once");
}

/// The timer of a will that is due at the start has not come when the first client is there.
#[test]
fn a_return_right_after_a_crash_is_too_late_for_a_will_that_is_due() {
    let mut world = listening();
    let (_, _) = world.connect(with_will(kept("x"), 0));
    let (_, _) = world.connect(with_will(kept("y"), 1));
    world.crash();
    assert!(world.connect(kept("x")).1.session_present);
    assert!(world.connect(kept("y")).1.session_present);
    world.pass_ms(2_000);
    assert_eq!(
        heard(&mut world),
        ["bye"],
        "that of x, for y was back in time"
    );
}

#[test]
fn a_delay_goes_on_across_a_crash() {
    let mut world = listening();
    let (client, _) = world.connect(with_will(kept("x"), 10));
    world.cut(client);
    world.commit();
    world.pass_ms(6_000);
    world.crash();
    world.pass_ms(3_999);
    assert_eq!(heard(&mut world), Vec::<String>::new());
    world.pass_ms(1);
    assert_eq!(heard(&mut world), ["bye"]);
}

/// It was promised: its publisher cannot be told any more, and would not be there to try again.
#[test]
fn what_refuses_a_publish_does_not_refuse_one_that_was_let_in_before() {
    let full = Limits {
        queue_messages_max: 1,
        retained_messages_max: 0,
        ..Limits::default()
    };
    for (limits, room_bytes) in [(Limits::default(), 0), (full, u64::MAX)] {
        let mut world = listening();
        let mut connect = with_will(clean("x"), 0);
        connect.will.as_mut().expect("it has one").retain = true;
        let (client, _) = world.connect(connect);
        let (publisher, _) = world.connect(clean("publisher"));
        world.publish(publisher, 1, "gone/y", "hello", QoS::AtLeastOnce, false);
        world.broker.set_limits(limits);
        world.broker.journal().set_room_bytes(room_bytes);
        let refused = publish(2, "gone/y", "refused", QoS::AtLeastOnce);
        world.send(publisher, Packet::Publish(Box::new(refused)));
        world.commit();
        let answers = world.received(publisher);
        let Some(Packet::PubAck(ack)) = answers.last() else {
            panic!("no PUBACK: {answers:?}")
        };
        assert_eq!(ack.reason, ReasonCode::QuotaExceeded);
        world.cut(client);
        assert_eq!(heard(&mut world), ["hello", "bye"]);
        assert_eq!(world.broker.stats().retained, 1);
    }
}

fn refused(world: &mut World, connect: Connect) {
    let expected = match connect.version {
        Version::V5 => ReasonCode::QuotaExceeded,
        _ => ReasonCode::ServerUnavailable,
    };
    let client = world.open();
    world.send(client, Packet::Connect(Box::new(connect)));
    let answers = world.received(client);
    let Some(Packet::ConnAck(connack)) = answers.first() else {
        panic!("no CONNACK: {answers:?}");
    };
    assert_eq!(connack.reason, expected);
    assert!(world.is_closed(client).is_some());
}

fn retained_will(connect: Connect, topic: &str, payload: &str) -> Connect {
    let mut will = will(topic, payload, 0);
    will.retain = true;
    Connect {
        will: Some(will),
        ..connect
    }
}

/// Would fail if only what is published were held against a limit in all: one client that comes and goes could pass it by any number.
#[test]
fn one_that_would_pass_a_limit_in_all_is_refused_with_its_client() {
    let limits = Limits {
        queue_messages_max: 1,
        retained_messages_max: 1,
        ..Limits::default()
    };
    for stays in [kept("x"), kept_3("x")] {
        let mut world = World::with(limits.clone());
        for topic in ["a", "b", "c"] {
            let connect = retained_will(stays.clone(), topic, "bye");
            if topic == "a" {
                let (client, _) = world.connect(connect);
                world.cut(client);
            } else {
                refused(&mut world, connect);
            }
        }
        assert_eq!(world.broker.stats().retained, 1);
        // That one only replaces what is there.
        let (client, connack) = world.connect(retained_will(stays.clone(), "a", "again"));
        assert!(connack.session_present);
        world.cut(client);

        let (listener, _) = world.connect(kept("listener"));
        world.subscribe(listener, "gone/#", QoS::AtLeastOnce);
        world.cut(listener);
        let (client, _) = world.connect(with_will(stays.clone(), 0));
        world.cut(client);
        assert_eq!(world.broker.stats().waiting, 1);
        refused(&mut world, with_will(stays.clone(), 0));
        assert_eq!(heard(&mut world), ["bye"]);
        let (_, connack) = world.connect(with_will(stays, 0));
        assert!(connack.session_present);
    }
}

/// Would fail if what its own session would keep of it counted, though that session ends now and makes room.
#[test]
fn who_throws_a_backlog_away_is_let_in_with_a_will_that_it_listened_to() {
    let mut world = World::with(Limits {
        queue_messages_max: 1,
        ..Limits::default()
    });
    let (client, _) = world.connect(kept("x"));
    world.subscribe(client, "gone/#", QoS::AtLeastOnce);
    world.cut(client);
    let (publisher, _) = world.connect(clean("p"));
    world.publish(publisher, 1, "gone/y", "hello", QoS::AtLeastOnce, false);
    refused(&mut world, with_will(kept("x"), 0));
    let (_, connack) = world.connect(with_will(clean("x"), 0));
    assert_eq!(connack.reason, ReasonCode::Success);
}

#[test]
fn while_memory_is_short_one_that_would_be_kept_is_refused_whoever_it_is_of() {
    let mut world = listening();
    let (client, _) = world.connect(retained_will(kept("x"), "a", "bye"));
    world.cut(client);
    world.broker.set_short_of_memory(true);
    refused(&mut world, retained_will(kept("x"), "b", "bye"));
    refused(
        &mut world,
        retained_will(kept("x"), "a", &"x".repeat(5_000)),
    );
    refused(&mut world, with_will(kept("x"), 0));
    let (_, connack) = world.connect(retained_will(kept("x"), "a", "again"));
    assert!(connack.session_present);
}

#[test]
fn a_will_of_who_returns_that_makes_more_of_what_is_kept_is_refused_and_the_session_stays() {
    let mut world = World::new();
    let (client, _) = world.connect(kept("kept"));
    world.cut(client);
    let (publisher, _) = world.connect(clean("p"));
    world.publish(publisher, 1, "is", "here", QoS::AtLeastOnce, true);
    let (watcher, _) = world.connect(kept("watcher"));
    world.subscribe(watcher, "seen/#", QoS::AtLeastOnce);
    world.commit();
    world.broker.journal().set_room_bytes(0);
    let with = |will| Connect {
        will: Some(will),
        ..kept("kept")
    };
    let retained = |topic| Will {
        retain: true,
        ..will(topic, "bye", 0)
    };
    let mut wordy = will("gone", "x", 0);
    let word = ("name".into(), "x".repeat(5_000).into());
    wordy.properties.user_properties.push(word);
    let large = will("gone", &"x".repeat(5_000), 0);
    let watched = will("seen/it", "bye", 0);
    for will in [large, wordy, retained("other"), watched] {
        refused(&mut world, with(will));
    }
    for small in [will("gone", "bye", 0), retained("is")] {
        let (client, connack) = world.connect(with(small));
        assert!(connack.session_present);
        world.cut(client);
    }
}

/// Would fail if only the payload of a will were counted among what is on its way to the disk.
#[test]
fn all_of_a_will_takes_room() {
    let mut world = World::new();
    world.broker.journal().set_room_bytes(10_000);
    let mut wordy = will("gone", "x", 0);
    let word = ("name".into(), "x".repeat(20_000).into());
    wordy.properties.user_properties.push(word);
    let mut connect = clean("wordy");
    connect.will = Some(wordy);
    let client = world.open();
    world.send(client, Packet::Connect(Box::new(connect)));
    assert_eq!(world.is_closed(client), None);
    assert_eq!(world.broker.journal().no_room(), Some(NoRoom::Full));
}

#[test]
fn a_stop_of_the_server_leaves_them_for_the_next_start() {
    let mut world = listening();
    let (_, _) = world.connect(with_will(clean("x"), 0));
    world.broker.shut_down(None);
    world.commit();
    world.crash();
    world.pass_ms(0);
    assert_eq!(heard(&mut world), ["bye"]);
}
