//! What clients can make the broker hold is bounded by named limits, whatever they send and however little they read.

mod world;

use std::num::NonZeroU16;

use bytes::BytesMut;
use ebbtide_broker::{Limits, Transport};
use ebbtide_protocol::{
    Packet, QoS, ReasonCode, TopicName, Version,
    codec::encode,
    packet::{Connect, SubscriptionOptions},
};
use world::*;

#[test]
fn a_connect_is_smaller_than_what_may_follow_it() {
    let limits = Limits {
        connect_packet_size_max: 1_000,
        maximum_packet_size: 100_000,
        ..Limits::default()
    };
    let mut world = World::with(limits);
    let (client, connack) = world.connect(clean("x"));
    assert_eq!(connack.maximum_packet_size, Some(100_000));
    let large = "x".repeat(50_000);
    world.publish(client, 1, "t", &large, QoS::AtLeastOnce, false);
    assert_eq!(world.is_closed(client), None);

    // CONNECT of 1,001 bytes, of which the first five have come.
    let other = world.open();
    world.send_bytes(other, &[0x10, 0xE6, 0x07, 0x00, 0x04]);
    assert_eq!(world.is_closed(other), Some(ReasonCode::PacketTooLarge));
}

#[test]
fn subscriptions_of_many_levels_count_for_more() {
    let limits = Limits {
        subscription_bytes_per_session_max: 100_000,
        ..Limits::default()
    };
    let mut world = World::with(limits);
    let (client, _) = world.connect(kept("x"));
    let deep = "a/".repeat(150);
    let granted = [ReasonCode::Success];
    let refused = [ReasonCode::QuotaExceeded];
    assert_eq!(
        world.subscribe(client, &deep, QoS::AtMostOnce).reasons,
        granted
    );
    let other = format!("{deep}b");
    assert_eq!(
        world.subscribe(client, &other, QoS::AtMostOnce).reasons,
        refused
    );
    assert_eq!(
        world.subscribe(client, &deep, QoS::AtMostOnce).reasons,
        granted,
        "it is there already"
    );
    assert_eq!(
        world.subscribe(client, "a", QoS::AtMostOnce).reasons,
        granted
    );

    // What was recovered counts too, and what is given up does not.
    world.commit();
    world.crash();
    let (client, _) = world.connect(kept("x"));
    assert_eq!(
        world.subscribe(client, &other, QoS::AtMostOnce).reasons,
        refused
    );
    world.send(client, unsubscribe(7, &deep));
    world.commit();
    world.received(client);
    assert_eq!(
        world.subscribe(client, &other, QoS::AtMostOnce).reasons,
        granted
    );
}

#[test]
fn subscription_identifiers_count_as_what_waits() {
    let limits = Limits {
        outgoing_bytes_max: 100_000,
        ..Limits::default()
    };
    let mut world = World::with(limits);
    let slow = Connect {
        receive_maximum: NonZeroU16::new(1),
        version: Version::V5,
        ..clean("slow")
    };
    let (slow, _) = world.connect(slow);
    // 256 filters that all match: every message carries the identifiers of all, a kilobyte.
    for combination in 0..256_u32 {
        let levels = (0..8).map(|bit| {
            if combination >> bit & 1 == 0 {
                "+"
            } else {
                "a"
            }
        });
        let filter = levels.collect::<Vec<_>>().join("/");
        let Packet::Subscribe(mut packet) = subscribe(
            1,
            &filter,
            SubscriptionOptions {
                qos: QoS::AtLeastOnce,
                ..Default::default()
            },
        ) else {
            unreachable!("as asked for")
        };
        packet.subscription_identifier = Some(combination + 1);
        world.send(slow, Packet::Subscribe(packet));
    }
    let (publisher, _) = world.connect(clean("p"));
    // Without them, all of these would be about 75,000 bytes.
    for id in 1..=500 {
        world.publish(
            publisher,
            id,
            "a/a/a/a/a/a/a/a",
            "x",
            QoS::AtLeastOnce,
            false,
        );
    }
    assert_eq!(world.is_closed(slow), Some(ReasonCode::QuotaExceeded));
}

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

#[test]
fn a_filter_that_is_subscribed_to_again_and_again_is_answered_once_at_the_end() {
    let mut world = World::new();
    let (publisher, _) = world.connect(clean("p"));
    let topic = TopicName::new("t".repeat(60_000)).expect("a topic");
    world.publish(publisher, 1, topic.as_str(), "kept", QoS::AtLeastOnce, true);
    world.commit();
    let (client, _) = world.connect(kept("x"));
    // All of them wait behind their SUBACKs, which wait for the disk.
    for id in 1..=60 {
        world.send(client, subscribe(id, topic.as_str(), Default::default()));
    }
    world.commit();
    let packets = world.received(client);
    let subacks = packets
        .iter()
        .filter(|one| matches!(one, Packet::SubAck(_)));
    assert_eq!(subacks.count(), 60);
    let texts: Vec<_> = packets
        .iter()
        .filter_map(|one| match one {
            Packet::Publish(publish) => Some(text(publish)),
            _ => None,
        })
        .collect();
    assert_eq!(texts, ["kept"]);
}

/// Would fail if the HTTP API were a stranger while memory is short: what it could delete would stay.
#[test]
fn short_of_memory_what_is_retained_can_be_deleted_from_inside() {
    let mut world = World::new();
    let (client, _) = world.connect(clean("client"));
    world.publish(client, 1, "kept", "x", QoS::AtLeastOnce, true);
    world.broker.set_short_of_memory(true);
    let inside = world.open_by(Transport::Inside);
    world.send(inside, Packet::Connect(Box::new(clean(""))));
    world.commit();
    assert_eq!(world.is_closed(inside), None);
    world.received(inside);
    for (topic, payload, is_refused) in [("more", "x", true), ("kept", "", false)] {
        let mut packet = publish(1, topic, payload, QoS::AtLeastOnce);
        packet.retain = true;
        world.send(inside, Packet::Publish(Box::new(packet)));
        world.commit();
        let packets = world.received(inside);
        let [Packet::PubAck(ack)] = &packets[..] else {
            panic!("{packets:?}")
        };
        let is_over = ack.reason == ReasonCode::QuotaExceeded;
        assert_eq!(is_over, is_refused, "{topic}: {:?}", ack.reason);
    }
    assert_eq!(world.broker.stats().retained, 0);
}

/// Would fail if what waits for clients that are there could grow by megabytes for each of them.
#[test]
fn short_of_memory_little_waits_for_who_reads_slowly() {
    const FIT: usize = Limits::SCARCE_BYTES_MAX / 1_000 + 1;
    const MESSAGES: usize = 3 * FIT;
    for connect in [clean("slow"), kept("slow")] {
        let mut world = World::with(Limits {
            // They have waited for long enough.
            back_pressure_ms_max: 0,
            ..Limits::default()
        });
        let is_kept = !connect.clean_start;
        let (slow, _) = world.connect(Connect {
            receive_maximum: NonZeroU16::new(1),
            ..connect
        });
        world.subscribe(slow, "t", QoS::AtLeastOnce);
        let (publisher, _) = world.connect(clean("p"));
        // The second waits until the first is acknowledged, and everything else behind it.
        for id in 1..=2 {
            world.publish(publisher, id, "t", "x", QoS::AtLeastOnce, false);
        }
        world.broker.set_short_of_memory(true);
        for _ in 0..MESSAGES {
            let payload = "x".repeat(1_000);
            world.publish(publisher, 1, "t", &payload, QoS::AtMostOnce, false);
        }
        let dropped = world.broker.stats().dropped;
        let fit = MESSAGES - dropped.qos0_unready as usize;
        assert!(fit > FIT / 2 && fit <= FIT, "{fit} messages");
        assert_eq!(dropped.overflow, 0);
        if is_kept {
            assert_eq!(world.take_texts(slow).len(), 2 + fit);
            continue;
        }
        // It would wait in memory only.
        world.publish(publisher, 1, "t", "x", QoS::AtLeastOnce, false);
        assert_eq!(world.broker.stats().dropped.overflow, 1);
        assert_eq!(world.is_closed(slow), Some(ReasonCode::QuotaExceeded));
    }
}

/// Would fail if the broker took in more at once from a publisher than may wait for who reads.
#[test]
fn short_of_memory_who_reads_loses_nothing_to_one_turn_of_a_publisher() {
    const MESSAGES: u16 = 256;
    // What would have to be kept is not taken in anyway.
    for (qos, connect) in [
        (QoS::AtMostOnce, clean("reader")),
        (QoS::AtMostOnce, kept("reader")),
        (QoS::AtLeastOnce, clean("reader")),
    ] {
        for back_pressure_ms_max in [0, 500] {
            let mut world = World::with(Limits {
                back_pressure_ms_max,
                ..Limits::default()
            });
            let (reader, _) = world.connect(connect.clone());
            world.subscribe(reader, "t", qos);
            let (publisher, _) = world.connect(clean("publisher"));
            world.broker.set_short_of_memory(true);
            let mut bytes = BytesMut::new();
            for id in 1..=MESSAGES {
                let one = publish(id, "t", &"x".repeat(220), qos);
                encode(&Packet::Publish(Box::new(one)), Version::V5, &mut bytes);
            }
            world.send_bytes(publisher, &bytes);
            assert_eq!(world.take_all(reader).len(), usize::from(MESSAGES));
            assert_eq!(world.is_closed(reader), None);
            assert_eq!(world.broker.stats().dropped.total(), 0);
        }
    }
}

/// By one that reads nothing.
#[test]
fn short_of_memory_publishers_are_held_back_long_before_anything_is_lost() {
    for filter in ["t", "$share/g/t"] {
        let mut world = World::new();
        let (slow, _) = world.connect(Connect {
            receive_maximum: NonZeroU16::new(1),
            ..clean("slow")
        });
        world.subscribe(slow, filter, QoS::AtLeastOnce);
        let (publisher, _) = world.connect(clean("publisher"));
        world.broker.set_short_of_memory(true);
        let mut count = 0;
        while world.is_reading(publisher) {
            count += 1;
            let payload = "x".repeat(1_000);
            world.publish(publisher, count, "t", &payload, QoS::AtLeastOnce, false);
        }
        let bytes = usize::from(count) * 1_000;
        assert!(bytes < Limits::SCARCE_BYTES_MAX / 3, "{count}");
        assert_eq!(world.broker.stats().dropped.total(), 0);
        assert_eq!(world.take_all(slow).len(), usize::from(count));
        assert!(world.is_reading(publisher));
    }
}
