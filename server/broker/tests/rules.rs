//! Rules at work: at CONNECT, PUBLISH and SUBSCRIBE, and again when a message is sent, retained, queued, in flight or a will.

mod world;

use std::sync::Arc;

use allocation_counter::measure;
use ebbtide_broker::{Action, Now, Rights, Rules, Subject};
use ebbtide_protocol::{
    Packet, QoS, ReasonCode, TopicName, Version,
    packet::{Connect, SubscriptionOptions},
};
use ebbtide_store::access::{Actions, Effect, RuleRow, Who};
use world::{bare::Bare, *};

/// `ann: +ps topic`: whom (a user or `*`), whether it allows, the actions by their first letters, the topic.
fn rules(lines: &[&str]) -> Rules {
    Rules::new(rows(lines)).expect("valid rules")
}

fn rows(lines: &[&str]) -> Vec<RuleRow> {
    let rows = lines.iter().map(|line| {
        let mut words = line.split_whitespace();
        let mut word = || words.next().expect("three words");
        let (who, what, topic) = (word(), word(), word());
        RuleRow {
            effect: match what.starts_with('+') {
                true => Effect::Allow,
                false => Effect::Deny,
            },
            who: match who.trim_end_matches(':') {
                "*" => Who::Any,
                user => Who::User(user.into()),
            },
            actions: Actions {
                publish: what.contains('p'),
                subscribe: what.contains('s'),
                retain: what.contains('r'),
            },
            topics: vec![topic.into()],
        }
    });
    rows.collect()
}

fn world(lines: &[&str]) -> World {
    World::guarded(rows(lines))
}

fn change(world: &mut World, lines: &[&str]) {
    world.broker.set_rules(Arc::new(rules(lines)));
    world.settle();
}

fn of(user: &str, connect: Connect) -> Connect {
    Connect {
        username: Some(user.into()),
        ..connect
    }
}

fn is_in(world: &mut World, connect: Connect) -> Client {
    let (client, connack) = world.connect(connect);
    assert_eq!(connack.reason, ReasonCode::Success);
    client
}

/// Sends it and gives the reason of the acknowledgement.
fn publish_reason(
    world: &mut World,
    client: Client,
    topic: &str,
    qos: QoS,
    retain: bool,
) -> ReasonCode {
    let mut packet = publish(7, topic, "x", qos);
    packet.retain = retain;
    world.send(client, Packet::Publish(packet.into()));
    world.commit();
    match &world.answers(client)[..] {
        [Packet::PubAck(ack) | Packet::PubRec(ack)] => ack.reason,
        other => panic!("{other:?}"),
    }
}

fn say(world: &mut World, client: Client, topic: &str, payload: &str, qos: QoS) {
    world.publish(client, 8, topic, payload, qos, false);
}

fn denied(world: &World) -> u64 {
    world.broker.stats().dropped.denied
}

#[test]
fn a_publish_is_refused_and_goes_to_nobody() {
    let mut world = world(&["ann: +p a/#", "bob: +s #"]);
    let ann = is_in(&mut world, of("ann", clean("ann")));
    let bob = is_in(&mut world, of("bob", clean("bob")));
    world.subscribe(bob, "#", QoS::ExactlyOnce);
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let reason = publish_reason(&mut world, ann, "b/x", qos, false);
        assert_eq!(reason, ReasonCode::NotAuthorized);
        // The right to publish is not the right to leave something there.
        let reason = publish_reason(&mut world, ann, "a/x", qos, true);
        assert_eq!(reason, ReasonCode::NotAuthorized);
    }
    say(&mut world, ann, "b/x", "QoS 0", QoS::AtMostOnce);
    assert_eq!(denied(&world), 5);
    assert!(world.take_texts(bob).is_empty());
    let reason = publish_reason(&mut world, ann, "a/x", QoS::AtLeastOnce, false);
    assert_eq!(reason, ReasonCode::Success);
    assert_eq!(world.take_texts(bob), ["x"]);
    assert_eq!(world.is_closed(ann), None);
}

/// [MQTT3-3.3.5-2]
#[test]
fn a_client_of_3_1_1_gets_its_acknowledgement_and_nobody_the_message() {
    let mut world = world(&["*: +s #"]);
    let old = is_in(&mut world, of("ann", kept_3("old")));
    let bob = is_in(&mut world, of("bob", clean("bob")));
    world.subscribe(bob, "#", QoS::AtLeastOnce);
    let reason = publish_reason(&mut world, old, "t", QoS::AtLeastOnce, false);
    assert_eq!(reason, ReasonCode::Success);
    assert!(world.take_texts(bob).is_empty());
    assert_eq!(denied(&world), 1);
}

#[test]
fn a_subscription_is_refused_filter_by_filter() {
    let mut world = world(&["ann: +s own/{user}/#", "ann: +s site/+", "*: +s pub/#"]);
    for (version, refused) in [
        (clean("five"), ReasonCode::NotAuthorized),
        (kept_3("three"), ReasonCode::UnspecifiedError),
    ] {
        let client = is_in(&mut world, of("ann", version));
        for (filter, is_allowed) in [
            ("own/ann/#", true),
            ("own/ann/x", true),
            ("own/bob/#", false),
            ("own/+/#", false),
            ("own/#", false),
            ("#", false),
            ("site/+", true),
            ("site/#", false),
            ("$share/g/site/a", true),
            ("$share/g/other/a", false),
            ("pub/#", true),
        ] {
            let suback = world.subscribe(client, filter, QoS::AtMostOnce);
            let expected = match is_allowed {
                true => ReasonCode::Success,
                false => refused,
            };
            assert_eq!(suback.reasons, [expected], "{filter}");
        }
    }
}

#[test]
fn what_a_wide_subscription_may_not_have_is_left_out_live_and_retained() {
    let mut world = world(&["ann: -s a/secret/#", "ann: +s a/#", "bob: +pr a/#"]);
    let bob = is_in(&mut world, of("bob", clean("bob")));
    for topic in ["a/secret/1", "a/1"] {
        let reason = publish_reason(&mut world, bob, topic, QoS::AtLeastOnce, true);
        assert_eq!(reason, ReasonCode::NoMatchingSubscribers);
    }
    for connect in [clean("fleeting"), kept("kept")] {
        let before = denied(&world);
        let ann = is_in(&mut world, of("ann", connect));
        world.subscribe(ann, "a/#", QoS::AtLeastOnce);
        let topics = |world: &mut World| -> Vec<String> {
            let all = world.take_all(ann);
            all.iter()
                .map(|one| one.topic.as_ref().expect("a topic").to_string())
                .collect()
        };
        assert_eq!(topics(&mut world), ["a/1"]);
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
            say(&mut world, bob, "a/secret/2", "no", qos);
            say(&mut world, bob, "a/2", "yes", qos);
        }
        assert_eq!(topics(&mut world), ["a/2", "a/2"]);
        assert_eq!(denied(&world) - before, 3);
        world.cut(ann);
    }
}

#[test]
fn a_right_that_is_taken_away_stops_what_waits() {
    let before = ["*: +pr #", "ann: +s a/#", "ann: +s b/#"];
    let mut world = world(&before);
    let bob = is_in(&mut world, of("bob", clean("bob")));
    let ann = is_in(&mut world, of("ann", kept("ann")));
    world.subscribe(ann, "a/#", QoS::ExactlyOnce);
    world.subscribe(ann, "b/#", QoS::ExactlyOnce);
    world.cut(ann);
    for n in 0..3 {
        for topic in ["a", "b"] {
            say(
                &mut world,
                bob,
                topic,
                &format!("{topic}{n}"),
                QoS::AtLeastOnce,
            );
        }
    }
    change(&mut world, &["*: +pr #", "ann: +s b/#"]);
    let ann = is_in(&mut world, of("ann", kept("ann")));
    assert_eq!(world.take_texts(ann), ["b0", "b1", "b2"]);
    assert_eq!(denied(&world), 3);
    // Live as well; and what is given back comes again.
    say(&mut world, bob, "a", "live", QoS::AtLeastOnce);
    assert!(world.take_texts(ann).is_empty());
    change(&mut world, &before);
    say(&mut world, bob, "a", "again", QoS::AtLeastOnce);
    assert_eq!(world.take_texts(ann), ["again"]);
    // What was denied is done with: it does not come back with the next connection.
    world.cut(ann);
    let ann = is_in(&mut world, of("ann", kept("ann")));
    assert!(world.take_texts(ann).is_empty());
}

/// What was sent at QoS 1 and not acknowledged is not sent again; an exchange of QoS 2 is finished.
#[test]
fn a_right_that_is_taken_away_stops_a_repetition_at_qos_1_only() {
    let mut world = world(&["*: +p #", "ann: +s #"]);
    let bob = is_in(&mut world, of("bob", clean("bob")));
    let ann = is_in(&mut world, of("ann", kept("ann")));
    world.subscribe(ann, "#", QoS::ExactlyOnce);
    for (topic, qos) in [("one", QoS::AtLeastOnce), ("two", QoS::ExactlyOnce)] {
        world.send(bob, Packet::Publish(publish(9, topic, topic, qos).into()));
        world.commit();
    }
    let sent = world.received(ann);
    assert_eq!(sent.len(), 2, "{sent:?}");
    world.cut(ann);
    change(&mut world, &["*: +p #"]);
    let ann = is_in(&mut world, of("ann", kept("ann")));
    assert_eq!(world.take_texts(ann), ["two"]);
    assert_eq!(denied(&world), 1);
}

#[test]
fn a_will_is_decided_when_it_is_made_and_when_it_is_due() {
    let all = ["*: +s #", "ann: +p w/{client}"];
    let mut world = world(&all);
    let bob = is_in(&mut world, of("bob", clean("bob")));
    world.subscribe(bob, "#", QoS::AtMostOnce);
    let with = |topic: &str, retain: bool| {
        let mut will = will(topic, "gone", 0);
        will.retain = retain;
        Connect {
            will: Some(will),
            ..of("ann", clean("pump"))
        }
    };
    for refused in [with("w/other", false), with("w/pump", true)] {
        let (client, connack) = world.connect(refused);
        assert_eq!(connack.reason, ReasonCode::NotAuthorized);
        assert!(world.is_closed(client).is_some());
    }
    let ann = is_in(&mut world, with("w/pump", false));
    world.cut(ann);
    assert_eq!(world.take_texts(bob), ["gone"]);
    let ann = is_in(&mut world, with("w/pump", false));
    change(&mut world, &["*: +s #"]);
    world.cut(ann);
    assert!(world.take_texts(bob).is_empty());
    assert_eq!(denied(&world), 1);
}

/// A crash between, and it is still known whose will it was.
#[test]
fn a_will_that_is_found_at_the_start_is_decided_for_whose_it_was() {
    for (lines, expected) in [
        (&["ann: +p w", "bob: +s #"], 1),
        (&["bob: +p w", "bob: +s #"], 0),
    ] {
        let mut world = world(&["ann: +p w", "bob: +s #"]);
        let bob = is_in(&mut world, of("bob", kept("bob")));
        world.subscribe(bob, "#", QoS::AtLeastOnce);
        let mut will = will("w", "gone", 0);
        will.qos = QoS::AtLeastOnce;
        let connect = Connect {
            will: Some(will),
            ..of("ann", clean("pump"))
        };
        is_in(&mut world, connect);
        world.guard(rows(lines));
        world.crash();
        world.pass_ms(1);
        let bob = is_in(&mut world, of("bob", kept("bob")));
        assert_eq!(world.take_texts(bob).len(), expected);
        assert_eq!(denied(&world), 1 - expected as u64);
    }
}

/// What one member may not have any more is for the others.
#[test]
fn a_member_of_a_group_without_the_right_gets_no_share() {
    let mut world = world(&["*: +p #", "ann: +s #", "bob: +s #"]);
    let publisher = is_in(&mut world, of("eve", clean("eve")));
    let ann = is_in(&mut world, of("ann", clean("ann")));
    let bob = is_in(&mut world, of("bob", clean("bob")));
    for client in [ann, bob] {
        let suback = world.subscribe(client, "$share/g/t", QoS::AtLeastOnce);
        assert_eq!(suback.reasons, [ReasonCode::GrantedQoS1]);
    }
    change(&mut world, &["*: +p #", "bob: +s #"]);
    for n in 0..4 {
        say(&mut world, publisher, "t", &n.to_string(), QoS::AtLeastOnce);
    }
    assert_eq!(world.take_texts(bob), ["0", "1", "2", "3"]);
    assert!(world.take_texts(ann).is_empty());
    assert_eq!(denied(&world), 0);
    change(&mut world, &["*: +p #", "ann: +s #"]);
    say(&mut world, publisher, "t", "4", QoS::AtLeastOnce);
    assert_eq!(world.take_texts(ann), ["4"]);
}

/// Its waker is not the first to see that the rules are others: what it says itself is decided by them before.
#[test]
fn a_member_that_speaks_before_it_is_woken_has_its_share_again() {
    let both = ["*: +p #", "ann: +s #", "bob: +s #"];
    let mut world = world(&both);
    let publisher = is_in(&mut world, of("eve", clean("eve")));
    let ann = is_in(&mut world, of("ann", clean("ann")));
    let bob = is_in(&mut world, of("bob", clean("bob")));
    for client in [ann, bob] {
        world.subscribe(client, "$share/g/t", QoS::AtLeastOnce);
    }
    change(&mut world, &["*: +p #", "bob: +s #"]);
    world.broker.set_rules(Arc::new(rules(&both)));
    world.send(
        ann,
        Packet::Publish(publish(1, "other", "", QoS::AtMostOnce).into()),
    );
    for n in 0..4 {
        say(&mut world, publisher, "t", &n.to_string(), QoS::AtLeastOnce);
    }
    assert_eq!(world.take_texts(ann).len(), 2);
    assert_eq!(world.take_texts(bob).len(), 2);
}

/// A member that may not have what it holds gives all of it back, and goes on holding what it has in flight.
#[test]
fn what_a_member_may_no_longer_have_goes_back_in_its_order() {
    let both = ["*: +ps #"];
    let mut world = world(&both);
    let publisher = is_in(&mut world, of("eve", clean("eve")));
    let options = SubscriptionOptions {
        qos: QoS::AtLeastOnce,
        ..Default::default()
    };
    let mut ann = Bare::open(
        &world,
        Connect {
            receive_maximum: Some(packet_id(4)),
            ..clean("ann")
        },
    );
    ann.turn();
    ann.send(&subscribe(1, "$share/g/t", options));
    ann.turn();
    let bob = is_in(&mut world, of("bob", kept("bob")));
    world.subscribe(bob, "$share/g/t", QoS::AtLeastOnce);
    world.cut(bob);
    let say = |world: &mut World, text: &str| {
        say(world, publisher, "t", text, QoS::AtLeastOnce);
    };
    say(&mut world, "0");
    say(&mut world, "1");
    let in_flight = ann.turn();
    assert_eq!(in_flight.len(), 2, "{in_flight:?}");
    say(&mut world, "2");
    say(&mut world, "3");
    // The first that has its turn is denied.
    let without = rules(&["eve: +p #", "bob: +s #"]);
    world.broker.set_rules(Arc::new(without));
    assert_eq!(ann.turn(), []);
    let bob = is_in(&mut world, of("bob", kept("bob")));
    assert_eq!(world.take_texts(bob), ["2", "3"]);
    // She is the one with more to do, until bob holds two as well.
    world.broker.set_rules(Arc::new(rules(&both)));
    ann.connection.handle_wake(Now::default());
    say(&mut world, "4");
    say(&mut world, "5");
    let bobs = world.received(bob).len();
    assert_eq!((ann.turn().len(), bobs), (0, 2));
    for text in ["6", "7"] {
        say(&mut world, text);
    }
    assert_eq!(ann.turn().len(), 1);
}

#[test]
fn without_rules_nothing_is_asked() {
    let mut world = World::new();
    let ann = is_in(&mut world, clean("ann"));
    world.subscribe(ann, "#", QoS::AtMostOnce);
    change(&mut world, &[]);
    say(&mut world, ann, "t", "x", QoS::AtMostOnce);
    assert_eq!(world.take_texts(ann), ["x"]);
}

#[test]
fn what_was_authenticated_with_expires() {
    let mut world = world(&["*: +ps #"]);
    let (client, connack) = world.connect(of("until 5000", kept("c")));
    assert_eq!(
        (connack.reason, world.is_closed(client)),
        (ReasonCode::Success, None)
    );
    let options = SubscriptionOptions::default();
    world.send(client, subscribe(3, "t", options));
    world.commit();
    world.pass_ms(4_999);
    assert_eq!(world.is_closed(client), None);
    world.pass_ms(1);
    assert_eq!(world.is_closed(client), Some(ReasonCode::NotAuthorized));
    // The session and its subscriptions stay.
    let (_, connack) = world.connect(of("until 5000", kept("c")));
    assert!(connack.session_present);
    let (client, connack) = world.connect(Connect {
        version: Version::V3_1_1,
        ..of("until 5000", kept("d"))
    });
    assert_eq!(connack.reason, ReasonCode::Success);
    world.pass_ms(1);
    assert_eq!(world.is_closed(client), Some(ReasonCode::NotAuthorized));
}

/// Would be 30 MB, for each client, if what its levels are were written down: whoever comes with a name of 64 KiB where there are many
/// rules, or may try out both, would fill the memory.
#[test]
fn a_long_name_takes_no_memory_in_each_level_that_it_stands_in() {
    let topics = (0..1_000).map(|n| format!("in/{n}-{{client}}/{{client}}").into());
    let row = RuleRow {
        topics: topics.collect(),
        ..rows(&["*: +p in/x"]).remove(0)
    };
    let rules = Arc::new(Rules::new(vec![row]).expect("valid rules"));
    let name = "n".repeat(30_000);
    let subject = Subject {
        client_id: name.as_str().into(),
        ..Subject::default()
    };
    let mut rights = None;
    let taken = measure(|| rights = Some(Rights::new(subject, rules)));
    assert!(taken.bytes_max < 64 * 1024, "{} bytes", taken.bytes_max);
    let rights = rights.expect("they were made");
    let may = |topic: String| {
        let topic = TopicName::new(topic).expect("a topic");
        rights.decide(Action::Publish, &topic).is_allowed
    };
    assert!(may(format!("in/999-{name}/{name}")));
    assert!(!may(format!("in/999-{name}/{name}n")));
}
