//! Shared subscriptions: who gets a message, and what becomes of it when that client goes (section 4.8.2).

mod world;

use ebbtide_broker::{Limits, QueueOverflow};
use ebbtide_protocol::{
    Packet, QoS, ReasonCode,
    packet::{Ack, Connect, Publish, SubscriptionOptions},
};
use ebbtide_store::Operation;
use world::*;

const FILTER: &str = "$share/workers/jobs/#";
const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

fn member(world: &mut World, connect: Connect, qos: QoS) -> Client {
    let (client, connack) = world.connect(connect);
    assert_ne!(connack.shared_subscription_available, Some(false));
    world.subscribe(client, FILTER, qos);
    client
}

fn publish_jobs(world: &mut World, range: std::ops::Range<u16>, qos: QoS) {
    let (publisher, _) = world.connect(clean("publisher"));
    for n in range {
        world.publish(publisher, n + 1, "jobs/a", &n.to_string(), qos, false);
    }
    world.send(publisher, disconnect(ReasonCode::Success));
}

fn numbers(range: std::ops::Range<u16>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

fn sorted(texts: impl IntoIterator<Item = String>) -> Vec<u16> {
    let mut numbers: Vec<u16> = texts
        .into_iter()
        .map(|text| text.parse().expect("a number"))
        .collect();
    numbers.sort_unstable();
    numbers
}

/// The publishes that a client has received, not acknowledged.
fn publishes(world: &mut World, client: Client) -> Vec<Publish> {
    let packets = world.received(client).into_iter();
    packets
        .filter_map(|packet| match packet {
            Packet::Publish(publish) => Some(*publish),
            _ => None,
        })
        .collect()
}

fn answer(publish: &Publish) -> Ack {
    Ack::new(publish.packet_id.expect("an id"), ReasonCode::Success)
}

#[test]
fn each_message_goes_to_one_member_and_the_load_is_even() {
    for qos in QOS {
        let mut world = World::new();
        let members = ["a", "b", "c", "d"].map(|name| member(&mut world, kept(name), qos));
        publish_jobs(&mut world, 0..100, qos);
        let shares = members.map(|client| world.take_texts(client));
        assert!(
            shares.iter().all(|share| share.len() == 25),
            "{:?}",
            shares.each_ref().map(Vec::len)
        );
        assert_eq!(sorted(shares.concat()), (0..100).collect::<Vec<_>>());
        assert_eq!(world.broker.stats().waiting, 0);
    }
}

#[test]
fn groups_and_ordinary_subscribers_each_get_their_copy() {
    let mut world = World::new();
    let (one, _) = world.connect(clean("one"));
    world.subscribe(one, "$share/g/jobs/+", QoS::AtLeastOnce);
    world.subscribe(one, "$share/h/jobs/+", QoS::AtLeastOnce);
    world.subscribe(one, "jobs/a", QoS::AtLeastOnce);
    publish_jobs(&mut world, 0..1, QoS::AtLeastOnce);
    assert_eq!(world.take_texts(one), ["0", "0", "0"]);
}

#[test]
fn a_member_gets_it_as_it_subscribed() {
    let mut world = World::new();
    let (client, _) = world.connect(clean("one"));
    let options = SubscriptionOptions {
        qos: QoS::AtLeastOnce,
        retain_as_published: true,
        ..Default::default()
    };
    let Packet::Subscribe(mut packet) = subscribe(1, FILTER, options) else {
        unreachable!("it subscribes")
    };
    packet.subscription_identifier = Some(7);
    world.send(client, Packet::Subscribe(packet));
    world.commit();
    world.take_suback(client);
    let (publisher, _) = world.connect(clean("publisher"));
    world.publish(publisher, 1, "jobs/a", "x", QoS::ExactlyOnce, true);
    let got = world.take_all(client);
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].qos, QoS::AtLeastOnce, "[MQTT-4.8.2-3]");
    assert!(got[0].retain);
    assert_eq!(got[0].subscription_identifiers, [7]);
}

#[test]
fn retained_messages_are_not_sent() {
    let mut world = World::new();
    let (publisher, _) = world.connect(clean("publisher"));
    world.publish(publisher, 1, "jobs/a", "x", QoS::AtLeastOnce, true);
    let client = member(&mut world, kept("a"), QoS::AtLeastOnce);
    assert_eq!(world.take_texts(client), numbers(0..0));
}

#[test]
fn unsent_messages_belong_to_the_group() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut world = World::new();
        let away = member(&mut world, kept("away"), qos);
        world.cut(away);
        publish_jobs(&mut world, 0..50, qos);
        // Whoever is there gets what was published while nobody was.
        let other = member(&mut world, clean("other"), qos);
        assert_eq!(world.take_texts(other), numbers(0..50));
        let (back, _) = world.connect(kept("away"));
        assert_eq!(world.take_texts(back), numbers(0..0));
    }
}

#[test]
fn a_backlog_of_the_group_survives_a_crash() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut world = World::new();
        let away = member(&mut world, kept("away"), qos);
        world.cut(away);
        publish_jobs(&mut world, 0..100, qos);
        world.crash();
        let (back, connack) = world.connect(kept("away"));
        assert!(connack.session_present);
        assert_eq!(world.take_texts(back), numbers(0..100));
        world.crash();
        let (back, _) = world.connect(kept("away"));
        assert_eq!(world.take_texts(back), numbers(0..0));
        assert_eq!(world.broker.stats().waiting, 0);
    }
}

#[test]
fn what_a_dead_member_has_not_acknowledged_at_qos_1_moves() {
    for connect in [kept("dead"), clean("dead")] {
        let mut world = World::new();
        let dead = member(&mut world, connect.clone(), QoS::AtLeastOnce);
        publish_jobs(&mut world, 0..10, QoS::AtLeastOnce);
        let got = publishes(&mut world, dead);
        assert_eq!(got.len(), 10);
        for publish in &got[..4] {
            world.send(dead, Packet::PubAck(answer(publish)));
        }
        world.commit();
        let heir = member(&mut world, kept("heir"), QoS::AtLeastOnce);
        assert_eq!(world.take_texts(heir), numbers(0..0), "it lives");
        world.cut(dead);
        assert_eq!(world.take_texts(heir), numbers(4..10));
        // The dead one has no part in them any more.
        let (back, _) = world.connect(connect);
        assert_eq!(world.take_texts(back), numbers(0..0));
        assert_eq!(world.broker.stats().waiting, 0);
    }
}

#[test]
fn what_was_sent_at_qos_2_never_moves() {
    let mut world = World::new();
    let dead = member(&mut world, kept("dead"), QoS::ExactlyOnce);
    publish_jobs(&mut world, 0..4, QoS::ExactlyOnce);
    let ids: Vec<_> = publishes(&mut world, dead)
        .iter()
        .map(|publish| publish.packet_id)
        .collect();
    assert_eq!(ids.len(), 4);
    let moves = world.batches.iter().flatten();
    let moves = moves.filter(|operation| matches!(operation, Operation::MoveShared { .. }));
    assert_eq!(moves.count(), 4, "one operation each");
    let heir = member(&mut world, kept("heir"), QoS::ExactlyOnce);
    world.cut(dead);
    assert_eq!(world.take_texts(heir), numbers(0..0), "[MQTT-4.8.2-4]");
    // Not by a crash either; and the one who has them is sent them again, with their ids.
    world.crash();
    let (heir, _) = world.connect(kept("heir"));
    assert_eq!(world.take_texts(heir), numbers(0..0));
    let (back, _) = world.connect(kept("dead"));
    world.commit();
    let again: Vec<_> = publishes(&mut world, back);
    assert!(again.iter().all(|publish| publish.dup));
    assert_eq!(again.iter().map(|p| p.packet_id).collect::<Vec<_>>(), ids);
    for publish in again {
        world.send(back, Packet::PubRec(answer(&publish)));
    }
    world.commit();
    for packet in world.received(back) {
        let Packet::PubRel(ack) = packet else {
            panic!("no PUBREL: {packet:?}")
        };
        world.send(back, Packet::PubComp(ack));
    }
    world.commit();
    assert_eq!(world.broker.stats().waiting, 0);
}

/// While all its members' sessions end with their connections, nothing keeps what waits for the group.
#[test]
fn what_the_group_did_not_keep_is_kept_for_whom_it_was_sent_to_at_qos_2() {
    for by_crash in [false, true] {
        let mut world = World::new();
        let narrow = Connect {
            receive_maximum: Some(packet_id(1)),
            ..clean("fleeting")
        };
        let fleeting = member(&mut world, narrow, QoS::ExactlyOnce);
        publish_jobs(&mut world, 0..4, QoS::ExactlyOnce);
        // Another one is in its hands already.
        assert_eq!(publishes(&mut world, fleeting).len(), 1);
        let client = member(&mut world, kept("kept"), QoS::ExactlyOnce);
        let sent = publishes(&mut world, client);
        assert_eq!(sent.iter().map(text).collect::<Vec<_>>(), numbers(2..4));
        if by_crash {
            world.crash();
        } else {
            world.cut(client);
        }
        let (client, connack) = world.connect(kept("kept"));
        assert!(connack.session_present);
        let again = publishes(&mut world, client);
        let ids = |publishes: &[Publish]| publishes.iter().map(|p| p.packet_id).collect::<Vec<_>>();
        assert_eq!(ids(&again), ids(&sent), "[MQTT-4.4.0-1]");
        assert_eq!(again.iter().map(text).collect::<Vec<_>>(), numbers(2..4));
        assert!(again.iter().all(|publish| publish.dup));
    }
}

#[test]
fn what_was_sent_at_qos_2_ends_with_its_session() {
    for connect in [kept("dead"), clean("dead")] {
        let mut world = World::new();
        let dead = member(&mut world, connect, QoS::ExactlyOnce);
        publish_jobs(&mut world, 0..1, QoS::ExactlyOnce);
        assert_eq!(publishes(&mut world, dead).len(), 1);
        let heir = member(&mut world, kept("heir"), QoS::ExactlyOnce);
        world.cut(dead);
        // A clean start ends the session.
        let (_, _) = world.connect(clean("dead"));
        assert_eq!(world.take_texts(heir), numbers(0..0), "[MQTT-4.8.2-5]");
        world.crash();
        let (heir, _) = world.connect(kept("heir"));
        assert_eq!(world.take_texts(heir), numbers(0..0), "[MQTT-4.8.2-5]");
        assert_eq!(world.broker.stats().waiting, 0);
    }
}

#[test]
fn a_qos_2_message_leaves_only_after_the_commit_of_its_move() {
    let mut world = World::new();
    let client = member(&mut world, kept("a"), QoS::ExactlyOnce);
    let (publisher, _) = world.connect(clean("publisher"));
    let packet = publish(1, "jobs/a", "x", QoS::ExactlyOnce);
    world.send(publisher, Packet::Publish(Box::new(packet)));
    world.settle();
    assert_eq!(publishes(&mut world, client).len(), 0);
    world.commit();
    assert_eq!(publishes(&mut world, client).len(), 1);
}

/// Until its first commit a broker has no number to give, and the copy for the member needs one.
#[test]
fn a_qos_2_message_waits_for_its_number() {
    let mut world = World::new();
    let away = member(&mut world, kept("a"), QoS::ExactlyOnce);
    world.cut(away);
    publish_jobs(&mut world, 0..3, QoS::ExactlyOnce);
    world.crash_uncommitted();
    // Here nothing else waits for a commit.
    let back = world.open_relaxed();
    world.send(back, Packet::Connect(Box::new(kept("a"))));
    let got = world.received(back);
    assert!(matches!(got[..], [Packet::ConnAck(_)]), "{got:?}");
    world.commit();
    assert_eq!(world.take_texts(back), numbers(0..3));
    assert_eq!(world.broker.stats().waiting, 0);
}

#[test]
fn a_refused_message_goes_to_nobody_else() {
    let mut world = World::new();
    let first = member(&mut world, kept("first"), QoS::AtLeastOnce);
    let second = member(&mut world, kept("second"), QoS::AtLeastOnce);
    publish_jobs(&mut world, 0..1, QoS::AtLeastOnce);
    let mut got = publishes(&mut world, first);
    let other = publishes(&mut world, second);
    let refuser = if got.is_empty() { second } else { first };
    got.extend(other);
    let mut refusal = answer(&got[0]);
    refusal.reason = ReasonCode::ImplementationSpecificError;
    world.send(refuser, Packet::PubAck(refusal));
    world.commit();
    for client in [first, second] {
        assert_eq!(world.take_texts(client), numbers(0..0), "[MQTT-4.8.2-6]");
    }
    assert_eq!(world.broker.stats().waiting, 0);
}

#[test]
fn a_member_that_can_take_no_more_leaves_the_rest_to_others() {
    let mut world = World::new();
    let narrow = Connect {
        receive_maximum: Some(packet_id(2)),
        ..kept("narrow")
    };
    let narrow = member(&mut world, narrow, QoS::AtLeastOnce);
    let wide = member(&mut world, kept("wide"), QoS::AtLeastOnce);
    publish_jobs(&mut world, 0..20, QoS::AtLeastOnce);
    assert_eq!(publishes(&mut world, narrow).len(), 2);
    assert_eq!(world.take_texts(wide).len(), 18);
}

#[test]
fn a_group_lives_as_long_as_it_has_members() {
    let mut world = World::new();
    let first = member(&mut world, kept("first"), QoS::AtLeastOnce);
    let second = member(&mut world, kept("second"), QoS::AtLeastOnce);
    world.cut(second);
    world.cut(first);
    publish_jobs(&mut world, 0..5, QoS::AtLeastOnce);
    // One ends its session; the other still has a part in what waits.
    let (_, _) = world.connect(clean("first"));
    assert_eq!(world.broker.stats().waiting, 5);
    world.crash();
    let (_, _) = world.connect(clean("second"));
    assert_eq!(world.broker.stats().waiting, 0);
    assert_eq!(world.broker.stats().subscriptions, 0);
    world.crash();
    let late = member(&mut world, kept("late"), QoS::AtLeastOnce);
    assert_eq!(world.take_texts(late), numbers(0..0));
}

#[test]
fn unsubscribing_leaves_the_group() {
    let mut world = World::new();
    let first = member(&mut world, kept("first"), QoS::AtLeastOnce);
    let second = member(&mut world, kept("second"), QoS::AtLeastOnce);
    world.send(
        first,
        Packet::Unsubscribe(ebbtide_protocol::packet::Unsubscribe {
            packet_id: packet_id(2),
            user_properties: Vec::new(),
            filters: vec![
                ebbtide_protocol::TopicFilter::new(FILTER).expect("a filter"),
                ebbtide_protocol::TopicFilter::new("jobs/#").expect("a filter"),
            ],
        }),
    );
    world.commit();
    let [Packet::UnsubAck(unsuback)] = &world.received(first)[..] else {
        panic!("no UNSUBACK")
    };
    let expected = [ReasonCode::Success, ReasonCode::NoSubscriptionExisted];
    assert_eq!(unsuback.reasons, expected);
    publish_jobs(&mut world, 0..10, QoS::AtLeastOnce);
    assert_eq!(world.take_texts(second), numbers(0..10));
    assert_eq!(world.take_texts(first), numbers(0..0));
}

#[test]
fn what_nobody_can_take_is_counted() {
    let kept_of = [
        (QueueOverflow::DropNewest, 0..3),
        (QueueOverflow::DropOldest, 2..5),
    ];
    for (queue_overflow, expected) in kept_of {
        let limits = Limits {
            queue_messages_per_session_max: 3,
            queue_overflow,
            ..Limits::default()
        };
        let mut world = World::with(limits);
        let away = member(&mut world, kept("away"), QoS::AtLeastOnce);
        world.cut(away);
        publish_jobs(&mut world, 0..5, QoS::AtLeastOnce);
        publish_jobs(&mut world, 5..6, QoS::AtMostOnce);
        let dropped = world.broker.stats().dropped;
        assert_eq!((dropped.queue_full, dropped.nobody_there), (2, 1));
        world.crash();
        let (back, _) = world.connect(kept("away"));
        assert_eq!(world.take_texts(back), numbers(expected));
    }
}

#[test]
fn a_takeover_gives_back_what_was_under_way() {
    let mut world = World::new();
    let first = member(&mut world, kept("a"), QoS::AtLeastOnce);
    publish_jobs(&mut world, 0..5, QoS::AtLeastOnce);
    assert_eq!(publishes(&mut world, first).len(), 5);
    let (second, connack) = world.connect(kept("a"));
    assert!(connack.session_present);
    assert_eq!(world.take_texts(second), numbers(0..5));
    assert_eq!(world.broker.stats().waiting, 0);
}

#[test]
fn a_backlog_of_its_own_comes_in_order_beside_the_groups() {
    let mut world = World::new();
    let away = member(&mut world, kept("a"), QoS::AtLeastOnce);
    world.subscribe(away, "own", QoS::AtLeastOnce);
    world.cut(away);
    let (publisher, _) = world.connect(clean("publisher"));
    for n in 0..100 {
        let text = n.to_string();
        world.publish(publisher, 1, "own", &text, QoS::AtLeastOnce, false);
        world.publish(publisher, 1, "jobs/a", &text, QoS::AtLeastOnce, false);
    }
    world.crash();
    let (back, _) = world.connect(kept("a"));
    let got = world.take_all(back);
    for topic in ["own", "jobs/a"] {
        let mine = got.iter().filter(|publish| {
            publish
                .topic
                .as_ref()
                .is_some_and(|name| name.as_str() == topic)
        });
        assert_eq!(mine.map(text).collect::<Vec<_>>(), numbers(0..100));
    }
}

#[test]
fn an_old_message_of_a_group_survives_in_a_session_that_is_past_its_number() {
    let mut world = World::new();
    let away = member(&mut world, kept("away"), QoS::ExactlyOnce);
    world.cut(away);
    publish_jobs(&mut world, 0..1, QoS::ExactlyOnce);
    let (late, _) = world.connect(kept("late"));
    world.subscribe(late, "own", QoS::AtLeastOnce);
    let (publisher, _) = world.connect(clean("publisher"));
    world.publish(publisher, 1, "own", "own", QoS::AtLeastOnce, false);
    assert_eq!(world.take_texts(late), ["own"]);
    world.subscribe(late, FILTER, QoS::ExactlyOnce);
    world.publish(publisher, 1, "own", "more", QoS::AtLeastOnce, false);
    let got = publishes(&mut world, late);
    assert_eq!(got.iter().map(text).collect::<Vec<_>>(), ["0", "more"]);
    // It is done with the newer one, and so past the older one, which is still under way.
    world.send(late, Packet::PubAck(answer(&got[1])));
    world.commit();
    world.crash();
    let (back, _) = world.connect(kept("late"));
    assert_eq!(world.take_texts(back), numbers(0..1));
    assert_eq!(world.broker.stats().waiting, 0);
}
