//! The snapshot extension: where fewer retained messages come than were announced, or others look the same, an end marker
//! says that all have come. It comes once, behind the last of them, and never for an earlier SUBSCRIBE.

mod world;

use std::num::NonZeroU16;

use ebbtide_protocol::{
    Packet, QoS, ReasonCode, TopicFilter, extension,
    packet::{Ack, Connect, RetainHandling, SubscriptionOptions, Unsubscribe, UserProperty},
};
use ebbtide_store::Store;
use world::{Client, World, clean, kept, packet_id, publish, snapshots::*};

/// What a subscription to more than one chunk is told when something of it cannot be sent any more.
fn with_change(change: impl FnOnce(&mut World, Client)) -> Vec<String> {
    let mut world = World::new();
    let (publisher, _) = world.connect(clean("p"));
    let mut brief = publish(1, &topic(MANY), "brief", QoS::AtLeastOnce);
    brief.retain = true;
    brief.properties.message_expiry_interval = Some(1);
    retain(&mut world, MANY);
    world.send(publisher, Packet::Publish(Box::new(brief)));
    world.commit();
    let (client, _) = world.connect(slow("c"));
    let suback = ask(&mut world, client, 7, &[("r/#", AT_LEAST_ONCE)]);
    assert_eq!(told(&suback), (vec!["301"], false));
    change(&mut world, publisher);
    all(&mut world, client)
}

#[test]
fn a_marker_makes_up_for_what_cannot_be_sent() {
    let marker = || "$ebbtide/end/7 [7]".to_owned();
    let brief = || format!("{} brief", topic(MANY));
    let last = MANY - 1;

    assert_eq!(with_change(|_, _| {}).last(), Some(&brief()));
    let expired = with_change(|world, _| world.pass_ms(1_000));
    assert_eq!(expired, [values(0..MANY), vec![marker()]].concat());
    let cleared = with_change(|world, publisher| set(world, publisher, last, ""));
    let rest = vec![brief(), marker(), format!("{} ", topic(last))];
    assert_eq!(cleared, [values(0..last), rest].concat());
    // The live copy is none of them.
    let replaced = with_change(|world, publisher| set(world, publisher, last, "new"));
    let rest = vec![brief(), marker(), format!("{} new", topic(last))];
    assert_eq!(replaced, [values(0..last), rest].concat());
    // One more is none of them either.
    let more = with_change(|world, publisher| set(world, publisher, MANY + 1, "more"));
    let rest = vec![brief(), format!("{} more", topic(MANY + 1))];
    assert_eq!(more, [values(0..MANY), rest].concat());
}

#[test]
fn a_marker_makes_up_for_what_is_too_large() {
    let mut world = World::new();
    retain(&mut world, 3);
    let (publisher, _) = world.connect(clean("p"));
    set(&mut world, publisher, 1, &"x".repeat(200));
    let (client, connack) = world.connect(Connect {
        maximum_packet_size: Some(100),
        ..clean("c")
    });
    assert!(extension::is_announced(
        &connack.user_properties,
        "snapshot"
    ));
    let suback = ask(&mut world, client, 1, &[("r/#", AT_MOST_ONCE)]);
    assert_eq!(told(&suback), (vec!["3"], false));
    let rest = "$ebbtide/end/1 [1]".to_owned();
    let expected = [values(0..1), values(2..3), vec![rest]].concat();
    assert_eq!(all(&mut world, client), expected);
}

#[test]
fn without_an_identifier_the_marker_says_0() {
    let mut world = World::new();
    retain(&mut world, MANY);
    let (publisher, _) = world.connect(clean("p"));
    let (client, _) = world.connect(slow("c"));
    let subscribe = asking(None, &[("r/#", AT_LEAST_ONCE)]);
    world.send(client, Packet::Subscribe(subscribe));
    assert_eq!(told(&world.next_suback(client)), (vec!["300"], false));
    set(&mut world, publisher, MANY - 1, "");
    let received = all(&mut world, client);
    assert_eq!(received[MANY - 1], "$ebbtide/end/0 []");
}

#[test]
fn a_marker_is_never_that_of_an_earlier_subscribe() {
    let mut world = World::new();
    retain(&mut world, MANY);
    let (publisher, _) = world.connect(clean("p"));
    let (client, _) = world.connect(slow("c"));
    ask(&mut world, client, 5, &[("r/#", AT_LEAST_ONCE)]);
    // It would be told.
    set(&mut world, publisher, MANY - 1, "");
    let suback = ask(&mut world, client, 5, &[("r/#", AT_LEAST_ONCE)]);
    assert_eq!(told(&suback), (vec!["299"], true));
    let received = all(&mut world, client);
    let markers = received.iter().filter(|one| one.starts_with("$ebbtide"));
    assert_eq!(markers.count(), 1);
    let tail = [values(0..MANY - 1), vec!["$ebbtide/end/5 [5]".to_owned()]].concat();
    assert_eq!(received[received.len() - MANY..], tail);
}

/// One commit and no more.
fn commit_once(world: &mut World) {
    let batch = world.broker.journal().take().expect("something waits");
    let committed = world.store.commit(&batch.operations);
    committed.expect("a store in memory does not fail");
    world.broker.journal().committed(&batch);
    world.settle();
}

/// SUBACK may overtake a marker that stands behind a message whose commit is not there.
#[test]
fn a_marker_that_has_had_its_turn_does_not_come_after_another_suback() {
    let mut world = World::new();
    let (publisher, _) = world.connect(clean("p"));
    world.publish(publisher, 1, "r/1", "old", QoS::ExactlyOnce, true);
    let (client, _) = world.connect(kept("c"));
    let exactly_once = SubscriptionOptions {
        qos: QoS::ExactlyOnce,
        ..AT_LEAST_ONCE
    };
    let subscribe = asking(Some(5), &[("r/#", exactly_once)]);
    world.send(client, Packet::Subscribe(subscribe.clone()));
    commit_once(&mut world);
    assert!(told(&world.next_suback(client)).1, "it is promised");
    assert_eq!(world.received(client), [], "it waits for its commit");
    world.send(client, Packet::Subscribe(subscribe));
    commit_once(&mut world);
    assert!(told(&world.next_suback(client)).1);
    let received = all(&mut world, client);
    assert_eq!(received, ["r/1 old", "r/1 old", "$ebbtide/end/5 [5]"]);
}

#[test]
fn what_an_earlier_subscribe_is_owed_comes_before_the_marker() {
    let mut world = World::new();
    retain(&mut world, 3);
    let (client, _) = world.connect(slow("c"));
    ask(&mut world, client, 5, &[("r/#", AT_LEAST_ONCE)]);
    let if_new = SubscriptionOptions {
        retain_handling: RetainHandling::SendIfNew,
        ..AT_LEAST_ONCE
    };
    let suback = ask(&mut world, client, 5, &[("r/#", if_new)]);
    assert_eq!(told(&suback), (vec!["0"], true));
    let marker = vec!["$ebbtide/end/5 [5]".to_owned()];
    assert_eq!(all(&mut world, client), [values(0..3), marker].concat());
}

/// The first SUBSCRIBE is still owed what the second one leaves to it, which comes with the second one's identifier.
#[test]
fn a_subscription_that_is_renewed_without_asking_for_more_ends_for_both() {
    let mut world = World::new();
    retain(&mut world, MANY);
    let (client, _) = world.connect(slow("c"));
    ask(&mut world, client, 5, &[("r/#", AT_LEAST_ONCE)]);
    let never = SubscriptionOptions {
        retain_handling: RetainHandling::DoNotSend,
        ..AT_LEAST_ONCE
    };
    let suback = ask(&mut world, client, 6, &[("r/#", never)]);
    assert_eq!(told(&suback), (vec!["0"], true));
    let received = all(&mut world, client);
    assert_eq!(received[..MANY], values(0..MANY));
    let ends = ["$ebbtide/end/5 [5]", "$ebbtide/end/6 [6]"];
    assert_eq!(received[MANY..], ends);
}

#[test]
fn a_subscription_that_ends_meanwhile_ends_with_a_marker() {
    let mut world = World::new();
    retain(&mut world, MANY);
    let (client, _) = world.connect(slow("c"));
    ask(&mut world, client, 5, &[("r/#", AT_LEAST_ONCE)]);
    let unsubscribe = Unsubscribe {
        packet_id: packet_id(1),
        user_properties: Vec::<UserProperty>::new(),
        filters: vec![TopicFilter::new("r/#").expect("a filter")],
    };
    world.send(client, Packet::Unsubscribe(unsubscribe));
    let position = world.received(client);
    assert_eq!(position.len(), 2, "a message and UNSUBACK: {position:?}");
    let Some(Packet::Publish(first)) = position.into_iter().next() else {
        panic!("the first message")
    };
    let id = first.packet_id.expect("QoS 1");
    let puback = Ack::new(id, ReasonCode::Success);
    world.send(client, Packet::PubAck(puback));
    let received = all(&mut world, client);
    assert!(received.len() < MANY);
    assert_eq!(received[received.len() - 1], "$ebbtide/end/5 [5]");
}

/// The markers belong to the connection, the messages to the session.
#[test]
fn a_session_that_was_interrupted_is_told_of_the_new_subscribe_alone() {
    let mut world = World::new();
    retain(&mut world, MANY);
    let connect = || Connect {
        receive_maximum: NonZeroU16::new(1),
        ..kept("c")
    };
    for is_asked_again in [false, true] {
        let (client, _) = world.connect(connect());
        ask(&mut world, client, 1, &[("r/#", AT_LEAST_ONCE)]);
        world.cut(client);
        let (client, connack) = world.connect(connect());
        assert!(connack.session_present);
        if is_asked_again {
            // It may be asked while the backlog is still being read.
            let suback = ask(&mut world, client, 1, &[("r/#", AT_LEAST_ONCE)]);
            assert_eq!(told(&suback), (vec!["300"], true));
        }
        let received = all(&mut world, client);
        let markers = received.iter().filter(|one| one.starts_with("$ebbtide"));
        assert_eq!(markers.count(), usize::from(is_asked_again));
        if is_asked_again {
            let marker = vec!["$ebbtide/end/1 [1]".to_owned()];
            let tail = [values(0..MANY), marker].concat();
            assert_eq!(received[received.len() - MANY - 1..], tail);
        }
    }
}

/// They are the broker's own.
#[test]
fn nobody_publishes_to_topics_of_the_broker() {
    let mut world = World::new();
    let (client, _) = world.connect(clean("c"));
    world.subscribe(client, "$ebbtide/#", QoS::AtMostOnce);
    let forged = publish(1, "$ebbtide/end/1", "", QoS::AtLeastOnce);
    world.send(client, Packet::Publish(Box::new(forged)));
    let answers = world.answers(client);
    let [Packet::PubAck(ack)] = &answers[..] else {
        panic!("one answer, and no message: {answers:?}")
    };
    assert_eq!(ack.reason, ReasonCode::NotAuthorized);
}
