//! Snapshots of a server that tells how many retained messages follow, and when they have all come.

use super::*;
use crate::packet::{RetainHandling, SubscriptionOptions, UserProperty};

const COMPLETE: SubscriptionChange = SubscriptionChange::SnapshotComplete { inferred: false };
const GRANTED: SubscriptionChange = SubscriptionChange::Granted(ReasonCode::Success);

fn connack() -> ConnAck {
    ConnAck {
        user_properties: vec![(extension::EXTENSIONS.into(), extension::SNAPSHOT.into())],
        ..ConnAck::new(ReasonCode::Success, false)
    }
}

/// Connected to a server with the extension.
fn online() -> Script {
    let mut script = Script::new(options(Version::V5));
    script.accept_with(connack());
    script
}

/// SUBACK that says how many follow.
fn told(id: u16, number: &'static str, is_promised: bool) -> Packet {
    let number: UserProperty = (extension::RETAINED.into(), number.into());
    let end = is_promised.then(|| extension::set(extension::END));
    Packet::SubAck(SubAck {
        packet_id: packet_id(id),
        reason_string: None,
        user_properties: [number].into_iter().chain(end).collect(),
        reasons: vec![ReasonCode::Success],
    })
}

/// A message of subscription 1.
fn message(retain: bool) -> Packet {
    let mut publish = incoming("a/b", QoS::AtMostOnce, 0);
    publish.retain = retain;
    publish.subscription_identifiers = vec![1];
    Packet::Publish(Box::new(publish))
}

fn marker(identifier: u32) -> Packet {
    let topic = extension::end_topic(identifier);
    let mut publish = incoming(topic.as_str(), QoS::AtMostOnce, 0);
    publish.subscription_identifiers = vec![identifier];
    Packet::Publish(Box::new(publish))
}

#[test]
fn asks_only_a_server_that_has_announced_it() {
    let mut script = Script::online(options(Version::V5));
    script.subscribe("a/#");
    assert_eq!(script.sent(), ["SUBSCRIBE 1 a/# #1"]);
    script.cut();
    script.accept_with(connack());
    assert_eq!(script.sent(), ["SUBSCRIBE 2 a/# #1 asks"]);
}

#[test]
fn does_not_ask_for_what_gets_no_retained_messages() {
    let mut script = online();
    let never = SubscriptionOptions {
        retain_handling: RetainHandling::DoNotSend,
        ..SubscriptionOptions::default()
    };
    let filter = TopicFilter::new("a").expect("a filter");
    script
        .client
        .subscribe(filter, never)
        .expect("there is room");
    script.subscribe("$share/g/a");
    assert_eq!(
        script.sent(),
        ["SUBSCRIBE 1 a #1", "SUBSCRIBE 2 $share/g/a #2"]
    );
}

#[test]
fn does_not_ask_where_there_is_no_room_for_it() {
    let mut script = Script::new(options(Version::V5));
    script.accept_with(ConnAck {
        maximum_packet_size: Some(40),
        ..connack()
    });
    script.subscribe("a/#");
    assert_eq!(script.sent(), ["SUBSCRIBE 1 a/# #1"]);
}

#[test]
fn is_complete_after_as_many_messages_as_the_server_said() {
    let mut script = online();
    let handle = script.subscribe("a/#");
    assert_eq!(script.sent(), ["SUBSCRIBE 1 a/# #1 asks"]);
    script.receive(told(1, "2", false));
    assert_eq!(script.changes(), [(handle, GRANTED)]);
    script.receive(message(true));
    assert_eq!(script.changes(), []);
    script.receive(message(true));
    let events = script.events();
    assert!(
        matches!(
            events[..],
            [
                Event::Message { .. },
                Event::Subscription {
                    change: COMPLETE,
                    ..
                }
            ]
        ),
        "{events:?}"
    );
    assert_eq!(script.sent(), [""; 0], "no PINGREQ");
    script.receive(message(true));
    script.advance(1_000);
    assert_eq!(script.changes(), [], "once");
}

#[test]
fn is_complete_at_once_when_nothing_follows() {
    let mut script = online();
    let handle = script.subscribe("a/#");
    script.sent();
    script.receive(told(1, "0", false));
    assert_eq!(script.changes(), [(handle, GRANTED), (handle, COMPLETE)]);
}

#[test]
fn is_complete_with_the_grant_where_none_come() {
    let mut script = online();
    let never = SubscriptionOptions {
        retain_handling: RetainHandling::DoNotSend,
        ..SubscriptionOptions::default()
    };
    let filter = TopicFilter::new("a").expect("a filter");
    let none = script.client.subscribe(filter, never);
    let handles = [none.expect("there is room"), script.subscribe("$share/g/a")];
    script.sent();
    for (id, handle) in (1..).zip(handles) {
        script.receive(suback(id, ReasonCode::Success));
        assert_eq!(script.changes(), [(handle, GRANTED), (handle, COMPLETE)]);
    }
    assert_eq!(script.sent(), [""; 0], "no PINGREQ");
}

#[test]
fn the_marker_ends_what_was_counted_and_is_no_message() {
    let mut script = online();
    let handle = script.subscribe("a/#");
    script.sent();
    script.receive(told(1, "2", false));
    script.changes();
    script.receive(message(true));
    script.receive(marker(2));
    assert_eq!(script.changes(), [], "not its own");
    script.receive(marker(1));
    let events = script.events();
    let complete = Event::Subscription {
        handle,
        change: COMPLETE,
        diagnostics: None,
    };
    assert_eq!(events, [complete]);
}

#[test]
fn counts_nothing_when_the_marker_is_promised() {
    let mut script = online();
    let handle = script.subscribe("a/#");
    script.sent();
    script.receive(told(1, "1", true));
    script.changes();
    script.receive(message(true));
    script.receive(message(true));
    assert_eq!(script.changes(), []);
    script.receive(marker(1));
    assert_eq!(script.changes(), [(handle, COMPLETE)]);
}

#[test]
fn live_messages_are_not_counted() {
    let mut script = online();
    script.subscribe("a/#");
    script.sent();
    script.receive(told(1, "1", false));
    script.changes();
    script.receive(message(false));
    assert_eq!(script.changes(), []);
    script.receive(message(true));
    assert_eq!(script.changes().len(), 1);
}

#[test]
fn a_marker_from_before_the_subscription_was_renewed_ends_nothing() {
    let mut script = online();
    let first = script.subscribe("a/#");
    script.sent();
    script.receive(told(1, "1", false));
    let second = script.subscribe("a/#");
    assert_eq!(script.sent(), ["SUBSCRIBE 2 a/# #1 asks"]);
    script.receive(marker(1));
    assert_eq!(script.changes(), [(first, GRANTED)]);
    script.receive(told(2, "1", true));
    script.receive(marker(1));
    let both = |change| [(first, change), (second, change)];
    assert_eq!(script.changes(), [both(GRANTED), both(COMPLETE)].concat());
}

#[test]
fn infers_it_when_the_server_does_not_answer_the_question() {
    let mut script = online();
    let handle = script.subscribe("a/#");
    script.sent();
    script.receive(suback(1, ReasonCode::Success));
    assert_eq!(script.sent(), ["PINGREQ"]);
    script.receive(Packet::PingResp);
    script.advance(50);
    let complete = SubscriptionChange::SnapshotComplete { inferred: true };
    assert_eq!(script.changes(), [(handle, GRANTED), (handle, complete)]);
}

#[test]
fn a_topic_like_a_marker_is_a_message_of_any_other_server() {
    let mut script = Script::online(options(Version::V5));
    script.subscribe("#");
    script.sent();
    script.receive(marker(1));
    assert_eq!(script.messages().len(), 1);
}
