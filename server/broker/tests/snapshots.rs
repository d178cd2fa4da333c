//! The retained messages that a kept session gets for a subscription: their order on disk, and their room there.

mod world;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
    thread,
};

use bytes::BytesMut;
use ebbtide_broker::{Answer, Broker, Durability, Identity, Limits, Now, Origin, Transport};
use ebbtide_protocol::{Packet, QoS, ReasonCode, Version, codec::encode, packet::Disconnect};
use ebbtide_store::Operation;
use world::{World, clean, kept, publish};

/// So many that most have not changed again between a subscription and its snapshot.
const TOPICS: usize = 512;

/// As long as a snapshot that finds no room is put off.
const PUT_OFF_MS: u64 = 1_000;

/// So many retained messages below `r`.
fn retain(world: &mut World, count: usize) {
    let (publisher, _) = world.connect(clean("retains"));
    for n in 0..count {
        world.publish(publisher, 1, &format!("r/{n}"), "0", QoS::AtLeastOnce, true);
    }
}

/// Publishes ascending values, each retained, to one topic after the other; as many as get in.
fn publish_until(broker: &Broker, is_over: &AtomicBool) {
    let origin = Origin {
        address: "test".into(),
        transport: Transport::Tcp,
    };
    let mut connection = broker.connect(origin, Waker::noop().clone(), Now::default());
    connection.set_durability(Durability::Relaxed);
    let mut bytes = BytesMut::new();
    let connect = Packet::Connect(Box::new(clean("publisher")));
    encode(&connect, Version::V5, &mut bytes);
    let mut values = 0..;
    while !is_over.load(Ordering::Acquire) {
        while connection.receive(&mut bytes, Now::default()) {}
        while connection.poll_question().is_some() {
            let answer = Answer::Authenticated(Ok(Identity::default()).into());
            connection.handle_answer(answer, Now::default());
        }
        while connection.poll_transmit(&mut BytesMut::new(), Now::default()) {}
        if bytes.is_empty()
            && let Some(value) = values.next()
        {
            let topic = format!("r/{}", value % TOPICS);
            let mut one = publish(1, &topic, &format!("{value}"), QoS::AtLeastOnce);
            one.retain = true;
            encode(&Packet::Publish(Box::new(one)), Version::V5, &mut bytes);
        }
    }
}

/// Else a session would get an old value behind the one that has replaced it, after a crash.
#[test]
fn a_value_that_is_replaced_meanwhile_is_not_numbered_behind_the_newer_one() {
    let mut world = World::new();
    retain(&mut world, TOPICS);
    let is_over = Arc::new(AtomicBool::new(false));
    let publisher = {
        let (broker, is_over) = (world.broker.clone(), Arc::clone(&is_over));
        thread::spawn(move || publish_until(&broker, &is_over))
    };
    for _ in 0..40 {
        // Its SUBACK, and so the snapshot, waits for no commit.
        let subscriber = world.open_relaxed();
        world.send(subscriber, Packet::Connect(Box::new(kept("s"))));
        world.subscribe(subscriber, "r/#", QoS::AtLeastOnce);
        let farewell = Disconnect {
            session_expiry_interval: Some(0),
            ..Disconnect::new(ReasonCode::Success)
        };
        world.send(subscriber, Packet::Disconnect(Box::new(farewell)));
    }
    is_over.store(true, Ordering::Release);
    publisher.join().expect("the publisher ends");
    world.commit();

    let mut queued: Vec<_> = world
        .batches
        .iter()
        .flatten()
        .filter_map(|operation| match operation {
            Operation::Accept(accept) => accept.queued.as_ref(),
            _ => None,
        })
        .collect();
    queued.sort_unstable_by_key(|queue| queue.sequence);
    let mut newest = BTreeMap::new();
    for queue in queued {
        let text = std::str::from_utf8(&queue.message.payload).expect("text");
        let value: usize = text.parse().expect("a number");
        for recipient in &*queue.recipients {
            let topic = queue.message.topic.as_str();
            let newest = newest.entry((recipient.session, topic)).or_insert(0);
            assert!(
                value >= *newest,
                "{topic} goes back to {value} from {newest}"
            );
            *newest = value;
        }
    }
    assert!(!newest.is_empty(), "something was kept");
}

/// They wait until there is room, and hold nothing else up: what stands behind them may be what makes room.
#[test]
fn a_full_disk_takes_no_copies_of_retained_messages() {
    #[derive(Clone, Copy, Debug)]
    enum Then {
        Nothing,
        Returns,
        Crashes,
    }
    for then in [Then::Nothing, Then::Returns, Then::Crashes] {
        let mut world = World::new();
        retain(&mut world, 100);
        let (mut subscriber, _) = world.connect(kept("s"));
        world.subscribe(subscriber, "r/#", QoS::AtLeastOnce);
        assert_eq!(world.take_all(subscriber).len(), 100);
        world.subscribe(subscriber, "live", QoS::AtMostOnce);

        world.broker.journal().set_room_bytes(0);
        let before = world.batches.len();
        for _ in 0..50 {
            let suback = world.subscribe(subscriber, "r/#", QoS::AtLeastOnce);
            assert_eq!(suback.reasons, [ReasonCode::GrantedQoS1]);
        }
        world.pass_ms(PUT_OFF_MS);
        world.commit();
        let written = world.batches[before..].iter().flatten();
        let copies = written.filter(
            |operation| matches!(operation, Operation::Accept(accept) if accept.queued.is_some()),
        );
        assert_eq!(copies.count(), 0);
        // What stands behind goes on.
        let (publisher, _) = world.connect(clean("p"));
        world.publish(publisher, 1, "live", "now", QoS::AtMostOnce, false);
        assert_eq!(world.take_texts(subscriber), ["now"]);

        world.broker.journal().set_room_bytes(u64::MAX);
        match then {
            Then::Nothing => world.pass_ms(PUT_OFF_MS),
            Then::Returns => {
                world.cut(subscriber);
                (subscriber, _) = world.connect(kept("s"));
            }
            Then::Crashes => {
                world.crash();
                (subscriber, _) = world.connect(kept("s"));
            }
        }
        assert_eq!(world.take_all(subscriber).len(), 100, "{then:?}");
        world.pass_ms(10 * PUT_OFF_MS);
        assert_eq!(world.take_all(subscriber).len(), 0, "{then:?}");
    }
}

#[test]
fn copies_of_retained_messages_count_towards_what_may_wait() {
    let messages = Limits {
        queue_messages_max: 100,
        ..Limits::default()
    };
    // These are looked at before each chunk.
    let bytes = Limits {
        queue_bytes_max: 100,
        ..Limits::default()
    };
    for (limits, most) in [(messages, 100), (bytes, 256)] {
        let mut world = World::with(limits);
        retain(&mut world, 600);
        let (subscriber, _) = world.connect(kept("s"));
        world.subscribe(subscriber, "r/#", QoS::AtLeastOnce);
        let mut count = 0;
        while count < 600 {
            let waiting = world.broker.stats().waiting;
            assert!(waiting <= most, "{waiting} wait");
            let got = world.take_all(subscriber).len();
            assert!(got > 0, "the rest never comes");
            count += got;
            world.pass_ms(PUT_OFF_MS);
        }
        assert_eq!(count, 600);
    }
}
