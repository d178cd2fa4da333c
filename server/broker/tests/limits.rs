//! Each limit, passed: what the client is told, and that it is counted.

mod world;

use std::num::NonZeroU16;

use ebbtide_broker::{Limit, Limits};
use ebbtide_protocol::{
    Packet, QoS, ReasonCode, TopicName, Version,
    packet::{Connect, Disconnect, MessageProperties, Publish},
};
use world::*;

fn hits(world: &World, limit: Limit) -> u64 {
    world.broker.stats().limits.of(limit)
}

/// The reason of the CONNACK, or of PUBACK, SUBACK or DISCONNECT, that came last.
fn reason(world: &mut World, client: Client) -> ReasonCode {
    world.commit();
    let packets = world.received(client);
    match packets.last() {
        Some(Packet::ConnAck(ack)) => ack.reason,
        Some(Packet::PubAck(ack)) => ack.reason,
        Some(Packet::SubAck(ack)) => ack.reasons[0],
        Some(Packet::Disconnect(disconnect)) => disconnect.reason,
        other => panic!("{other:?}"),
    }
}

fn arrive(world: &mut World, connect: Connect) -> (Client, ReasonCode) {
    let client = world.open();
    world.send(client, Packet::Connect(Box::new(connect)));
    let reason = reason(world, client);
    (client, reason)
}

fn publish_to(world: &mut World, client: Client, topic: &str, retain: bool) -> ReasonCode {
    let mut packet = publish(1, topic, "0123456789", QoS::AtLeastOnce);
    packet.retain = retain;
    world.send(client, Packet::Publish(Box::new(packet)));
    reason(world, client)
}

#[test]
fn one_too_many_is_told_by_the_door_which_limit_it_is() {
    for (limit, expected) in [
        (Limit::ConnectionsMax, ReasonCode::ServerBusy),
        (Limit::ConnectionsPerAddressMax, ReasonCode::QuotaExceeded),
        (
            Limit::ConnectRatePerAddressMax,
            ReasonCode::ConnectionRateExceeded,
        ),
    ] {
        let mut world = World::new();
        let client = world.open();
        world.refuse(client, limit);
        world.send(client, Packet::Connect(Box::new(clean("a"))));
        assert_eq!(reason(&mut world, client), expected);
        assert_eq!(world.is_closed(client), Some(expected));
        assert_eq!(world.broker.stats().connects, 0);

        let client = world.open();
        world.refuse(client, limit);
        let connect = Connect {
            version: Version::V3_1_1,
            ..clean("a")
        };
        let (_, told) = {
            world.send(client, Packet::Connect(Box::new(connect)));
            (client, reason(&mut world, client))
        };
        assert_eq!(told, ReasonCode::ServerUnavailable);
    }
}

#[test]
fn one_too_many_has_to_say_soon_who_it_is() {
    let mut world = World::new();
    let client = world.open();
    world.refuse(client, Limit::ConnectionsMax);
    world.pass_ms(1_000);
    assert!(world.is_closed(client).is_some());
    assert_eq!(hits(&world, Limit::ConnectDeadline), 0, "counted before");
}

#[test]
fn a_user_has_so_many_connections_and_its_own_sessions_back() {
    let mut world = World::with(Limits {
        connections_per_user_max: 2,
        ..Limits::default()
    });
    let (a, _) = arrive(&mut world, kept("a"));
    let (b, _) = arrive(&mut world, kept("b"));
    let (_, refused) = arrive(&mut world, kept("c"));
    assert_eq!(refused, ReasonCode::QuotaExceeded);
    assert_eq!(hits(&world, Limit::ConnectionsPerUserMax), 1);
    // Who comes back before the broker has noticed that it went is the same client.
    let (again, taken) = arrive(&mut world, kept("b"));
    assert_eq!(taken, ReasonCode::Success);
    assert_eq!(world.is_closed(b), Some(ReasonCode::SessionTakenOver));
    let (_, refused) = arrive(&mut world, kept("c"));
    assert_eq!(refused, ReasonCode::QuotaExceeded);
    // A session that is away takes no place, but may not come back into one that is taken.
    world.cut(a);
    let (c, granted) = arrive(&mut world, kept("c"));
    assert_eq!(granted, ReasonCode::Success);
    let (_, refused) = arrive(&mut world, kept("a"));
    assert_eq!(refused, ReasonCode::QuotaExceeded);
    world.cut(c);
    world.cut(again);
    for id in ["a", "b"] {
        let (_, granted) = arrive(&mut world, kept(id));
        assert_eq!(granted, ReasonCode::Success, "{id}");
    }
}

#[test]
fn a_user_has_so_many_sessions() {
    let mut world = World::with(Limits {
        sessions_per_user_max: 1,
        ..Limits::default()
    });
    let (a, _) = arrive(&mut world, kept("a"));
    world.cut(a);
    let (_, refused) = arrive(&mut world, kept("b"));
    assert_eq!(refused, ReasonCode::QuotaExceeded);
    assert_eq!(hits(&world, Limit::SessionsPerUserMax), 1);
}

#[test]
fn who_says_nothing_in_time_is_counted() {
    let mut world = World::new();
    let client = world.open();
    world.send_bytes(client, b"\x10\x10\0");
    world.pass_ms(world.limits.connect_deadline_ms);
    assert_eq!(
        world.is_closed(client),
        Some(ReasonCode::MaximumConnectTime)
    );
    assert_eq!(hits(&world, Limit::ConnectDeadline), 1);
}

#[test]
fn a_packet_too_large_is_counted_before_and_after_the_client_is_in() {
    let mut world = World::with(Limits {
        connect_packet_size_max: 100,
        maximum_packet_size: 1_000,
        ..Limits::default()
    });
    let client = world.open();
    world.send_bytes(client, &[0x10, 0xE8, 0x01]);
    assert_eq!(world.is_closed(client), Some(ReasonCode::PacketTooLarge));
    let (client, _) = arrive(&mut world, clean("a"));
    world.send_bytes(client, &[0x30, 0xE8, 0x07]);
    assert_eq!(reason(&mut world, client), ReasonCode::PacketTooLarge);
    assert_eq!(hits(&world, Limit::ConnectPacketSizeMax), 1);
    assert_eq!(hits(&world, Limit::MaximumPacketSize), 1);
}

#[test]
fn topics_are_so_long_and_so_deep() {
    let mut world = World::with(Limits {
        topic_bytes_max: 20,
        topic_levels_max: 3,
        ..Limits::default()
    });
    let (client, _) = arrive(&mut world, clean("a"));
    let long = "x".repeat(21);
    for (topic, limit) in [
        (&*long, Limit::TopicBytesMax),
        ("a/b/c/d", Limit::TopicLevelsMax),
    ] {
        let refused = publish_to(&mut world, client, topic, false);
        assert_eq!(refused, ReasonCode::TopicNameInvalid);
        let suback = world.subscribe(client, topic, QoS::AtMostOnce);
        assert_eq!(suback.reasons, [ReasonCode::TopicFilterInvalid]);
        let with_will = Connect {
            will: Some(will(topic, "gone", 0)),
            ..clean("b")
        };
        let (_, refused) = arrive(&mut world, with_will);
        assert_eq!(refused, ReasonCode::TopicNameInvalid);
        assert_eq!(hits(&world, limit), 3);
    }
    assert_eq!(
        publish_to(&mut world, client, "a/b/c", false),
        ReasonCode::NoMatchingSubscribers
    );
}

#[test]
fn a_session_has_so_many_subscriptions() {
    let mut world = World::with(Limits {
        subscriptions_per_session_max: 1,
        ..Limits::default()
    });
    let (client, _) = arrive(&mut world, clean("a"));
    world.subscribe(client, "a", QoS::AtMostOnce);
    let suback = world.subscribe(client, "b", QoS::AtMostOnce);
    assert_eq!(suback.reasons, [ReasonCode::QuotaExceeded]);
    assert_eq!(hits(&world, Limit::SubscriptionsPerSessionMax), 1);

    let mut world = World::with(Limits {
        subscription_bytes_per_session_max: 1_000,
        ..Limits::default()
    });
    let (client, _) = arrive(&mut world, clean("a"));
    let suback = world.subscribe(client, "a/b/c/d/e", QoS::AtMostOnce);
    assert_eq!(suback.reasons, [ReasonCode::QuotaExceeded]);
    assert_eq!(hits(&world, Limit::SubscriptionBytesPerSessionMax), 1);
}

#[test]
fn a_client_that_publishes_too_fast_is_read_more_slowly() {
    let mut world = World::with(Limits {
        publish_rate_max: 10,
        ..Limits::default()
    });
    let connect = Connect {
        keep_alive: 1,
        ..clean("fast")
    };
    let (fast, _) = arrive(&mut world, connect);
    let (other, _) = arrive(&mut world, clean("other"));
    let message = |id| Packet::Publish(Box::new(publish(id, "t", "x", QoS::AtLeastOnce)));
    for id in 1..10 {
        world.send(fast, message(id));
    }
    assert!(world.is_reading(fast), "as many as come in a second");
    world.send(fast, message(10));
    assert!(!world.is_reading(fast));
    assert!(world.is_reading(other));
    assert_eq!(hits(&world, Limit::PublishRateMax), 1);
    world.pass_ms(99);
    assert!(!world.is_reading(fast));
    world.pass_ms(1);
    assert!(world.is_reading(fast));
    world.commit();
    let acknowledged = world.received(fast).len();
    assert_eq!(acknowledged, 10, "nothing is refused");
    for id in 11..20 {
        world.send(fast, message(id));
        world.pass_ms(100);
        assert!(world.is_reading(fast), "at the rate");
    }
    // The time in which it was not read is not held against it.
    assert_eq!(world.is_closed(fast), None);
}

#[test]
fn a_client_has_so_many_publishes_under_way() {
    let mut world = World::with(Limits {
        receive_maximum: 2,
        ..Limits::default()
    });
    let (client, _) = arrive(&mut world, clean("a"));
    for id in 1..=3 {
        let packet = publish(id, "t", "x", QoS::ExactlyOnce);
        world.send(client, Packet::Publish(Box::new(packet)));
    }
    assert_eq!(
        reason(&mut world, client),
        ReasonCode::ReceiveMaximumExceeded
    );
    assert_eq!(hits(&world, Limit::ReceiveMaximum), 1);
}

#[test]
fn a_client_has_so_many_topic_aliases() {
    let mut world = World::with(Limits {
        topic_alias_maximum: 3,
        ..Limits::default()
    });
    let (client, _) = arrive(&mut world, clean("a"));
    let packet = Publish {
        topic_alias: NonZeroU16::new(4),
        ..publish(1, "t", "x", QoS::AtMostOnce)
    };
    world.send(client, Packet::Publish(Box::new(packet)));
    assert_eq!(reason(&mut world, client), ReasonCode::TopicAliasInvalid);
    assert_eq!(hits(&world, Limit::TopicAliasMaximum), 1);
}

/// It is refused for the same reason, but a higher limit would not help.
///
/// [MQTT-3.3.2-8]
#[test]
fn alias_0_is_none_whatever_the_limit() {
    let mut world = World::new();
    let (client, _) = arrive(&mut world, clean("a"));
    let publish = [0x30, 7, 0, 1, b't', 3, 0x23, 0, 0];
    world.send_bytes(client, &publish);
    assert_eq!(reason(&mut world, client), ReasonCode::TopicAliasInvalid);
    assert_eq!(hits(&world, Limit::TopicAliasMaximum), 0);
}

#[test]
fn so_much_waits_in_all() {
    for (limits, limit) in [
        (
            Limits {
                queue_messages_max: 1,
                ..Limits::default()
            },
            Limit::QueueMessagesMax,
        ),
        (
            Limits {
                queue_bytes_max: 15,
                ..Limits::default()
            },
            Limit::QueueBytesMax,
        ),
    ] {
        let mut world = World::with(limits);
        let (away, _) = arrive(&mut world, kept("away"));
        world.subscribe(away, "t", QoS::AtLeastOnce);
        world.cut(away);
        let (client, _) = arrive(&mut world, clean("a"));
        let taken = publish_to(&mut world, client, "t", false);
        assert_eq!(taken, ReasonCode::Success);
        let refused = publish_to(&mut world, client, "t", false);
        assert_eq!(refused, ReasonCode::QuotaExceeded);
        assert_eq!(hits(&world, limit), 1);
    }
}

#[test]
fn so_much_is_retained() {
    for (limits, limit) in [
        (
            Limits {
                retained_messages_max: 1,
                ..Limits::default()
            },
            Limit::RetainedMessagesMax,
        ),
        (
            Limits {
                retained_bytes_max: 15 + 96,
                ..Limits::default()
            },
            Limit::RetainedBytesMax,
        ),
    ] {
        let mut world = World::with(limits);
        let (client, _) = arrive(&mut world, clean("a"));
        publish_to(&mut world, client, "a", true);
        let refused = publish_to(&mut world, client, "b", true);
        assert_eq!(refused, ReasonCode::QuotaExceeded);
        assert_eq!(hits(&world, limit), 1);
    }
}

/// A message of one byte may have megabytes of them.
#[test]
fn properties_count_among_what_is_retained_and_what_waits() {
    let large = || Publish {
        properties: MessageProperties {
            user_properties: vec![("name".into(), "x".repeat(10_000).as_str().into())],
            ..MessageProperties::default()
        },
        ..publish(1, "t", "x", QoS::AtLeastOnce)
    };
    let mut world = World::with(Limits {
        retained_bytes_max: 5_000,
        queue_bytes_max: 5_000,
        ..Limits::default()
    });
    let (away, _) = arrive(&mut world, kept("away"));
    world.subscribe(away, "t", QoS::AtLeastOnce);
    world.cut(away);
    let (client, _) = arrive(&mut world, clean("a"));
    world.send(client, Packet::Publish(Box::new(large())));
    assert_eq!(reason(&mut world, client), ReasonCode::QuotaExceeded);
    let retained = Publish {
        retain: true,
        topic: TopicName::new("r").ok(),
        ..large()
    };
    world.send(client, Packet::Publish(Box::new(retained)));
    assert_eq!(reason(&mut world, client), ReasonCode::QuotaExceeded);
    assert_eq!(hits(&world, Limit::QueueBytesMax), 1);
    assert_eq!(hits(&world, Limit::RetainedBytesMax), 1);
}

#[test]
fn short_of_memory_it_takes_in_nothing_that_stays() {
    let mut world = World::new();
    let (away, _) = arrive(&mut world, kept("away"));
    world.subscribe(away, "t", QoS::AtLeastOnce);
    let (client, _) = arrive(&mut world, clean("client"));
    world.subscribe(client, "live", QoS::AtMostOnce);
    world.cut(away);
    world.broker.set_short_of_memory(true);

    let (_, refused) = arrive(&mut world, clean("new"));
    assert_eq!(refused, ReasonCode::ServerBusy);
    let suback = world.subscribe(client, "more", QoS::AtMostOnce);
    assert_eq!(suback.reasons, [ReasonCode::QuotaExceeded]);
    let refused = publish_to(&mut world, client, "t", false);
    assert_eq!(refused, ReasonCode::QuotaExceeded);
    let refused = publish_to(&mut world, client, "kept", true);
    assert_eq!(refused, ReasonCode::QuotaExceeded);
    assert_eq!(hits(&world, Limit::MemoryBytesMax), 4);

    // What only passes through goes on, and who has a session comes in to take what waits there.
    world.publish(client, 1, "live", "x", QoS::AtMostOnce, false);
    assert_eq!(world.take_texts(client), ["x"]);
    let (away, granted) = arrive(&mut world, kept("away"));
    assert_eq!(granted, ReasonCode::Success);

    world.broker.set_short_of_memory(false);
    assert_eq!(
        publish_to(&mut world, client, "t", false),
        ReasonCode::Success
    );
    assert_eq!(world.take_all(away).len(), 1);
}

/// A will is looked at twice while its client comes in.
#[test]
fn short_of_memory_a_will_counts_once_and_only_if_it_is_refused() {
    let mut world = World::new();
    let (away, _) = arrive(&mut world, kept("away"));
    world.subscribe(away, "t", QoS::AtLeastOnce);
    world.cut(away);
    let (client, _) = arrive(&mut world, kept("client"));
    world.cut(client);
    world.broker.set_short_of_memory(true);
    for (topic, expected, counted) in [
        ("nobody", ReasonCode::Success, 0),
        ("t", ReasonCode::QuotaExceeded, 1),
    ] {
        let connect = Connect {
            will: Some(will(topic, "gone", 0)),
            ..kept("client")
        };
        let (client, reason) = arrive(&mut world, connect);
        assert_eq!(reason, expected, "{topic}");
        assert_eq!(hits(&world, Limit::MemoryBytesMax), counted, "{topic}");
        world.send(client, disconnect(ReasonCode::Success));
    }
}

#[test]
fn a_client_is_asked_for_a_sign_of_life_as_often_as_the_broker_wants() {
    let mut world = World::with(Limits {
        keep_alive_s_max: 10,
        ..Limits::default()
    });
    for (asked, expected) in [(0, Some(10)), (60, Some(10)), (5, None)] {
        let (client, connack) = world.connect(Connect {
            keep_alive: asked,
            ..clean("a")
        });
        assert_eq!(connack.server_keep_alive, expected, "{asked}");
        let interval_ms = 1000 * u64::from(expected.unwrap_or(asked));
        world.pass_ms(interval_ms * 3 / 2 - 1);
        assert_eq!(world.is_closed(client), None, "{asked}");
        world.pass_ms(1);
        let reason = world.is_closed(client);
        assert_eq!(reason, Some(ReasonCode::KeepAliveTimeout), "{asked}");
    }
}

#[test]
fn a_session_stays_no_longer_than_the_broker_wants() {
    let mut world = World::with(Limits {
        session_expiry_interval_max: 10,
        ..Limits::default()
    });
    let (client, connack) = world.connect(kept("a"));
    assert_eq!(connack.session_expiry_interval, Some(10));
    world.cut(client);
    world.pass_ms(9_000);
    let (client, connack) = world.connect(kept("a"));
    assert!(connack.session_present);
    // Nor by a word at the end [MQTT-3.1.2-23].
    world.send(
        client,
        Packet::Disconnect(Box::new(Disconnect {
            session_expiry_interval: Some(100),
            ..Disconnect::new(ReasonCode::Success)
        })),
    );
    world.pass_ms(11_000);
    let (_, connack) = world.connect(kept("a"));
    assert!(!connack.session_present);
}
