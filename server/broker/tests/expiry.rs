//! What waits and has expired takes no room, though nobody returns for it; what is under way does not expire.

mod world;

use std::task::Waker;

use bytes::BytesMut;
use ebbtide_broker::{Answer, Durability, Identity, Limits, Origin, QueueOverflow, Transport};
use ebbtide_protocol::{
    Packet, QoS, ReasonCode, Version,
    codec::{Decoder, Role, encode},
    extension,
    packet::{Ack, SubscriptionOptions},
};
use world::*;

const HOUR_MS: u64 = 3_600_000;

/// Publishes a message that expires after a second.
fn publish_short(world: &mut World, publisher: Client, id: u16, qos: QoS) {
    let mut message = publish(id, "t", "short", qos);
    message.properties.message_expiry_interval = Some(1);
    world.send(publisher, Packet::Publish(Box::new(message)));
    world.commit();
    world.received(publisher);
}

fn away(world: &mut World, id: &str, filter: &str) {
    let (client, _) = world.connect(kept(id));
    world.subscribe(client, filter, QoS::AtLeastOnce);
    world.cut(client);
    world.commit();
}

#[test]
fn what_has_expired_makes_room_for_others() {
    let mut world = World::with(Limits {
        queue_messages_max: 3,
        ..Limits::default()
    });
    away(&mut world, "a", "t");
    away(&mut world, "b", "$share/g/t");
    let (publisher, _) = world.connect(clean("p"));
    for id in 1..=3 {
        publish_short(&mut world, publisher, id, QoS::AtLeastOnce);
    }
    assert_eq!(world.broker.stats().waiting, 3);
    world.pass_ms(HOUR_MS);
    assert_eq!(world.broker.stats().waiting, 0);
    assert_eq!(world.broker.stats().waiting_bytes, 0);
    world.publish(publisher, 4, "t", "other", QoS::AtLeastOnce, false);
    assert_eq!(world.broker.stats().waiting, 1);

    for id in ["a", "b"] {
        let (client, connack) = world.connect(kept(id));
        let lost = extension::values(&connack.user_properties, "ebbtide-dropped");
        assert_eq!(lost.count(), 0, "expiry is no loss");
        assert_eq!(world.take_texts(client), ["other"]);
    }
    let session = world.broker.session("a", world.now).expect("it is there");
    assert_eq!((session.queue_messages, session.queue_bytes), (0, 0));
    let dropped = world.broker.stats().dropped;
    assert_eq!((dropped.expired, dropped.damaged), (6, 0));
    assert_eq!(world.broker.stats().waiting, 0);
}

/// Its number stands in the queue until somebody looks.
#[test]
fn what_has_expired_takes_no_place_in_a_queue_either() {
    for queue_overflow in [QueueOverflow::DropOldest, QueueOverflow::DropNewest] {
        for filter in ["t", "$share/g/t"] {
            let mut world = World::with(Limits {
                queue_messages_per_session_max: 3,
                queue_overflow,
                ..Limits::default()
            });
            away(&mut world, "a", filter);
            let (publisher, _) = world.connect(clean("p"));
            for id in 1..=3 {
                publish_short(&mut world, publisher, id, QoS::AtLeastOnce);
            }
            world.pass_ms(HOUR_MS);
            for number in ["1", "2", "3"] {
                world.publish(publisher, 4, "t", number, QoS::AtLeastOnce, false);
            }
            let (client, _) = world.connect(kept("a"));
            let case = format!("{queue_overflow:?} {filter}");
            assert_eq!(world.take_texts(client), ["1", "2", "3"], "{case}");
            let dropped = world.broker.stats().dropped;
            assert_eq!((dropped.expired, dropped.total()), (3, 3), "{case}");
            assert_eq!(world.broker.stats().waiting, 0, "{case}");
        }
    }
}

#[test]
fn what_has_expired_is_off_the_disk() {
    let mut world = World::new();
    away(&mut world, "a", "t");
    let (publisher, _) = world.connect(clean("p"));
    publish_short(&mut world, publisher, 1, QoS::AtLeastOnce);
    world.pass_ms(HOUR_MS);
    world.commit();
    world.crash();
    assert_eq!(world.broker.stats().waiting, 0);
}

#[test]
fn what_expires_while_the_broker_is_down_goes_at_its_start() {
    let mut world = World::new();
    away(&mut world, "a", "t");
    let (publisher, _) = world.connect(clean("p"));
    publish_short(&mut world, publisher, 1, QoS::AtLeastOnce);
    world.set_wall_ms(1_000_000 + HOUR_MS);
    world.crash();
    assert_eq!(world.broker.stats().waiting, 1);
    world.pass_ms(0);
    assert_eq!(world.broker.stats().waiting, 0);
}

/// Who has had it, or has ended while it was under way, does not keep it for who is away.
#[test]
fn an_exchange_that_is_over_keeps_nothing() {
    let mut world = World::new();
    away(&mut world, "a", "t");
    let (live, _) = world.connect(kept("live"));
    world.subscribe(live, "t", QoS::AtLeastOnce);
    let (publisher, _) = world.connect(clean("p"));
    publish_short(&mut world, publisher, 1, QoS::AtLeastOnce);
    assert_eq!(world.take_texts(live), ["short"]);
    let (ends, _) = world.connect(kept("ends"));
    world.subscribe(ends, "t", QoS::AtLeastOnce);
    publish_short(&mut world, publisher, 2, QoS::AtLeastOnce);
    assert_eq!(world.take_texts(live), ["short"]);
    assert_eq!(world.received(ends).len(), 1, "not acknowledged");
    let (_, _) = world.connect(clean("ends"));
    world.pass_ms(HOUR_MS);
    assert_eq!(world.broker.stats().waiting, 0);
}

/// [MQTT-4.3.3-7]
#[test]
fn what_has_a_packet_id_does_not_expire() {
    for is_crash in [false, true] {
        let mut world = World::new();
        let (client, _) = world.connect(kept("a"));
        world.subscribe(client, "t", QoS::ExactlyOnce);
        let (publisher, _) = world.connect(clean("p"));
        publish_short(&mut world, publisher, 1, QoS::ExactlyOnce);
        assert_eq!(world.received(client).len(), 1);
        world.cut(client);
        world.commit();
        if is_crash {
            world.crash();
        }
        world.pass_ms(HOUR_MS);
        assert_eq!(world.broker.stats().waiting, 1);
        let (client, _) = world.connect(kept("a"));
        world.commit();
        let packets = world.received(client);
        let [Packet::Publish(again)] = &*packets else {
            panic!("it is sent again: {packets:?}");
        };
        let id = again.packet_id.expect("QoS 2");
        world.send(client, Packet::PubRec(Ack::new(id, ReasonCode::Success)));
        world.send(client, Packet::PubComp(Ack::new(id, ReasonCode::Success)));
        world.commit();
        assert_eq!(world.broker.stats().waiting, 0);
    }
}

/// What has been sent since, by the bytes that a connection wrote.
fn texts_of(mut bytes: BytesMut) -> Vec<String> {
    let mut decoder = Decoder::new(Role::Client, u32::MAX);
    decoder.set_version(Version::V5);
    let mut texts = Vec::new();
    while let Some(packet) = decoder.decode(&mut bytes).expect("MQTT") {
        if let Packet::Publish(publish) = packet {
            texts.push(text(&publish));
        }
    }
    texts
}

/// It has more waiting than one turn writes.
fn expires_while_the_client_does_not_read(retain: bool) {
    let mut world = World::with(Limits {
        back_pressure_bytes: usize::MAX,
        ..Limits::default()
    });
    let origin = Origin {
        address: "test".into(),
        transport: Transport::Tcp,
    };
    let waker = Waker::noop().clone();
    let mut reader = world.broker.connect(origin, waker, world.now);
    reader.set_durability(Durability::Relaxed);
    let mut bytes = BytesMut::new();
    let connect = Packet::Connect(Box::new(clean("reader")));
    encode(&connect, Version::V5, &mut bytes);
    let options = SubscriptionOptions {
        retain_as_published: retain,
        ..SubscriptionOptions::default()
    };
    let subscribe = subscribe(1, "t", options);
    encode(&subscribe, Version::V5, &mut bytes);
    while reader.receive(&mut bytes, world.now) {}
    assert!(reader.poll_question().is_some(), "may it come in?");
    let answer = Answer::Authenticated(Ok(Identity::default()).into());
    reader.handle_answer(answer, world.now);
    while reader.receive(&mut bytes, world.now) {}
    while reader.poll_transmit(&mut BytesMut::new(), world.now) {}

    let (publisher, _) = world.connect(clean("p"));
    let long = "x".repeat(10 * 1024);
    for _ in 0..40 {
        let mut message = publish(1, "t", &long, QoS::AtMostOnce);
        message.properties.message_expiry_interval = Some(1);
        message.retain = retain;
        world.send(publisher, Packet::Publish(Box::new(message)));
    }
    world.publish(publisher, 1, "t", "last", QoS::AtMostOnce, false);
    let mut before = BytesMut::new();
    assert!(reader.poll_transmit(&mut before, world.now));
    let before = texts_of(before);
    assert!(
        (1..10).contains(&before.len()),
        "as much as one turn writes"
    );
    world.pass_ms(1_000);
    let mut after = BytesMut::new();
    while reader.poll_transmit(&mut after, world.now) || reader.wants_turn() {}
    assert_eq!(texts_of(after), ["last"]);
    let dropped = world.broker.stats().dropped;
    assert_eq!(dropped.expired, 40 - before.len() as u64);
}

/// Whoever takes nothing of the stream for a while has more waiting than one turn writes [MQTT-3.3.2-5].
#[test]
fn what_expires_while_the_client_does_not_read_is_not_sent() {
    expires_while_the_client_does_not_read(false);
}

/// It is a live one, though its publisher has it retained and the client is told so.
#[test]
fn nor_is_a_live_message_that_is_retained() {
    expires_while_the_client_does_not_read(true);
}

/// Nobody may ever return for them: their numbers do not become more and more.
#[test]
fn numbers_of_what_has_expired_go_when_more_comes() {
    for queue_overflow in [QueueOverflow::DropOldest, QueueOverflow::DropNewest] {
        let mut world = World::with(Limits {
            queue_overflow,
            ..Limits::default()
        });
        away(&mut world, "a", "t");
        away(&mut world, "b", "$share/g/t");
        let (publisher, _) = world.connect(clean("p"));
        for id in 1..=100 {
            publish_short(&mut world, publisher, id, QoS::AtLeastOnce);
        }
        world.pass_ms(HOUR_MS);
        assert_eq!(world.broker.stats().dropped.expired, 0);
        for id in 101..=200 {
            publish_short(&mut world, publisher, id, QoS::AtLeastOnce);
        }
        let session = world.broker.session("a", world.now).expect("it is there");
        assert_eq!(session.queue_messages, 100);
        assert_eq!(
            world.broker.stats().dropped.expired,
            200,
            "{queue_overflow:?}"
        );
        assert_eq!(world.broker.stats().waiting, 100);
        world.pass_ms(HOUR_MS);
        world.publish(publisher, 1, "t", "other", QoS::AtLeastOnce, false);
        for id in ["a", "b"] {
            let (client, connack) = world.connect(kept(id));
            let lost = extension::values(&connack.user_properties, "ebbtide-dropped");
            assert_eq!(lost.count(), 0, "expiry is no loss");
            assert_eq!(world.take_texts(client), ["other"]);
        }
        assert_eq!(world.broker.stats().dropped.expired, 400);
        assert_eq!(world.broker.stats().waiting, 0);
        world.commit();
        world.crash();
        assert_eq!(world.broker.stats().waiting, 0);
    }
}
