//! The snapshot extension: a SUBSCRIBE that asks is told how many retained messages follow, and whether a marker has to be
//! waited for because the number would mislead.

mod world;

use std::num::NonZeroU16;

use ebbtide_broker::Limits;
use ebbtide_protocol::{
    Packet, QoS, ReasonCode, extension,
    packet::{Connect, RetainHandling, SubscriptionOptions},
};
use world::{World, clean, kept, snapshots::*};

/// More levels of topics than are looked at in one turn.
const COUNTLESS: usize = 20_000;
/// As long as a snapshot that finds no room is put off.
const PUT_OFF_MS: u64 = 1_000;

#[test]
fn the_number_is_exact_and_nothing_else_comes() {
    let mut world = World::new();
    retain(&mut world, MANY);
    let (client, connack) = world.connect(clean("c"));
    let properties = &connack.user_properties;
    assert!(extension::is_announced(properties, extension::SNAPSHOT));
    let suback = ask(&mut world, client, 1, &[("r/#", AT_LEAST_ONCE)]);
    assert_eq!(told(&suback), (vec!["300"], false));
    assert_eq!(all(&mut world, client), values(0..MANY));
}

#[test]
fn who_does_not_ask_is_told_nothing() {
    let mut world = World::new();
    retain(&mut world, 2);
    let (client, _) = world.connect(clean("c"));
    let mut subscribe = asking(Some(1), &[("r/#", AT_LEAST_ONCE)]);
    for properties in [vec![], vec![("ebbtide-snapshot".into(), "2".into())]] {
        subscribe.user_properties = properties;
        world.send(client, Packet::Subscribe(subscribe.clone()));
        assert_eq!(world.next_suback(client).user_properties, []);
    }
    let received = world.take_all(client);
    assert!(!received.iter().any(is_marker));
}

#[test]
fn each_filter_has_its_number_in_order() {
    let mut world = World::with(Limits {
        topic_levels_max: 4,
        ..Limits::default()
    });
    retain(&mut world, 3);
    let (client, _) = world.connect(clean("c"));
    ask(&mut world, client, 1, &[("r/00001", AT_MOST_ONCE)]);
    let if_new = SubscriptionOptions {
        retain_handling: RetainHandling::SendIfNew,
        ..AT_MOST_ONCE
    };
    let never = SubscriptionOptions {
        retain_handling: RetainHandling::DoNotSend,
        ..AT_MOST_ONCE
    };
    world.take_all(client);
    let filters = [
        ("r/+", AT_MOST_ONCE),
        ("a/b/c/d/e", AT_MOST_ONCE),
        ("+/00000", never),
        ("r/00001", if_new),
        ("+/00002", if_new),
        ("nothing", AT_MOST_ONCE),
        ("r/+", AT_MOST_ONCE),
    ];
    let suback = ask(&mut world, client, 2, &filters);
    assert_eq!(suback.reasons[1], ReasonCode::TopicFilterInvalid);
    let numbers = vec!["0", "0", "0", "0", "1", "0", "3"];
    assert_eq!(told(&suback), (numbers, false));
    assert_eq!(world.take_all(client).len(), 4);
    // No retained messages for a shared subscription, but messages with the same identifier.
    let filters = [("$share/g/r/+", AT_MOST_ONCE), ("r/+", AT_MOST_ONCE)];
    let suback = ask(&mut world, client, 3, &filters);
    assert_eq!(told(&suback), (vec!["0", "3"], true));
    let shared = ask(&mut world, client, 4, &filters[..1]);
    assert_eq!(told(&shared), (vec!["0"], false));
}

#[test]
fn who_cannot_be_told_is_answered_as_if_it_had_not_asked() {
    let small = Connect {
        maximum_packet_size: Some(50),
        ..clean("small")
    };
    // [MQTT-3.1.2-29]
    let silent = Connect {
        request_problem_information: Some(false),
        ..clean("silent")
    };
    let mut world = World::new();
    let (publisher, _) = world.connect(clean("p"));
    set(&mut world, publisher, 0, "old");
    set(&mut world, publisher, 1, &"x".repeat(200));
    for connect in [small, silent] {
        let (client, _) = world.connect(connect);
        let suback = ask(&mut world, client, 1, &[("r/#", AT_MOST_ONCE)]);
        assert_eq!(suback.user_properties, []);
        set(&mut world, publisher, 1, "");
        assert!(!world.take_all(client).iter().any(is_marker));
    }
}

/// What stands before the messages must not be taken for them: a marker is promised, unless the identifier is a new one.
#[test]
fn a_marker_is_promised_when_the_number_would_mislead() {
    let mut world = World::new();
    retain(&mut world, 3);
    let (publisher, _) = world.connect(clean("p"));
    let (client, _) = world.connect(slow("c"));
    let as_published = SubscriptionOptions {
        retain_as_published: true,
        ..AT_LEAST_ONCE
    };
    for identifier in [1, 2, 3] {
        let suback = ask(&mut world, client, identifier, &[("r/#", as_published)]);
        assert_eq!(told(&suback), (vec!["3"], false), "{identifier}");
    }
    all(&mut world, client);
    set(&mut world, publisher, 0, "live");
    set(&mut world, publisher, 1, "live");
    let suback = ask(&mut world, client, 3, &[("r/#", as_published)]);
    assert_eq!(told(&suback), (vec!["3"], true));
    let received = all(&mut world, client);
    assert_eq!(received.len(), 2 + 3 + 1);
    assert_eq!(received[5], "$ebbtide/end/3 [3]");
    let suback = ask(&mut world, client, 3, &[("r/#", as_published)]);
    assert_eq!(told(&suback), (vec!["3"], false), "nothing is before them");
}

/// Copies that are kept may wait for room, and begin again.
#[test]
fn a_session_that_keeps_its_copies_is_promised_a_marker() {
    let mut world = World::new();
    retain(&mut world, MANY);
    let (client, _) = world.connect(kept("c"));
    let suback = ask(&mut world, client, 1, &[("r/#", AT_MOST_ONCE)]);
    assert_eq!(told(&suback), (vec!["300"], false));
    assert_eq!(all(&mut world, client), values(0..MANY));

    world.broker.journal().set_room_bytes(0);
    let suback = ask(&mut world, client, 1, &[("r/#", AT_LEAST_ONCE)]);
    assert_eq!(told(&suback), (vec!["300"], true));
    assert_eq!(all(&mut world, client), [""; 0]);
    world.pass_ms(PUT_OFF_MS);
    assert_eq!(all(&mut world, client), [""; 0]);
    world.broker.journal().set_room_bytes(u64::MAX);
    world.pass_ms(PUT_OFF_MS);
    let marker = vec!["$ebbtide/end/1 [1]".to_owned()];
    assert_eq!(all(&mut world, client), [values(0..MANY), marker].concat());
}

#[test]
fn nothing_is_promised_where_nothing_follows() {
    let mut world = World::new();
    let (client, _) = world.connect(kept("c"));
    for identifier in [1, 2, 1] {
        let suback = ask(&mut world, client, identifier, &[("r/#", AT_LEAST_ONCE)]);
        assert_eq!(told(&suback), (vec!["0"], false));
    }
    assert_eq!(all(&mut world, client), [""; 0]);
}

/// What a client that takes one message at a time is told and gets, who subscribes while so many messages wait, and then a value is set.
fn while_it_catches_up(count: usize) -> (bool, Vec<String>) {
    let mut world = World::new();
    let (publisher, _) = world.connect(clean("p"));
    let connect = || Connect {
        receive_maximum: NonZeroU16::new(1),
        ..kept("c")
    };
    let (client, _) = world.connect(connect());
    world.subscribe(client, "live", QoS::AtLeastOnce);
    world.cut(client);
    for _ in 0..count {
        world.publish(publisher, 1, "live", "x", QoS::AtLeastOnce, false);
    }
    let (client, _) = world.connect(connect());
    let suback = ask(&mut world, client, 1, &[("r/#", AT_MOST_ONCE)]);
    let (numbers, is_promised) = told(&suback);
    assert_eq!(numbers, ["0"]);
    set(&mut world, publisher, 0, "old");
    let mut received = all(&mut world, client);
    assert!(received.drain(..count).all(|text| text == "live x"));
    (is_promised, received)
}

/// What is retained until it has caught up is among the messages then.
#[test]
fn a_session_that_catches_up_is_promised_a_marker_though_nothing_is_there() {
    let rest = ["r/00000 old", "$ebbtide/end/1 [1]"].map(str::to_owned);
    assert_eq!(while_it_catches_up(1_500), (true, rest.to_vec()));
}

/// The last of what has waited is being read: what is retained now comes behind that, and what is set then is live.
#[test]
fn a_session_that_has_caught_up_is_told_the_number() {
    let rest = vec!["r/00000 old".to_owned()];
    assert_eq!(while_it_catches_up(2), (false, rest));
}

/// To look at all of them before SUBACK would hold up everybody else on this thread.
#[test]
fn what_is_too_many_to_count_ends_with_a_marker() {
    let mut world = World::new();
    retain(&mut world, COUNTLESS);
    let (client, _) = world.connect(clean("c"));
    let suback = ask(&mut world, client, 1, &[("r/#", AT_MOST_ONCE)]);
    assert_eq!(told(&suback), (vec!["20000"], true));
    let received = all(&mut world, client);
    assert_eq!(received.len(), COUNTLESS + 1);
    assert_eq!(received[COUNTLESS], "$ebbtide/end/1 [1]");
}
