//! One session that gets a message more than once: as a member of a group, and by a subscription of its own or in another
//! group. Each copy is delivered, repeated and ended by itself.

mod world;

use std::num::NonZeroU16;

use ebbtide_protocol::{
    Packet, QoS, ReasonCode,
    packet::{Ack, Connect, Publish, SubscriptionOptions},
};
use world::*;

const SHARED: &str = "$share/g/jobs/#";
/// What else it subscribes to, and at what QoS.
const OTHERS: [(&str, QoS); 4] = [
    ("jobs/#", QoS::AtLeastOnce),
    ("jobs/#", QoS::ExactlyOnce),
    ("$share/h/jobs/#", QoS::AtLeastOnce),
    ("$share/h/jobs/#", QoS::ExactlyOnce),
];
const ENDS: [bool; 2] = [false, true];

/// Subscribed to the group at QoS 2 with identifier 1, and to the other with identifier 2.
fn both(world: &mut World, (filter, qos): (&str, QoS)) -> Client {
    let (client, _) = world.connect(kept("s"));
    for (identifier, filter, qos) in [(1, SHARED, QoS::ExactlyOnce), (2, filter, qos)] {
        let options = SubscriptionOptions {
            qos,
            ..Default::default()
        };
        let Packet::Subscribe(mut packet) = subscribe(1, filter, options) else {
            unreachable!("it subscribes")
        };
        packet.subscription_identifier = Some(identifier);
        world.send(client, Packet::Subscribe(packet));
        world.commit();
        world.next_suback(client);
    }
    client
}

fn publish_one(world: &mut World, text: &str) {
    let (publisher, _) = world.connect(clean("p"));
    world.publish(publisher, 1, "jobs/a", text, QoS::ExactlyOnce, false);
    world.send(publisher, disconnect(ReasonCode::Success));
}

/// The connection ends, by a crash of the broker or without, and the client returns.
fn back(world: &mut World, client: Client, by_crash: bool) -> Client {
    if by_crash {
        world.crash();
    } else {
        world.cut(client);
    }
    let (client, connack) = world.connect(Connect {
        // A backlog comes bit by bit.
        receive_maximum: NonZeroU16::new(10),
        ..kept("s")
    });
    assert!(connack.session_present);
    client
}

/// What was published, not acknowledged, by Subscription Identifier.
fn publishes(world: &mut World, client: Client) -> Vec<Publish> {
    world.commit();
    let packets = world.received(client).into_iter();
    let mut publishes: Vec<_> = packets
        .filter_map(|packet| match packet {
            Packet::Publish(publish) => Some(*publish),
            _ => None,
        })
        .collect();
    publishes.sort_by_key(|publish| publish.subscription_identifiers.clone());
    publishes
}

/// Identifier of the subscription, packet id and QoS.
fn kinds(publishes: &[Publish]) -> Vec<(u32, u16, QoS)> {
    let kind = |publish: &Publish| {
        let [identifier] = publish.subscription_identifiers[..] else {
            panic!("one subscription each: {publish:?}")
        };
        (
            identifier,
            publish.packet_id.expect("an id").get(),
            publish.qos,
        )
    };
    publishes.iter().map(kind).collect()
}

/// The client's side of the rest of these exchanges.
fn finish(world: &mut World, client: Client, publishes: &[Publish]) {
    for publish in publishes {
        let ack = Ack::new(publish.packet_id.expect("an id"), ReasonCode::Success);
        world.send(
            client,
            match publish.qos {
                QoS::ExactlyOnce => Packet::PubRec(ack),
                _ => Packet::PubAck(ack),
            },
        );
    }
    world.commit();
    for packet in world.received(client) {
        let Packet::PubRel(ack) = packet else {
            panic!("no PUBREL: {packet:?}")
        };
        world.send(client, Packet::PubComp(ack));
    }
    world.commit();
    assert_eq!(world.is_closed(client), None);
}

/// A lease goes back to its group when the connection ends, and out again under a new id.
fn stays(kind: &(u32, u16, QoS), other: (&str, QoS)) -> bool {
    let is_leased = kind.0 == 2 && other.0.starts_with("$share") && kind.2 == QoS::AtLeastOnce;
    !is_leased
}

/// [MQTT-4.4.0-1]
#[test]
fn each_is_repeated_as_it_was_sent() {
    for other in OTHERS {
        for by_crash in ENDS {
            let mut world = World::new();
            let client = both(&mut world, other);
            publish_one(&mut world, "x");
            let sent = kinds(&publishes(&mut world, client));
            let by: Vec<_> = sent.iter().map(|(by, _, qos)| (*by, *qos)).collect();
            assert_eq!(by, [(1, QoS::ExactlyOnce), (2, other.1)]);
            let client = back(&mut world, client, by_crash);
            let again = publishes(&mut world, client);
            let mut repeated = kinds(&again);
            assert_eq!(repeated.len(), 2, "{other:?}, {by_crash}: {repeated:?}");
            repeated.retain(|kind| stays(kind, other));
            for kind in &repeated {
                assert!(sent.contains(kind), "{other:?}: {sent:?}, then {again:?}");
            }
            finish(&mut world, client, &again);
            assert_eq!(world.broker.stats().waiting, 0);
        }
    }
}

/// [MQTT-4.4.0-1]
#[test]
fn the_end_of_one_leaves_the_other() {
    for other in OTHERS {
        for by_crash in ENDS {
            for ended in 0..2 {
                let mut world = World::new();
                let client = both(&mut world, other);
                publish_one(&mut world, "x");
                let sent = publishes(&mut world, client);
                finish(&mut world, client, &sent[ended..=ended]);
                let left = kinds(&sent[1 - ended..2 - ended]);
                let client = back(&mut world, client, by_crash);
                let again = publishes(&mut world, client);
                let repeated = kinds(&again);
                if stays(&left[0], other) {
                    assert_eq!(repeated, left, "{other:?}, {by_crash}");
                } else {
                    assert_eq!((repeated[0].0, repeated[0].2), (left[0].0, left[0].2));
                }
                finish(&mut world, client, &again);
                assert_eq!(world.broker.stats().waiting, 0);
                let client = back(&mut world, client, true);
                assert_eq!(publishes(&mut world, client), []);
            }
        }
    }
}

#[test]
fn a_backlog_comes_by_both_ways() {
    for other in OTHERS {
        for by_crash in ENDS {
            let mut world = World::new();
            let client = both(&mut world, other);
            // Its own copies stand behind these, so that the group's come first.
            world.subscribe(client, "noise", QoS::AtLeastOnce);
            world.cut(client);
            let (publisher, _) = world.connect(clean("p"));
            for n in 1..=200 {
                world.publish(publisher, n, "noise", "", QoS::AtLeastOnce, false);
            }
            for n in 0..100 {
                publish_one(&mut world, &n.to_string());
            }
            let client = back(&mut world, client, by_crash);
            let got = world.take_all(client);
            for identifier in [1, 2] {
                let by = got
                    .iter()
                    .filter(|publish| publish.subscription_identifiers == [identifier]);
                let texts: Vec<_> = by.map(text).collect();
                let all: Vec<_> = (0..100).map(|n| n.to_string()).collect();
                assert_eq!(texts, all, "{other:?}, {by_crash}: {identifier}");
            }
            assert_eq!(world.broker.stats().waiting, 0);
            assert_eq!(world.broker.stats().dropped.damaged, 0);
        }
    }
}

/// One is over before the disk has anything of it, the other not.
#[test]
fn what_is_not_written_of_one_takes_nothing_from_the_other() {
    for other in [OTHERS[1], OTHERS[3]] {
        for ended in 0..2 {
            let mut world = World::new();
            let client = both(&mut world, other);
            world.cut(client);
            let client = world.open_relaxed();
            world.send(client, Packet::Connect(Box::new(kept("s"))));
            world.commit();
            world.received(client);
            let (publisher, _) = world.connect(clean("p"));
            let packet = publish(1, "jobs/a", "x", QoS::ExactlyOnce);
            world.send(publisher, Packet::Publish(Box::new(packet)));
            // Here nothing waits for the disk.
            let mut sent: Vec<_> = world.received(client);
            assert_eq!(sent.len(), 2);
            sent.sort_by_key(|packet| match packet {
                Packet::Publish(publish) => publish.subscription_identifiers.clone(),
                other => panic!("no PUBLISH: {other:?}"),
            });
            let [Packet::Publish(one), Packet::Publish(two)] = &sent[..] else {
                unreachable!("looked at above")
            };
            let both = [(**one).clone(), (**two).clone()];
            let id = both[ended].packet_id.expect("an id");
            world.send(client, Packet::PubRec(Ack::new(id, ReasonCode::Success)));
            world.send(client, Packet::PubComp(Ack::new(id, ReasonCode::Success)));
            world.commit();
            let client = back(&mut world, client, true);
            let again = publishes(&mut world, client);
            assert_eq!(kinds(&again), kinds(&both[1 - ended..2 - ended]));
            finish(&mut world, client, &again);
            assert_eq!(world.broker.stats().waiting, 0);
            let client = back(&mut world, client, true);
            assert_eq!(publishes(&mut world, client), []);
        }
    }
}
