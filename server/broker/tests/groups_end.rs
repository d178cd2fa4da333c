//! What a client has in flight of a shared subscription when it unsubscribes: the exchange goes on [MQTT-3.10.4-3].

mod world;

use ebbtide_protocol::{
    Packet, QoS, ReasonCode, TopicFilter,
    packet::{Ack, Publish},
};
use ebbtide_store::{GroupRow, Incarnation, Operation, Store as _};
use world::*;

const FILTER: &str = "$share/g/jobs/#";
const ENDS: [bool; 2] = [false, true];

fn member(world: &mut World, name: &str) -> Client {
    let (client, _) = world.connect(kept(name));
    world.subscribe(client, FILTER, QoS::AtLeastOnce);
    client
}

fn publish_three(world: &mut World) {
    let (publisher, _) = world.connect(clean("publisher"));
    for text in ["0", "1", "2"] {
        world.publish(publisher, 1, "jobs/a", text, QoS::AtLeastOnce, false);
    }
}

/// A member, and what it has been sent and has not acknowledged.
fn at_work() -> (World, Client, Vec<Publish>) {
    let mut world = World::new();
    let client = member(&mut world, "a");
    publish_three(&mut world);
    let sent = publishes(&mut world, client);
    (world, client, sent)
}

fn leave(world: &mut World, client: Client) {
    world.send(client, unsubscribe(2, FILTER));
    world.commit();
    let [Packet::UnsubAck(unsuback)] = &world.received(client)[..] else {
        panic!("no UNSUBACK")
    };
    assert_eq!(unsuback.reasons, [ReasonCode::Success]);
}

/// They come back after their connections, or the broker, have ended.
fn back<const N: usize>(
    world: &mut World,
    clients: [(&str, Client); N],
    by_crash: bool,
) -> [Client; N] {
    if by_crash {
        world.crash();
    } else {
        for (_, client) in clients {
            world.cut(client);
        }
    }
    clients.map(|(name, _)| {
        let (client, connack) = world.connect(kept(name));
        assert!(connack.session_present);
        client
    })
}

/// What was published, not acknowledged.
fn publishes(world: &mut World, client: Client) -> Vec<Publish> {
    world.commit();
    let packets = world.received(client).into_iter();
    let publishes = packets.map(|packet| match packet {
        Packet::Publish(publish) => *publish,
        other => panic!("unexpected {other:?}"),
    });
    publishes.collect()
}

fn said(publishes: &[Publish]) -> Vec<(u16, String)> {
    let said = |publish: &Publish| (publish.packet_id.expect("an id").get(), text(publish));
    publishes.iter().map(said).collect()
}

fn acknowledge(world: &mut World, client: Client, publish: &Publish) {
    let ack = Ack::new(publish.packet_id.expect("an id"), ReasonCode::Success);
    world.send(client, Packet::PubAck(ack));
    world.commit();
}

/// Once acknowledged they wait for nobody, and do not come again after a crash.
fn is_over(mut world: World, client: Client, sent: &[Publish]) {
    for publish in sent {
        acknowledge(&mut world, client, publish);
    }
    assert_eq!(world.broker.stats().waiting, 0);
    world.crash();
    let (client, _) = world.connect(kept("a"));
    assert_eq!(publishes(&mut world, client), []);
}

#[test]
fn the_last_member_is_sent_again_what_it_has_not_acknowledged() {
    for by_crash in ENDS {
        let (mut world, client, sent) = at_work();
        leave(&mut world, client);
        acknowledge(&mut world, client, &sent[0]);
        let [client] = back(&mut world, [("a", client)], by_crash);
        let again = publishes(&mut world, client);
        assert_eq!(said(&again), said(&sent[1..]), "[MQTT-4.4.0-1]");
        assert!(again.iter().all(|publish| publish.dup));
        is_over(world, client, &again);
    }
}

#[test]
fn what_it_acknowledges_after_unsubscribing_is_over() {
    let (mut world, client, sent) = at_work();
    leave(&mut world, client);
    is_over(world, client, &sent);
}

/// Although there are other members, who would have it if this one had not left.
#[test]
fn it_is_sent_again_to_whom_it_was_sent() {
    for by_crash in ENDS {
        let (mut world, client, sent) = at_work();
        let other = member(&mut world, "b");
        leave(&mut world, client);
        acknowledge(&mut world, client, &sent[0]);
        let [other, client] = back(&mut world, [("b", other), ("a", client)], by_crash);
        assert_eq!(publishes(&mut world, other), []);
        let again = publishes(&mut world, client);
        assert_eq!(said(&again), said(&sent[1..]), "[MQTT-4.4.0-1]");
        assert!(again.iter().all(|publish| publish.dup));
        is_over(world, client, &again);
    }
}

/// The group ends with what it has open; this is not its any more.
#[test]
fn the_end_of_the_group_takes_nothing_from_who_left_before() {
    for by_crash in ENDS {
        let (mut world, client, sent) = at_work();
        let other = member(&mut world, "b");
        leave(&mut world, client);
        leave(&mut world, other);
        let [client] = back(&mut world, [("a", client)], by_crash);
        let again = publishes(&mut world, client);
        assert_eq!(said(&again), said(&sent), "[MQTT-4.4.0-1]");
        is_over(world, client, &again);
    }
}

/// Somebody comes while the last member goes, and the broker dies between the new group's row and the removal of the old one's.
#[test]
fn of_two_groups_with_one_filter_one_is_left() {
    let mut world = World::new();
    // Its number is nobody's later.
    world.connect(clean("first"));
    member(&mut world, "a");
    let old = GroupRow {
        group: Incarnation(1),
        filter: TopicFilter::new(FILTER).expect("a filter"),
    };
    let put = Operation::PutGroup(old);
    world.store.commit(&[put]).expect("commits");
    world.crash();
    let last = world.batches.last().expect("a batch");
    assert!(last.contains(&Operation::RemoveGroup(Incarnation(1))));
    let members = ["a", "b"].map(|name| member(&mut world, name));
    publish_three(&mut world);
    let got = members.map(|client| publishes(&mut world, client).len());
    assert_eq!(got.iter().sum::<usize>(), 3, "{got:?}");
}
