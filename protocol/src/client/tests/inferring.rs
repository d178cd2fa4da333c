//! Where the server does not say that all retained messages have come: when that is taken for granted, and when not.

use super::*;
use crate::packet::SubscriptionOptions;

const COMPLETE: SubscriptionChange = SubscriptionChange::SnapshotComplete { inferred: true };
const GRANTED: SubscriptionChange = SubscriptionChange::Granted(ReasonCode::Success);

#[test]
fn a_snapshot_is_complete_when_a_ping_was_answered_and_nothing_more_comes() {
    let mut script = Script::online(options(Version::V5));
    let handle = script.subscribe("a/#");
    assert_eq!(script.sent(), ["SUBSCRIBE 1 a/# #1"]);
    script.receive(suback(1, ReasonCode::Success));
    assert_eq!(script.sent(), ["PINGREQ"]);
    assert_eq!(script.changes(), [(handle, GRANTED)]);
    script.receive(Packet::PingResp);
    script.advance(40);
    let mut retained = incoming("a/b", QoS::AtMostOnce, 0);
    retained.retain = true;
    script.receive(Packet::Publish(Box::new(retained)));
    assert_eq!(script.messages(), [("a/b".to_owned(), vec![handle])]);
    script.advance(49);
    assert_eq!(script.changes(), []);
    script.advance(1);
    assert_eq!(script.changes(), [(handle, COMPLETE)]);
}

/// Subscribed, with the first PINGREQ under way.
fn asking(mut script: Script) -> (Script, SubscriptionHandle) {
    let options = SubscriptionOptions {
        qos: QoS::ExactlyOnce,
        ..SubscriptionOptions::default()
    };
    let filter = TopicFilter::new("a/#").expect("a filter");
    let handle = script.client.subscribe(filter, options).expect("room");
    let (_, sent) = script.store();
    assert!(sent[0].starts_with("SUBSCRIBE 1"), "{sent:?}");
    script.receive(suback(1, ReasonCode::GrantedQoS1));
    assert_eq!(script.sent(), ["PINGREQ"]);
    let granted = SubscriptionChange::Granted(ReasonCode::GrantedQoS1);
    assert_eq!(script.changes(), [(handle, granted)]);
    (script, handle)
}

fn online_durable() -> Script {
    let mut script = Script::new(durable(Version::V3_1_1));
    script.accept(true);
    script
}

fn receive(script: &mut Script, topic: &str, qos: QoS, id: u16, retain: bool) {
    let mut publish = incoming(topic, qos, id);
    publish.retain = retain;
    script.receive(Packet::Publish(Box::new(publish)));
}

#[test]
fn a_full_window_of_the_server_is_not_the_end() {
    let (mut script, handle) = asking(online_durable());
    // Two of them are under way at a time, and the disk takes its time.
    for batch in 0..3 {
        let ids = [2 * batch + 1, 2 * batch + 2];
        for id in ids {
            receive(&mut script, "a/b", QoS::AtLeastOnce, id, true);
        }
        script.receive(Packet::PingResp);
        script.advance(1_000);
        let (_, sent) = script.store();
        let acknowledged = ids.map(|id| format!("PUBACK {id}"));
        assert_eq!(
            sent,
            [acknowledged.as_slice(), &["PINGREQ".to_owned()]].concat()
        );
        assert_eq!(script.changes(), [], "batch {batch}");
    }
    script.receive(Packet::PingResp);
    script.advance(50);
    assert_eq!(script.changes(), [(handle, COMPLETE)]);
}

#[test]
fn an_answer_that_was_under_way_before_the_acknowledgements_is_not_the_end() {
    let (mut script, handle) = asking(online_durable());
    receive(&mut script, "a/b", QoS::AtLeastOnce, 1, true);
    assert_eq!(script.store().1, ["PUBACK 1"]);
    // That of the first PINGREQ; one at a time is under way.
    script.receive(Packet::PingResp);
    assert_eq!(script.sent(), ["PINGREQ"]);
    script.advance(1_000);
    assert_eq!(script.changes(), []);
    script.receive(Packet::PingResp);
    // One that comes in the quiet is followed by another question.
    script.advance(49);
    receive(&mut script, "a/c", QoS::ExactlyOnce, 2, true);
    script.advance(1_000);
    assert_eq!(script.store().1, ["PUBREC 2"]);
    script.receive(Packet::PubRel(ack(2)));
    assert_eq!(script.store().1, ["PINGREQ", "PUBCOMP 2"]);
    script.receive(Packet::PingResp);
    script.advance(50);
    assert_eq!(script.changes(), [(handle, COMPLETE)]);
}

#[test]
fn retained_messages_behind_a_backlog_are_waited_for() {
    let (mut script, handle) = asking(online_durable());
    receive(&mut script, "b", QoS::AtLeastOnce, 1, false);
    script.receive(Packet::PingResp);
    script.advance(1_000);
    assert_eq!(script.store().1, ["PUBACK 1", "PINGREQ"]);
    receive(&mut script, "a/b", QoS::AtLeastOnce, 1, true);
    script.receive(Packet::PingResp);
    assert_eq!(script.store().1, ["PUBACK 1", "PINGREQ"]);
    script.receive(Packet::PingResp);
    script.advance(49);
    // What is live does not put it off.
    receive(&mut script, "a/b", QoS::AtLeastOnce, 1, false);
    script.advance(1);
    script.store();
    assert_eq!(script.changes(), [(handle, COMPLETE)]);
}

#[test]
fn while_acknowledgements_are_held_nothing_ends() {
    let (mut script, handle) = asking(online_durable());
    script.client.hold_acknowledgements(true);
    receive(&mut script, "a/b", QoS::AtLeastOnce, 1, true);
    script.receive(Packet::PingResp);
    assert_eq!(script.store().1, [""; 0]);
    script.advance(10_000);
    assert_eq!(script.changes(), []);
    script.client.hold_acknowledgements(false);
    assert_eq!(script.sent(), ["PUBACK 1", "PINGREQ"]);
    script.receive(Packet::PingResp);
    script.advance(50);
    assert_eq!(script.changes(), [(handle, COMPLETE)]);
}

#[test]
fn a_subscription_at_qos_0_does_not_wait_for_what_others_have_to_acknowledge() {
    let mut script = online_durable();
    let handle = script.subscribe("a");
    script.store();
    script.client.hold_acknowledgements(true);
    receive(&mut script, "b", QoS::ExactlyOnce, 1, false);
    script.receive(suback(1, ReasonCode::Success));
    assert_eq!(script.store().1, ["PINGREQ"]);
    script.receive(Packet::PingResp);
    script.advance(50);
    assert_eq!(script.changes(), [(handle, GRANTED), (handle, COMPLETE)]);
}
