//! Whoever publishes faster than somebody reads is read more slowly, and not for ever.

mod world;

use std::{
    num::NonZeroU16,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
};

use ebbtide_broker::{Limits, Now};
use ebbtide_protocol::{
    Packet, QoS, ReasonCode,
    packet::{Connect, SubscriptionOptions},
};
use world::{bare::Bare, *};

const PAUSE_MS: u64 = 500;

fn world() -> World {
    World::with(Limits {
        back_pressure_bytes: 2_000,
        back_pressure_ms_max: PAUSE_MS,
        ..Limits::default()
    })
}

/// One that takes a message at a time, and is sent no more before it has acknowledged.
fn slow(connect: Connect) -> Connect {
    Connect {
        receive_maximum: NonZeroU16::new(1),
        ..connect
    }
}

/// Publishes until it is no longer read, and says how much that was.
fn fill(world: &mut World, publisher: Client, topic: &str) -> u16 {
    for id in 1..=1_000 {
        if !world.is_reading(publisher) {
            return id - 1;
        }
        let packet = publish(id, topic, &"x".repeat(300), QoS::AtLeastOnce);
        world.send(publisher, Packet::Publish(Box::new(packet)));
    }
    panic!("nothing holds it back");
}

#[test]
fn a_publisher_waits_until_there_is_room() {
    for filter in ["t", "$share/g/t"] {
        for session in [clean("reader"), kept("reader")] {
            let mut world = world();
            let (reader, _) = world.connect(slow(session));
            world.subscribe(reader, filter, QoS::AtLeastOnce);
            let (publisher, _) = world.connect(clean("publisher"));
            let (other, _) = world.connect(clean("other"));
            let count = fill(&mut world, publisher, "t");
            assert!((2..20).contains(&count), "{count}");
            world.publish(other, 1, "elsewhere", "m", QoS::AtLeastOnce, false);
            assert!(world.is_reading(other), "it fills nobody's queue");
            assert_eq!(world.take_all(reader).len(), usize::from(count));
            assert!(world.is_reading(publisher), "there is room");
            assert_eq!(
                fill(&mut world, publisher, "t"),
                count,
                "and it waits again"
            );
        }
    }
}

#[test]
fn nobody_waits_for_long_and_only_once() {
    let mut world = world();
    let (reader, _) = world.connect(slow(clean("reader")));
    world.subscribe(reader, "t", QoS::AtLeastOnce);
    let (publisher, _) = world.connect(clean("publisher"));
    let (second, _) = world.connect(clean("second"));
    fill(&mut world, publisher, "t");
    world.pass_ms(PAUSE_MS - 1);
    assert!(!world.is_reading(publisher));
    // Whoever comes later waits for the rest of the time.
    world.publish(second, 1, "t", "m", QoS::AtLeastOnce, false);
    assert!(!world.is_reading(second));
    world.pass_ms(1);
    assert!(world.is_reading(publisher) && world.is_reading(second));
    world.publish(publisher, 999, "t", "m", QoS::AtLeastOnce, false);
    assert!(world.is_reading(publisher), "it has waited for this one");
    world.take_all(reader);
    fill(&mut world, publisher, "t");
}

/// Whether somebody has been woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Only who is woken looks whether it may go on, as with a real runtime.
#[test]
fn of_many_who_wait_nobody_is_forgotten() {
    const MANY: usize = 20;
    for filter in ["t", "$share/g/t"] {
        let world = world();
        let mut reader = Bare::open(&world, clean("reader"));
        reader.send(&subscribe(1, filter, SubscriptionOptions::default()));
        reader.turn();
        let mut publishers: Vec<_> = (0..MANY)
            .map(|number| {
                let woken = Arc::new(Woken::default());
                let waker = Waker::from(Arc::clone(&woken));
                let connect = clean(&format!("publisher {number}"));
                (Bare::woken_by(&world, connect, waker), woken)
            })
            .collect();
        let message = publish(1, "t", &"x".repeat(300), QoS::AtLeastOnce);
        let message = Packet::Publish(Box::new(message));
        while publishers[0].0.connection.wants_input() {
            publishers[0].0.send(&message);
        }
        for (publisher, _) in &mut publishers[1..] {
            publisher.send(&message);
            assert!(!publisher.connection.wants_input());
        }
        // Some of them do not wait for the end.
        publishers.drain(3..6);
        while !reader.turn().is_empty() {}
        // Nor do some that have been told.
        publishers.drain(..2);
        while let Some((publisher, _)) = publishers
            .iter_mut()
            .find(|(_, woken)| woken.0.swap(false, Ordering::Relaxed))
        {
            publisher.connection.handle_wake(Now::default());
        }
        for (number, (publisher, _)) in publishers.iter().enumerate() {
            assert!(publisher.connection.wants_input(), "{filter}: {number}");
        }
    }
}

/// A reader with such a subscription, and a publisher that is no longer read because of it.
fn held_back(filter: &str, reader: Connect) -> (World, Client, Client) {
    let mut world = world();
    let (reader, _) = world.connect(slow(reader));
    world.subscribe(reader, filter, QoS::AtLeastOnce);
    let (publisher, _) = world.connect(clean("publisher"));
    fill(&mut world, publisher, "t");
    (world, reader, publisher)
}

#[test]
fn it_waits_for_nobody_who_is_gone() {
    for filter in ["t", "$share/g/t"] {
        for session in [clean("reader"), kept("reader")] {
            let (mut world, reader, publisher) = held_back(filter, session);
            world.cut(reader);
            assert!(world.is_reading(publisher));
        }
    }
}

#[test]
fn it_waits_for_nobody_who_has_left_the_group() {
    let (mut world, reader, publisher) = held_back("$share/g/t", clean("reader"));
    world.send(reader, unsubscribe(2, "$share/g/t"));
    assert!(world.is_reading(publisher));
}

/// A publisher with a keep alive of a second that has not been read from for four, of five, and the reader that it waits for.
fn held_back_for_long() -> (World, Client, Client) {
    let mut world = World::with(Limits {
        back_pressure_bytes: 2_000,
        back_pressure_ms_max: 5_000,
        ..Limits::default()
    });
    let (reader, _) = world.connect(slow(clean("reader")));
    world.subscribe(reader, "t", QoS::AtLeastOnce);
    let (publisher, _) = world.connect(Connect {
        keep_alive: 1,
        ..clean("publisher")
    });
    fill(&mut world, publisher, "t");
    world.pass_ms(4_000);
    (world, publisher, reader)
}

#[test]
fn a_keep_alive_does_not_run_while_nothing_is_read() {
    let (mut world, publisher, _) = held_back_for_long();
    assert_eq!(world.is_closed(publisher), None);
    // Nor does it end with the time in which nothing was read.
    world.pass_ms(1_000);
    assert!(world.is_reading(publisher));
    world.pass_ms(1_499);
    assert_eq!(world.is_closed(publisher), None);
    world.pass_ms(1);
    assert_eq!(
        world.is_closed(publisher),
        Some(ReasonCode::KeepAliveTimeout)
    );
}

/// Somebody looks at the clock before the client has had its say.
#[test]
fn a_keep_alive_begins_anew_when_there_is_room() {
    let (mut world, publisher, reader) = held_back_for_long();
    world.take_all(reader);
    assert!(world.is_reading(publisher));
    world.pass_ms(1_499);
    assert_eq!(world.is_closed(publisher), None);
}

/// And where nothing is waited for: the writer has taken what was too much.
#[test]
fn a_keep_alive_begins_anew_when_the_disk_keeps_up() {
    let mut world = World::with(Limits {
        journal_bytes_max: 2_000,
        ..Limits::default()
    });
    let publisher = world.open_relaxed();
    let connect = Connect {
        keep_alive: 1,
        ..clean("publisher")
    };
    world.send(publisher, Packet::Connect(Box::new(connect)));
    let (away, _) = world.connect(kept("away"));
    world.subscribe(away, "t", QoS::AtLeastOnce);
    world.cut(away);
    fill(&mut world, publisher, "t");
    world.pass_ms(4_000);
    world.commit();
    assert!(world.is_reading(publisher));
    world.pass_ms(1_499);
    assert_eq!(world.is_closed(publisher), None);
}

/// It is not read while it waits, so it could not acknowledge what would make room.
#[test]
fn nobody_waits_for_itself() {
    for session in [clean("echo"), kept("echo")] {
        let mut world = world();
        let (echo, _) = world.connect(slow(session));
        world.subscribe(echo, "t", QoS::AtLeastOnce);
        let (other, _) = world.connect(clean("other"));
        for id in 1..=20 {
            let packet = publish(id, "t", &"x".repeat(300), QoS::AtLeastOnce);
            world.send(echo, Packet::Publish(Box::new(packet)));
            assert!(world.is_reading(echo), "{id}");
        }
        world.publish(other, 1, "t", "m", QoS::AtLeastOnce, false);
        assert!(!world.is_reading(other), "others wait for it");
    }
}

/// As above, and as long as nobody else takes what it publishes to its group.
#[test]
fn nobody_waits_for_a_group_of_its_own() {
    for session in [clean("echo"), kept("echo")] {
        let mut world = world();
        let (echo, _) = world.connect(slow(session));
        world.subscribe(echo, "$share/g/t", QoS::AtLeastOnce);
        let (away, _) = world.connect(kept("away"));
        world.subscribe(away, "$share/g/t", QoS::AtLeastOnce);
        world.cut(away);
        for id in 1..=20 {
            let packet = publish(id, "t", &"x".repeat(300), QoS::AtLeastOnce);
            world.send(echo, Packet::Publish(Box::new(packet)));
            assert!(world.is_reading(echo), "{id}");
        }
        let (other, _) = world.connect(clean("other"));
        world.publish(other, 1, "t", "m", QoS::AtLeastOnce, false);
        assert!(!world.is_reading(other), "others wait for it");
        let (member, _) = world.connect(slow(clean("member")));
        world.subscribe(member, "$share/g/t", QoS::AtLeastOnce);
        let packet = publish(21, "t", "m", QoS::AtLeastOnce);
        world.send(echo, Packet::Publish(Box::new(packet)));
        assert!(!world.is_reading(echo), "somebody else takes them");
    }
}
