//! No room on the disk: what would have to be kept is refused before anybody gets it, and everything else goes on. The same for
//! a store that has failed, and how it comes back.

mod world;

use ebbtide_broker::{Batch, Limits, NoRoom, PresenceTopic};
use ebbtide_protocol::{
    Packet, QoS, ReasonCode, Version,
    packet::{Ack, Connect, Disconnect, Publish, SubscriptionOptions},
};
use ebbtide_store::Store as _;
use world::*;

const VERSIONS: [Version; 2] = [Version::V5, Version::V3_1_1];

fn of(version: Version, connect: Connect) -> Connect {
    Connect { version, ..connect }
}

/// Kept in either version.
fn stays(version: Version, id: &str) -> Connect {
    match version {
        Version::V5 => kept(id),
        _ => kept_3(id),
    }
}

/// The disk is full from now on.
fn fill(world: &World) {
    world.broker.journal().set_room_bytes(0);
    assert_eq!(world.broker.journal().no_room(), Some(NoRoom::Full));
}

/// The next commit fails; gives its batch.
fn break_store(world: &mut World) -> Batch {
    let (breaker, _) = world.connect(clean("breaker"));
    let mut packet = publish(9, "broken", "x", QoS::AtLeastOnce);
    packet.retain = true;
    world.send(breaker, Packet::Publish(Box::new(packet)));
    let batch = world.broker.journal().take().expect("a batch");
    world.broker.journal().failed();
    world.settle();
    assert_eq!(world.is_closed(breaker), Some(ReasonCode::ServerBusy));
    assert_eq!(world.broker.journal().no_room(), Some(NoRoom::Failed));
    batch
}

/// The store works again and has the batch.
fn heal(world: &mut World, batch: Batch) {
    // As with every opening, what no session owns is swept.
    world.store.recover(&mut |_| {}).expect("recovers");
    world.store.commit(&batch.operations).expect("commits");
    world.broker.journal().committed(&batch);
    world.broker.journal().healed();
    assert_eq!(world.broker.journal().no_room(), None);
    world.commit();
}

fn retained(id: u16, payload: &str, qos: QoS) -> Publish {
    let mut packet = publish(id, "t", payload, qos);
    packet.retain = true;
    packet
}

/// Sends a publish that must be refused in the way of the version.
fn is_refused(world: &mut World, client: Client, version: Version, packet: Publish) {
    let (id, qos) = (packet.packet_id, packet.qos);
    world.send(client, Packet::Publish(Box::new(packet)));
    let received = world.received(client);
    if version == Version::V3_1_1 {
        assert_eq!(received, [], "nothing is acknowledged");
        assert_eq!(world.is_closed(client), Some(ReasonCode::QuotaExceeded));
        return;
    }
    let ack = match (&received[..], qos) {
        ([Packet::PubAck(ack)], QoS::AtLeastOnce) | ([Packet::PubRec(ack)], QoS::ExactlyOnce) => {
            ack
        }
        other => panic!("unexpected {other:?}"),
    };
    assert_eq!(
        (Some(ack.packet_id), ack.reason),
        (id, ReasonCode::QuotaExceeded)
    );
    assert!(ack.reason_string.is_some());
    assert_eq!(world.is_closed(client), None);
}

#[test]
fn a_retained_publish_is_refused_and_nobody_has_got_it() {
    for (version, qos) in VERSIONS
        .into_iter()
        .flat_map(|version| [(version, QoS::AtLeastOnce), (version, QoS::ExactlyOnce)])
    {
        let mut world = World::new();
        let (watcher, _) = world.connect(clean("w"));
        world.subscribe(watcher, "t", QoS::AtMostOnce);
        let (publisher, _) = world.connect(of(version, clean("p")));
        fill(&world);
        is_refused(&mut world, publisher, version, retained(1, "x", qos));
        assert_eq!(world.take_texts(watcher), Vec::<String>::new());
        let stats = world.broker.stats();
        assert_eq!((stats.retained, stats.dropped.no_room), (0, 1));
    }
}

#[test]
fn a_retained_publish_at_qos_0_is_dropped_and_counted() {
    for version in VERSIONS {
        let mut world = World::new();
        let (watcher, _) = world.connect(clean("w"));
        world.subscribe(watcher, "t", QoS::AtMostOnce);
        let (publisher, _) = world.connect(of(version, clean("p")));
        world.publish(publisher, 1, "t", "before", QoS::AtLeastOnce, true);
        assert_eq!(world.take_texts(watcher), ["before"]);
        fill(&world);
        let packet = retained(0, "after", QoS::AtMostOnce);
        world.send(publisher, Packet::Publish(Box::new(packet)));
        assert_eq!(world.is_closed(publisher), None);
        assert_eq!(world.take_texts(watcher), Vec::<String>::new());
        assert_eq!(world.broker.stats().dropped.no_room, 1);
        // The value before is still the value.
        let (newcomer, _) = world.connect(clean("n"));
        world.subscribe(newcomer, "t", QoS::AtMostOnce);
        assert_eq!(world.take_texts(newcomer), ["before"]);
    }
}

#[test]
fn a_publish_to_a_kept_session_is_refused_for_all_its_subscribers() {
    for version in VERSIONS {
        let mut world = World::new();
        let (away, _) = world.connect(kept("away"));
        world.subscribe(away, "t", QoS::AtLeastOnce);
        world.cut(away);
        let (watcher, _) = world.connect(clean("w"));
        world.subscribe(watcher, "t", QoS::AtLeastOnce);
        let (publisher, _) = world.connect(of(version, clean("p")));
        world.commit();
        fill(&world);
        let packet = publish(1, "t", "x", QoS::AtLeastOnce);
        is_refused(&mut world, publisher, version, packet);
        assert_eq!(world.take_texts(watcher), Vec::<String>::new());
        assert_eq!(world.broker.stats().waiting, 0);
    }
}

#[test]
fn qos_2_of_a_kept_publisher_is_refused_for_its_packet_id() {
    for version in VERSIONS {
        let mut world = World::new();
        let (publisher, _) = world.connect(stays(version, "p"));
        fill(&world);
        let packet = publish(1, "t", "x", QoS::ExactlyOnce);
        is_refused(&mut world, publisher, version, packet);
    }
}

#[test]
fn what_nobody_keeps_goes_on() {
    for version in VERSIONS {
        for is_broken in [false, true] {
            let mut world = World::new();
            let (watcher, _) = world.connect(of(version, clean("w")));
            world.subscribe(watcher, "t", QoS::ExactlyOnce);
            // At QoS 0 a kept session has nothing kept either.
            let (kept, _) = world.connect(stays(version, "kept"));
            world.subscribe(kept, "t", QoS::AtMostOnce);
            match is_broken {
                true => drop(break_store(&mut world)),
                false => fill(&world),
            }
            let (publisher, _) = world.connect(of(version, clean("p")));
            for (id, qos) in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce]
                .into_iter()
                .enumerate()
            {
                let packet = publish(id as u16, "t", &id.to_string(), qos);
                world.send(publisher, Packet::Publish(Box::new(packet)));
            }
            assert!(matches!(
                world.received(publisher)[..],
                [Packet::PubAck(_), Packet::PubRec(_)]
            ));
            assert_eq!(texts(&world.received(watcher)), ["0", "1", "2"]);
            assert_eq!(texts(&world.received(kept)), ["0", "1", "2"]);
            assert_eq!(world.broker.stats().dropped.no_room, 0);
        }
    }
}

fn texts(packets: &[Packet]) -> Vec<String> {
    let text = |packet: &Packet| match packet {
        Packet::Publish(publish) => text(publish),
        other => panic!("unexpected {other:?}"),
    };
    packets.iter().map(text).collect()
}

/// The reason of CONNACK, as its version can say it.
fn enter(world: &mut World, connect: Connect) -> (Client, Vec<Packet>) {
    let client = world.open();
    world.send(client, Packet::Connect(Box::new(connect)));
    let answers = world.answers(client);
    (client, answers)
}

fn assert_no_entry(world: &mut World, connect: Connect) {
    let version = connect.version;
    let (client, answers) = enter(world, connect);
    let Some(Packet::ConnAck(connack)) = answers.first() else {
        panic!("no CONNACK: {answers:?}");
    };
    let expected = match version {
        Version::V5 => ReasonCode::QuotaExceeded,
        _ => ReasonCode::ServerUnavailable,
    };
    assert_eq!(connack.reason, expected);
    assert!(world.is_closed(client).is_some());
}

#[test]
fn who_needs_nothing_kept_comes_in_and_who_does_is_refused() {
    for version in VERSIONS {
        for is_broken in [false, true] {
            let mut world = World::new();
            match is_broken {
                true => drop(break_store(&mut world)),
                false => fill(&world),
            }
            let (_, answers) = enter(&mut world, of(version, clean("c")));
            assert!(
                matches!(&answers[..], [Packet::ConnAck(connack)] if !connack.reason.is_error())
            );
            assert_no_entry(&mut world, stays(version, "kept"));
            let mut with_will = of(version, clean("will"));
            with_will.will = Some(will("gone", "bye", 0));
            assert_no_entry(&mut world, with_will);
        }
    }
}

#[test]
fn whoever_returns_empties_the_disk() {
    for version in VERSIONS {
        let mut world = World::new();
        let (client, _) = world.connect(stays(version, "kept"));
        world.subscribe(client, "t", QoS::AtLeastOnce);
        world.cut(client);
        let (publisher, _) = world.connect(clean("p"));
        for id in 1..=3 {
            world.publish(publisher, id, "t", &id.to_string(), QoS::AtLeastOnce, false);
        }
        fill(&world);
        let mut connect = stays(version, "kept");
        connect.will = Some(will("gone", "bye", 0));
        let (client, connack) = world.connect(connect);
        assert!(connack.session_present);
        assert_eq!(world.take_texts(client), ["1", "2", "3"]);
        // Its subscription again: the row is replaced. Another one: that would be one more.
        let again = world.subscribe(client, "t", QoS::AtLeastOnce);
        assert_eq!(again.reasons, [ReasonCode::GrantedQoS1]);
        let more = world.subscribe(client, "u", QoS::AtLeastOnce);
        let refused = match version {
            Version::V5 => ReasonCode::QuotaExceeded,
            _ => ReasonCode::UnspecifiedError,
        };
        assert_eq!(more.reasons, [refused]);
        assert_eq!(world.broker.stats().waiting, 0);
        world.crash();
        let (client, _) = world.connect(stays(version, "kept"));
        assert_eq!(world.take_texts(client), Vec::<String>::new());
    }
}

#[test]
fn a_subscription_of_a_transient_session_needs_no_room() {
    for version in VERSIONS {
        let mut world = World::new();
        let (publisher, _) = world.connect(clean("p"));
        world.publish(publisher, 1, "t", "kept", QoS::AtLeastOnce, true);
        fill(&world);
        let (client, _) = world.connect(of(version, clean("c")));
        let suback = world.subscribe(client, "t", QoS::AtLeastOnce);
        assert_eq!(suback.reasons, [ReasonCode::GrantedQoS1]);
        assert_eq!(world.take_texts(client), ["kept"]);
    }
}

#[test]
fn what_makes_the_store_smaller_is_taken() {
    let mut world = World::new();
    let (publisher, _) = world.connect(clean("p"));
    world.publish(publisher, 1, "t", "kept", QoS::AtLeastOnce, true);
    let (leaving, _) = world.connect(kept("leaving"));
    world.subscribe(leaving, "u", QoS::AtLeastOnce);
    world.cut(leaving);
    world.commit();
    fill(&world);
    // A retained message is cleared.
    let packet = retained(2, "", QoS::AtLeastOnce);
    world.send(publisher, Packet::Publish(Box::new(packet)));
    world.commit();
    let cleared = Ack::new(packet_id(2), ReasonCode::NoMatchingSubscribers);
    assert_eq!(world.received(publisher), [Packet::PubAck(cleared)]);
    // A stored session is ended.
    let (_, connack) = world.connect(clean("leaving"));
    assert!(!connack.reason.is_error());
    world.crash();
    let stats = world.broker.stats();
    assert_eq!(
        (stats.retained, stats.sessions, stats.subscriptions),
        (0, 0, 0)
    );
}

#[test]
fn there_is_room_for_as_much_as_was_said() {
    let mut world = World::new();
    let (publisher, _) = world.connect(clean("p"));
    world.broker.journal().set_room_bytes(10_000);
    let payload = "x".repeat(4_000);
    for id in 1..=3 {
        let mut packet = publish(id, &id.to_string(), &payload, QoS::AtLeastOnce);
        packet.retain = true;
        world.send(publisher, Packet::Publish(Box::new(packet)));
    }
    // What the writer has taken still counts.
    let batch = world.broker.journal().take().expect("three publishes");
    let (other, _) = world.connect(clean("o"));
    is_refused(
        &mut world,
        other,
        Version::V5,
        retained(4, "x", QoS::AtLeastOnce),
    );
    world.store.commit(&batch.operations).expect("commits");
    world.broker.journal().committed(&batch);
    world.settle();
    assert_eq!(world.received(publisher).len(), 3);
    world.publish(publisher, 5, "t", "y", QoS::AtLeastOnce, true);
    assert_eq!(world.broker.stats().retained, 4);
}

#[test]
fn a_failed_store_refuses_what_it_would_have_to_keep() {
    for version in VERSIONS {
        let mut world = World::new();
        let (away, _) = world.connect(kept("away"));
        world.subscribe(away, "t", QoS::AtLeastOnce);
        world.cut(away);
        let (watcher, _) = world.connect(clean("w"));
        world.subscribe(watcher, "t", QoS::AtLeastOnce);
        let batch = break_store(&mut world);
        for packet in [
            retained(1, "x", QoS::AtLeastOnce),
            // To clear it would be a promise too.
            retained(2, "", QoS::AtLeastOnce),
            publish(3, "t", "x", QoS::AtLeastOnce),
        ] {
            let id = format!("p{:?}", packet.packet_id);
            let (publisher, _) = world.connect(of(version, clean(&id)));
            is_refused(&mut world, publisher, version, packet);
        }
        assert_no_entry(&mut world, stays(version, "away"));
        assert_eq!(world.take_texts(watcher), Vec::<String>::new());

        heal(&mut world, batch);
        let (publisher, _) = world.connect(of(version, clean("p")));
        world.publish(publisher, 4, "t", "after", QoS::AtLeastOnce, false);
        // Nobody but those who waited has lost the connection.
        assert_eq!(world.take_texts(watcher), ["after"]);
        world.crash();
        let (away, connack) = world.connect(stays(version, "away"));
        assert!(connack.session_present);
        assert_eq!(world.take_texts(away), ["after"]);
    }
}

/// The client repeats what was not acknowledged: also when the failed batch had reached the disk, it arrives once.
#[test]
fn qos_2_stays_exactly_once_across_a_failed_commit() {
    for was_written in [false, true] {
        let mut world = World::new();
        let (subscriber, _) = world.connect(kept("s"));
        world.subscribe(subscriber, "t", QoS::ExactlyOnce);
        let (publisher, _) = world.connect(kept("p"));
        let packet = || publish(1, "t", "once", QoS::ExactlyOnce);
        world.send(publisher, Packet::Publish(Box::new(packet())));
        let batch = world.broker.journal().take().expect("the publish");
        if was_written {
            world.store.commit(&batch.operations).expect("commits");
        }
        world.broker.journal().failed();
        world.settle();
        assert_eq!(world.is_closed(publisher), Some(ReasonCode::ServerBusy));
        // Its packet id is not known to be on disk: no message, but the end.
        assert_eq!(world.is_closed(subscriber), Some(ReasonCode::ServerBusy));
        assert!(matches!(
            world.received(subscriber)[..],
            [Packet::Disconnect(_)]
        ));
        heal(&mut world, batch);

        let (publisher, connack) = world.connect(kept("p"));
        assert!(connack.session_present);
        let mut again = packet();
        again.dup = true;
        world.send(publisher, Packet::Publish(Box::new(again)));
        world.commit();
        assert!(matches!(world.received(publisher)[..], [Packet::PubRec(_)]));
        let (subscriber, _) = world.connect(kept("s"));
        assert_eq!(world.take_texts(subscriber), ["once"]);
        world.crash();
        let (subscriber, _) = world.connect(kept("s"));
        assert_eq!(world.take_texts(subscriber), Vec::<String>::new());
    }
}

/// What was acknowledged is never replaced by what was not, and the other way round nothing is lost.
#[test]
fn a_retained_value_never_goes_back_across_a_failed_commit() {
    let mut world = World::new();
    let (publisher, _) = world.connect(clean("p"));
    world.publish(publisher, 1, "t", "acknowledged", QoS::AtLeastOnce, true);
    let packet = retained(2, "unknown", QoS::AtLeastOnce);
    world.send(publisher, Packet::Publish(Box::new(packet)));
    let batch = world.broker.journal().take().expect("the second value");
    world.broker.journal().failed();
    world.settle();
    let look = |world: &mut World, id: &str| {
        let (reader, _) = world.connect(clean(id));
        let options = SubscriptionOptions::default();
        world.send(reader, subscribe(1, "t", options));
        world.take_suback(reader);
        world.take_texts(reader)
    };
    let seen = look(&mut world, "while it is broken");
    heal(&mut world, batch);
    assert_eq!(look(&mut world, "healed"), seen);
    world.crash();
    assert_eq!(look(&mut world, "after a crash"), seen);
}

/// CONNACK waits for the entry, so it can be given only when the disk works; while it is full, there is room for entries.
#[test]
fn presence_needs_a_store_that_works() {
    let topic = PresenceTopic::new("presence/{client}", None).expect("a template");
    let mut world = World::with_presence(Limits::default(), topic);
    fill(&world);
    let (watcher, _) = world.connect(clean("w"));
    world.subscribe(watcher, "presence/#", QoS::AtMostOnce);
    assert_eq!(world.take_all(watcher).len(), 1);
    let (_, connack) = world.connect(clean("c"));
    assert!(!connack.reason.is_error());
    assert_eq!(world.take_all(watcher).len(), 1);
    world.broker.journal().set_room_bytes(u64::MAX);
    break_store(&mut world);
    assert_no_entry(&mut world, clean("d"));
}

/// CONNACK would say that there is no session, and the disk may still have it.
#[test]
fn whoever_ended_a_session_comes_in_when_its_end_is_on_disk() {
    let mut world = World::new();
    let (client, _) = world.connect(kept("c"));
    let batch = break_store(&mut world);
    let mut farewell = Disconnect::new(ReasonCode::Success);
    farewell.session_expiry_interval = Some(0);
    world.send(client, Packet::Disconnect(Box::new(farewell)));
    assert_no_entry(&mut world, clean("c"));
    heal(&mut world, batch);
    let (_, connack) = world.connect(clean("c"));
    assert!(!connack.reason.is_error());
}
