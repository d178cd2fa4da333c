//! What is done to a session from outside: looked at, emptied, disconnected, deleted, whoever owns it.

mod world;

use std::{
    num::NonZeroU16,
    pin::pin,
    task::{Context, Poll, Waker},
};

use ebbtide_broker::{
    Command, Limits, NotDone, Outcome, Pending, QueuePart, QueuedContent, SessionList,
    SessionOrder, SessionSelection, Transport,
};
use ebbtide_protocol::{
    Packet, QoS, ReasonCode,
    packet::{Ack, Connect},
};
use ebbtide_store::Operation;
use world::*;

fn outcome(pending: Pending) -> Result<Outcome, NotDone> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(pending).poll(&mut context) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("nobody has done it"),
    }
}

fn ask(world: &mut World, client_id: &str, command: Command) -> Outcome {
    let now = world.now;
    let pending = world.broker.command(client_id, command, now);
    let pending = pending.expect("a session");
    world.settle();
    outcome(pending).expect("it is done")
}

fn queue(world: &mut World, client_id: &str, offset: usize, count: usize) -> QueuePart {
    match ask(world, client_id, Command::Queue { offset, count }) {
        Outcome::Queue(part) => part,
        other => panic!("{other:?}"),
    }
}

fn purge(world: &mut World, client_id: &str, count: usize) -> u64 {
    let up_to = world.broker.last_sequence();
    match ask(world, client_id, Command::Purge { up_to, count }) {
        Outcome::Purged { count, .. } => count,
        other => panic!("{other:?}"),
    }
}

fn publish_many(world: &mut World, count: u16, qos: QoS) {
    let (publisher, _) = world.connect(clean("p"));
    for number in 1..=count {
        world.publish(publisher, number, "t", &number.to_string(), qos, false);
    }
}

/// A session with one QoS 2 and one QoS 1 exchange under way and three messages that wait.
fn busy(world: &mut World) -> Client {
    let (client, _) = world.connect(Connect {
        receive_maximum: NonZeroU16::new(2),
        ..kept("a")
    });
    world.subscribe(client, "t", QoS::ExactlyOnce);
    publish_many(world, 1, QoS::ExactlyOnce);
    publish_many(world, 4, QoS::AtLeastOnce);
    client
}

#[test]
fn subscriptions_are_listed_in_parts() {
    let mut world = World::new();
    let (client, _) = world.connect(kept("a"));
    for filter in ["b/#", "a", "$share/g/c"] {
        world.subscribe(client, filter, QoS::AtLeastOnce);
    }
    for away in [false, true] {
        if away {
            world.cut(client);
        }
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let command = Command::Subscriptions { after, count: 2 };
            let Outcome::Subscriptions(part) = ask(&mut world, "a", command) else {
                panic!("subscriptions were asked for");
            };
            assert_eq!(part.total, 3);
            let filters = part.subscriptions.iter();
            found.extend(filters.map(|one| one.filter.as_str().to_owned()));
            if !part.has_more {
                break;
            }
            after = found.last().cloned();
        }
        assert_eq!(found, ["$share/g/c", "a", "b/#"]);
    }
}

#[test]
fn the_queue_is_shown_in_its_order() {
    let mut world = World::new();
    let client = busy(&mut world);
    for away in [false, true] {
        if away {
            world.cut(client);
        }
        let part = queue(&mut world, "a", 0, 10);
        assert_eq!((part.total, part.entries.len()), (5, 5), "away: {away}");
        let positions = part.entries.iter().map(|entry| entry.position);
        assert_eq!(positions.collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        let under_way = part.entries.iter().map(|entry| entry.exchange.is_some());
        let expected = [true, true, false, false, false];
        assert_eq!(under_way.collect::<Vec<_>>(), expected);
        let stored = part.entries.iter().filter_map(|entry| match entry.content {
            QueuedContent::Stored(_, sequence) => Some(sequence),
            _ => None,
        });
        let stored: Vec<_> = stored.collect();
        let texts = part
            .entries
            .iter()
            .filter_map(|entry| match &entry.content {
                QueuedContent::Message(message, _) => Some(message.payload.clone()),
                _ => None,
            });
        let texts: Vec<_> = texts.collect();
        assert!(stored.is_sorted());
        if away {
            assert_eq!((stored.len(), texts.len()), (5, 0));
        } else {
            assert_eq!(
                (stored.len(), texts),
                (2, vec!["2".into(), "3".into(), "4".into()])
            );
        }
        let part = queue(&mut world, "a", 3, 1);
        assert_eq!((part.total, part.entries.len()), (5, 1));
        assert_eq!(part.entries[0].position, 3);
        assert!(queue(&mut world, "a", 9, 1).entries.is_empty());
    }
}

#[test]
fn what_is_under_way_to_a_connected_client_stays_when_it_is_emptied() {
    let mut world = World::new();
    let client = busy(&mut world);
    assert_eq!(purge(&mut world, "a", 100), 3);
    assert_eq!(purge(&mut world, "a", 100), 0);
    assert_eq!(queue(&mut world, "a", 0, 10).total, 2);
    assert_eq!(world.broker.stats().dropped.purged, 3);
    world.commit();
    assert_eq!(world.broker.stats().waiting, 2);
    assert_eq!(world.take_texts(client), ["1", "1"]);
    publish_many(&mut world, 1, QoS::AtLeastOnce);
    assert_eq!(world.take_texts(client), ["1"]);
}

/// Else the client would take the next message under its packet id for the same one.
#[test]
fn what_has_a_packet_id_at_qos_2_stays_when_an_absent_one_is_emptied() {
    let mut world = World::new();
    let client = busy(&mut world);
    world.cut(client);
    assert_eq!(purge(&mut world, "a", 100), 4);
    let info = world.broker.session("a", world.now).expect("a session");
    assert_eq!((info.queue_messages, info.in_flight), (0, 1));
    world.commit();
    assert_eq!(world.broker.stats().waiting, 1);
    world.crash();
    let info = world.broker.session("a", world.now).expect("a session");
    assert_eq!((info.queue_messages, info.in_flight), (0, 1));
    assert_eq!(info.dropped.map(|dropped| dropped.count), Some(4));
    let (client, connack) = world.connect(kept("a"));
    assert!(connack.session_present);
    let told = connack.user_properties.first().expect("it is told");
    assert!(told.1.contains(r#""count":4"#), "{told:?}");
    let received = world.take_all(client);
    assert_eq!(received.len(), 1);
    assert_eq!((received[0].qos, received[0].dup), (QoS::ExactlyOnce, true));
}

#[test]
fn it_is_emptied_in_parts_and_only_of_what_was_there() {
    let mut world = World::new();
    let (client, _) = world.connect(kept("a"));
    world.subscribe(client, "t", QoS::AtLeastOnce);
    world.cut(client);
    publish_many(&mut world, 5, QoS::AtLeastOnce);
    let up_to = world.broker.last_sequence();
    publish_many(&mut world, 2, QoS::AtLeastOnce);
    let mut counts = Vec::new();
    loop {
        let command = Command::Purge { up_to, count: 2 };
        let Outcome::Purged { count, .. } = ask(&mut world, "a", command) else {
            panic!("it was to be emptied");
        };
        world.commit();
        counts.push(count);
        if count == 0 {
            break;
        }
    }
    assert_eq!(counts, [2, 2, 1, 0]);
    world.crash();
    let (client, _) = world.connect(kept("a"));
    assert_eq!(world.take_texts(client), ["1", "2"]);
}

/// The connection takes nothing out of its mailbox meanwhile: what it holds of a group has its turn first, and waits for the
/// client. So nothing else would tell the publisher that there is room again.
#[test]
fn whoever_is_held_back_by_a_queue_goes_on_when_it_is_emptied() {
    let mut world = World::with(Limits {
        back_pressure_bytes: 1000,
        ..Limits::default()
    });
    let (client, _) = world.connect(Connect {
        receive_maximum: NonZeroU16::new(1),
        ..kept("a")
    });
    world.subscribe(client, "t", QoS::AtLeastOnce);
    let (publisher, _) = world.connect(clean("p"));
    world.subscribe(client, "$share/g/s", QoS::AtLeastOnce);
    world.publish(publisher, 1, "t", "under way", QoS::AtLeastOnce, false);
    world.publish(publisher, 1, "s", "of the group", QoS::AtLeastOnce, false);
    let mut number = 0;
    while world.is_reading(publisher) {
        number += 1;
        assert!(number < 10_000, "it is never held back");
        let message = publish(number, "t", "x", QoS::AtLeastOnce);
        world.send(publisher, Packet::Publish(Box::new(message)));
        world.commit();
    }
    assert_eq!(purge(&mut world, "a", 10_000), u64::from(number));
    assert!(world.is_reading(publisher));
}

/// More than one answer of the store holds, so some of it is still to be read.
#[test]
fn what_a_returning_client_has_not_read_waits_and_can_be_dropped() {
    let mut world = World::new();
    let (client, _) = world.connect(kept("a"));
    world.subscribe(client, "t", QoS::AtLeastOnce);
    world.cut(client);
    let (publisher, _) = world.connect(clean("p"));
    let text = "x".repeat(100 * 1024);
    for _ in 0..12 {
        world.publish(publisher, 1, "t", &text, QoS::AtLeastOnce, false);
    }
    let (client, _) = world.connect(Connect {
        receive_maximum: NonZeroU16::new(1),
        ..kept("a")
    });
    let info = world.broker.session("a", world.now).expect("a session");
    assert_eq!(info.queue_messages, 11);
    assert_eq!(queue(&mut world, "a", 0, 100).entries.len(), 12);
    assert_eq!(purge(&mut world, "a", 10_000), 11);
    assert_eq!(world.take_texts(client), [text]);
    assert_eq!(world.broker.stats().waiting, 0);
}

#[test]
fn what_a_slow_client_has_not_been_sent_is_counted_wherever_it_waits() {
    let mut world = World::new();
    let (client, _) = world.connect(Connect {
        receive_maximum: NonZeroU16::new(1),
        ..kept("a")
    });
    world.subscribe(client, "t", QoS::AtLeastOnce);
    let (publisher, _) = world.connect(clean("p"));
    for number in 1..=30 {
        world.publish(publisher, number, "t", "x", QoS::AtLeastOnce, false);
    }
    let listed = |world: &World| {
        let list = listed(world, &one("a"));
        let info = &list.sessions[0];
        (info.in_flight, info.queue_messages, info.queue_bytes)
    };
    assert_eq!(listed(&world), (1, 29, 29 * 2));
    // It is the same without the connection.
    world.cut(client);
    assert_eq!(listed(&world), (1, 29, 29 * 2));
}

#[test]
fn a_connection_is_ended_and_its_session_stays() {
    let mut world = World::new();
    let (watcher, _) = world.connect(clean("w"));
    world.subscribe(watcher, "will", QoS::AtMostOnce);
    let (client, _) = world.connect(Connect {
        will: Some(will("will", "gone", 0)),
        ..kept("a")
    });
    let outcome = ask(&mut world, "a", Command::Disconnect);
    assert!(matches!(outcome, Outcome::Disconnected), "{outcome:?}");
    world.commit();
    let farewell = world.received(client);
    let [Packet::Disconnect(disconnect)] = &farewell[..] else {
        panic!("{farewell:?}");
    };
    assert_eq!(disconnect.reason, ReasonCode::AdministrativeAction);
    assert_eq!(world.take_texts(watcher), ["gone"]);
    let outcome = ask(&mut world, "a", Command::Disconnect);
    assert!(matches!(outcome, Outcome::NotConnected), "{outcome:?}");
    let (_, connack) = world.connect(kept("a"));
    assert!(connack.session_present);
}

#[test]
fn a_session_that_is_deleted_is_gone_with_its_connection_and_its_will_is_published() {
    for away in [false, true] {
        let mut world = World::new();
        let (watcher, _) = world.connect(clean("w"));
        world.subscribe(watcher, "will", QoS::AtMostOnce);
        let (client, _) = world.connect(Connect {
            will: Some(will("will", "gone", 3600)),
            ..kept("a")
        });
        world.subscribe(client, "t", QoS::AtLeastOnce);
        if away {
            world.cut(client);
            publish_many(&mut world, 3, QoS::AtLeastOnce);
        }
        let outcome = ask(&mut world, "a", Command::Delete);
        let Outcome::Deleted(ticket) = outcome else {
            panic!("{outcome:?}");
        };
        assert!(!world.broker.journal().is_durable(ticket));
        world.commit();
        assert!(world.broker.journal().is_durable(ticket));
        let removed = world.batches.iter().flatten();
        let removed = removed.filter(|one| matches!(one, Operation::RemoveSession(_)));
        assert_eq!(removed.count(), 1);
        assert_eq!(world.take_texts(watcher), ["gone"]);
        let now = world.now;
        assert!(world.broker.command("a", Command::Delete, now).is_none());
        world.crash();
        assert_eq!(world.broker.stats().waiting, 0);
        let (_, connack) = world.connect(kept("a"));
        assert!(!connack.session_present);
    }
}

#[test]
fn whoever_asked_a_connection_that_ends_is_told() {
    let mut world = World::new();
    let (client, _) = world.connect(kept("a"));
    let command = Command::Subscriptions {
        after: None,
        count: 1,
    };
    let now = world.now;
    let pending = world.broker.command("a", command, now);
    world.cut(client);
    let outcome = outcome(pending.expect("a session"));
    assert!(matches!(outcome, Err(NotDone::Lost)), "{outcome:?}");
}

fn listed(world: &World, selection: &SessionSelection) -> SessionList {
    world.broker.sessions(selection, world.now)
}

/// That session alone.
fn one(client_id: &str) -> SessionSelection {
    SessionSelection {
        text: Some(client_id.to_owned()),
        count: 1,
        ..SessionSelection::default()
    }
}

fn ids(list: &SessionList) -> Vec<&str> {
    list.sessions.iter().map(|one| &*one.client_id).collect()
}

#[test]
fn sessions_are_listed_in_the_order_that_is_wanted() {
    let mut world = World::new();
    for (id, waiting) in [("c1", 2), ("a", 0), ("B", 5), ("d", 2)] {
        let (client, _) = world.connect(kept(id));
        world.subscribe(client, id, QoS::AtLeastOnce);
        world.cut(client);
        let (publisher, _) = world.connect(clean("p"));
        for number in 1..=waiting {
            world.publish(publisher, number, id, "x", QoS::AtLeastOnce, false);
        }
        world.cut(publisher);
        world.pass_ms(1000);
    }
    let (_, _) = world.connect(clean("there"));
    let all = SessionSelection {
        count: 10,
        ..SessionSelection::default()
    };
    assert_eq!(ids(&listed(&world, &all)), ["B", "a", "c1", "d", "there"]);
    let backwards = SessionSelection {
        descending: true,
        ..all.clone()
    };
    let list = listed(&world, &backwards);
    assert_eq!(ids(&list), ["there", "d", "c1", "a", "B"]);
    let most = SessionSelection {
        order: SessionOrder::QueueMessages,
        descending: true,
        count: 2,
        ..all.clone()
    };
    let mut found = Vec::new();
    let mut page = listed(&world, &most);
    loop {
        assert_eq!(page.total, 5);
        found.extend(ids(&page).into_iter().map(str::to_owned));
        let Some(after) = page.next else { break };
        let next = SessionSelection {
            after: Some(after),
            ..most.clone()
        };
        page = listed(&world, &next);
    }
    assert_eq!(found, ["B", "c1", "d", "a", "there"]);
    for descending in [false, true] {
        let first = SessionSelection {
            order: SessionOrder::DisconnectedAt,
            descending,
            ..all.clone()
        };
        let list = listed(&world, &first);
        let gone = if descending {
            ["d", "B", "a", "c1"]
        } else {
            ["c1", "a", "B", "d"]
        };
        assert_eq!(ids(&list)[..4], gone);
        assert_eq!(ids(&list)[4], "there", "it has not gone");
    }
    let searched = SessionSelection {
        text: Some("C".into()),
        ..all.clone()
    };
    assert_eq!(ids(&listed(&world, &searched)), ["c1"]);
    let any = SessionSelection {
        text: Some(String::new()),
        ..all.clone()
    };
    assert_eq!(listed(&world, &any).total, 5);
    let connected = SessionSelection {
        connected: Some(true),
        ..all
    };
    let list = listed(&world, &connected);
    assert_eq!(ids(&list), ["there"]);
    let connection = list.sessions[0].connection.clone();
    assert_eq!(
        connection.expect("it is there").origin.transport,
        Transport::Tcp
    );
}

#[test]
fn a_session_tells_how_much_there_is_of_it() {
    let mut world = World::new();
    let client = busy(&mut world);
    let info = world.broker.session("a", world.now).expect("a session");
    assert_eq!((info.subscriptions, info.in_flight), (1, 2));
    world.send(
        client,
        Packet::PubAck(Ack::new(packet_id(2), ReasonCode::Success)),
    );
    world.cut(client);
    let info = world.broker.session("a", world.now).expect("a session");
    assert_eq!(info.disconnected_at, Some(world.now.wall));
    assert_eq!(
        (info.expires_at, info.session_expiry_interval),
        (None, u32::MAX)
    );
    world.commit();
    world.crash();
    let info = world.broker.session("a", world.now).expect("a session");
    assert_eq!((info.subscriptions, info.connection), (1, None));
    assert_eq!(info.in_flight + info.queue_messages as u32, 4);
}
