//! Subscriptions: whose message it is, when a snapshot is complete, and what a reconnect does.

use super::*;

const COMPLETE: SubscriptionChange = SubscriptionChange::SnapshotComplete { inferred: true };
const GRANTED: SubscriptionChange = SubscriptionChange::Granted(ReasonCode::Success);

/// Grants, and lets the snapshot end.
fn settle(script: &mut Script, id: u16) {
    script.receive(suback(id, ReasonCode::Success));
    assert_eq!(script.sent(), ["PINGREQ"]);
    script.receive(Packet::PingResp);
    script.advance(50);
}

#[test]
fn with_all_subscriptions_there_may_be_those_can_be_renewed() {
    let mut script = Script::online(options(Version::V5));
    for number in 0..10_000 {
        script.subscribe(&number.to_string());
    }
    script.subscribe("7");
    let filter = TopicFilter::new("one more").expect("a filter");
    let refused = script.client.subscribe(filter, Default::default());
    assert_eq!(refused, Err(Error::TooManySubscriptions));
}

#[test]
fn a_message_goes_to_the_subscriptions_that_the_server_names() {
    let mut script = Script::online(options(Version::V5));
    let wide = script.subscribe("#");
    let narrow = script.subscribe("a");
    script.sent();
    let mut publish = incoming("a", QoS::AtMostOnce, 0);
    publish.subscription_identifiers = vec![2];
    script.receive(Packet::Publish(Box::new(publish.clone())));
    publish.subscription_identifiers = vec![2, 1];
    script.receive(Packet::Publish(Box::new(publish)));
    let to = |handles: &[_]| ("a".to_owned(), handles.to_vec());
    assert_eq!(script.messages(), [to(&[narrow]), to(&[wide, narrow])]);
}

#[test]
fn in_3_1_1_a_message_goes_to_every_filter_that_matches() {
    let mut script = Script::online(options(Version::V3_1_1));
    let wide = script.subscribe("+");
    let narrow = script.subscribe("a");
    script.subscribe("b");
    assert_eq!(script.sent().len(), 3);
    script.receive(Packet::Publish(Box::new(incoming("a", QoS::AtMostOnce, 0))));
    assert_eq!(script.messages(), [("a".to_owned(), vec![wide, narrow])]);
}

#[test]
fn a_second_use_of_a_filter_gets_the_retained_messages_for_itself() {
    let mut script = Script::online(options(Version::V5));
    let first = script.subscribe("a");
    script.sent();
    settle(&mut script, 1);
    assert_eq!(script.changes(), [(first, GRANTED), (first, COMPLETE)]);
    let second = script.subscribe("a");
    assert_eq!(script.sent(), ["SUBSCRIBE 2 a #1"]);
    script.receive(suback(2, ReasonCode::Success));
    let mut publish = incoming("a", QoS::AtMostOnce, 0);
    script.receive(Packet::Publish(Box::new(publish.clone())));
    publish.retain = true;
    script.receive(Packet::Publish(Box::new(publish)));
    let to = |handles: &[_]| ("a".to_owned(), handles.to_vec());
    assert_eq!(script.messages(), [to(&[first, second]), to(&[second])]);
    script.client.unsubscribe(first);
    assert_eq!(script.sent(), ["PINGREQ"]);
    script.client.unsubscribe(second);
    assert_eq!(script.sent(), ["UNSUBSCRIBE 3 a"]);
}

#[test]
fn subscribes_again_only_when_the_session_is_gone() {
    let mut script = Script::online(options(Version::V5));
    let handle = script.subscribe("a");
    script.sent();
    settle(&mut script, 1);
    script.cut();
    script.accept(true);
    assert_eq!(script.sent(), [""; 0]);
    script.cut();
    script.events();
    script.accept(false);
    assert_eq!(script.sent(), ["SUBSCRIBE 2 a #1"]);
    settle(&mut script, 2);
    assert_eq!(script.changes(), [(handle, GRANTED), (handle, COMPLETE)]);
}

#[test]
fn a_refusal_is_told_and_not_repeated() {
    let mut script = Script::online(options(Version::V5));
    let handle = script.subscribe("a");
    script.sent();
    script.receive(suback(1, ReasonCode::NotAuthorized));
    let refused = SubscriptionChange::Refused(ReasonCode::NotAuthorized);
    assert_eq!(script.changes(), [(handle, refused)]);
    assert_eq!(script.sent(), [""; 0]);
}

#[test]
fn a_subscription_that_ends_offline_leaves_nothing_at_the_server() {
    let mut script = Script::online(options(Version::V5));
    let handle = script.subscribe("a");
    script.sent();
    settle(&mut script, 1);
    script.cut();
    script.client.unsubscribe(handle);
    script.accept(true);
    assert_eq!(script.sent(), ["UNSUBSCRIBE 2 a"]);
}
