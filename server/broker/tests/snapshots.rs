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
use ebbtide_broker::{Answer, Broker, Durability, Identity, Now, Origin};
use ebbtide_protocol::{Packet, QoS, ReasonCode, Version, codec::encode, packet::Disconnect};
use ebbtide_store::Operation;
use world::{World, clean, kept, publish};

/// So many that most have not changed again between a subscription and its snapshot.
const TOPICS: usize = 512;

/// Publishes ascending values, each retained, to one topic after the other; as many as get in.
fn publish_until(broker: &Broker, is_over: &AtomicBool) {
    let origin = Origin {
        address: "test".into(),
        transport: "tcp",
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
            let answer = Answer::Authenticated(Ok(Identity { user: None }).into());
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
    let (first, _) = world.connect(clean("first"));
    for n in 0..TOPICS {
        world.publish(first, 1, &format!("r/{n}"), "0", QoS::AtLeastOnce, true);
    }
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
