//! Nothing leaves before what it stands for is stored.

use std::num::NonZeroU16;

use super::*;

/// Connected to a session that is still there.
fn resumed() -> Script {
    let mut script = Script::new(durable(Version::V5));
    script.accept(true);
    script.events();
    script
}

fn commit(script: &mut Script, ticket: Ticket) -> Vec<String> {
    script.client.handle_committed(ticket);
    script.sent()
}

#[test]
fn a_publish_leaves_once_its_packet_id_is_stored() {
    let mut script = resumed();
    script.publish("a", QoS::AtLeastOnce);
    script.publish("b", QoS::ExactlyOnce);
    assert_eq!(script.sent(), [""; 0]);
    let (ticket, entries) = script.batch().expect("a batch");
    assert_eq!(entries, ["sent 1 as 1", "sent 2 as 2"]);
    assert_eq!(script.sent(), [""; 0]);
    assert_eq!(commit(&mut script, ticket), ["PUBLISH 1 a", "PUBLISH 2 b"]);
}

#[test]
fn the_next_batch_is_made_while_the_first_is_being_stored_and_the_third_waits() {
    let mut script = resumed();
    let batch_of = |script: &mut Script, topic| {
        script.publish(topic, QoS::AtLeastOnce);
        assert_eq!(script.sent(), [""; 0]);
        script.batch()
    };
    let first = batch_of(&mut script, "a");
    assert_eq!(first, Some((1, vec!["sent 1 as 1".to_owned()])));
    let second = batch_of(&mut script, "b");
    assert_eq!(second, Some((2, vec!["sent 2 as 2".to_owned()])));
    assert_eq!(batch_of(&mut script, "c"), None);
    assert_eq!(batch_of(&mut script, "d"), None);
    assert_eq!(commit(&mut script, 1), ["PUBLISH 1 a"]);
    let entries = ["sent 3 as 3", "sent 4 as 4"].map(str::to_owned).to_vec();
    assert_eq!(script.batch(), Some((3, entries)));
    assert_eq!(
        commit(&mut script, 3),
        ["PUBLISH 2 b", "PUBLISH 3 c", "PUBLISH 4 d"]
    );
}

#[test]
fn a_ticket_that_was_never_given_out_commits_nothing() {
    let mut script = resumed();
    script.publish("a", QoS::AtLeastOnce);
    assert_eq!(script.sent(), [""; 0]);
    assert_eq!(commit(&mut script, 1), [""; 0]);
    script.batch().expect("a batch");
    assert_eq!(commit(&mut script, 2), [""; 0]);
    assert_eq!(commit(&mut script, 1), ["PUBLISH 1 a"]);
}

#[test]
fn an_outcome_is_told_once_it_is_stored() {
    let mut script = resumed();
    let handle = script.publish("a", QoS::AtLeastOnce);
    script.store();
    script.receive(Packet::PubAck(ack(1)));
    assert_eq!(script.outcomes(), []);
    let (ticket, entries) = script.batch().expect("a batch");
    assert_eq!(entries, ["finished 1 Ok(Success)"]);
    assert_eq!(script.outcomes(), []);
    commit(&mut script, ticket);
    assert_eq!(script.outcomes(), [(handle, Ok(ReasonCode::Success))]);
}

/// [MQTT-4.3.3-4]
#[test]
fn pubrel_leaves_once_pubrec_is_stored() {
    let mut script = resumed();
    let handle = script.publish("a", QoS::ExactlyOnce);
    script.store();
    script.receive(Packet::PubRec(ack(1)));
    assert_eq!(script.sent(), [""; 0]);
    let (ticket, entries) = script.batch().expect("a batch");
    assert_eq!(entries, ["released 1"]);
    assert_eq!(commit(&mut script, ticket), ["PUBREL 1"]);
    script.receive(Packet::PubComp(ack(1)));
    assert_eq!(script.store().0, ["finished 1 Ok(Success)"]);
    assert_eq!(script.outcomes(), [(handle, Ok(ReasonCode::Success))]);
}

#[test]
fn a_received_message_is_acknowledged_once_it_is_stored() {
    let mut script = resumed();
    script.receive(Packet::Publish(Box::new(incoming(
        "a",
        QoS::AtLeastOnce,
        7,
    ))));
    script.receive(Packet::Publish(Box::new(incoming(
        "b",
        QoS::ExactlyOnce,
        8,
    ))));
    assert_eq!(script.messages(), [], "it comes by the journal");
    assert_eq!(script.sent(), [""; 0]);
    let (ticket, entries) = script.batch().expect("a batch");
    assert_eq!(entries, ["received 0 a", "received 8 b"]);
    assert_eq!(commit(&mut script, ticket), ["PUBACK 7", "PUBREC 8"]);
    script.receive(Packet::PubRel(ack(8)));
    assert_eq!(script.sent(), [""; 0]);
    let (ticket, entries) = script.batch().expect("a batch");
    assert_eq!(entries, ["completed 8"]);
    assert_eq!(commit(&mut script, ticket), ["PUBCOMP 8"]);
}

/// [MQTT-4.3.3-10]
#[test]
fn a_repetition_is_not_received_again_and_its_answer_waits_too() {
    let mut script = resumed();
    let publish = Packet::Publish(Box::new(incoming("a", QoS::ExactlyOnce, 8)));
    script.receive(publish.clone());
    script.receive(publish);
    assert_eq!(script.sent(), [""; 0]);
    let (ticket, entries) = script.batch().expect("a batch");
    assert_eq!(entries, ["received 8 a"]);
    assert_eq!(commit(&mut script, ticket), ["PUBREC 8", "PUBREC 8"]);
}

#[test]
fn subscribe_leaves_once_its_identifier_is_stored() {
    let mut script = resumed();
    let handle = script.subscribe("a");
    assert_eq!(script.sent(), [""; 0]);
    let (ticket, entries) = script.batch().expect("a batch");
    assert_eq!(entries, ["subscribed 1 a"]);
    assert_eq!(commit(&mut script, ticket), ["SUBSCRIBE 1 a #1"]);
    script.receive(suback(1, ReasonCode::Success));
    script.client.unsubscribe(handle);
    assert_eq!(script.sent(), ["UNSUBSCRIBE 2 a", "PINGREQ"][..1]);
    script.receive(Packet::UnsubAck(crate::packet::UnsubAck {
        packet_id: packet_id(2),
        reason_string: None,
        user_properties: Vec::new(),
        reasons: vec![ReasonCode::Success],
    }));
    assert_eq!(script.store().0, ["unsubscribed 1"]);
}

#[test]
fn a_refused_subscription_is_not_kept() {
    let mut script = resumed();
    script.subscribe("a");
    script.store();
    script.receive(suback(1, ReasonCode::NotAuthorized));
    assert_eq!(script.store().0, ["unsubscribed 1"]);
}

/// The server may have it all the same: a refusal ends no subscription that was there before.
#[test]
fn a_refused_subscription_ends_at_the_server_too() {
    let mut script = resumed();
    let handle = script.subscribe("a");
    script.store();
    script.receive(suback(1, ReasonCode::NotAuthorized));
    script.store();
    script.client.unsubscribe(handle);
    assert_eq!(script.store().1, ["UNSUBSCRIBE 2 a"]);
    assert_eq!(script.client.figures().subscriptions, 0);
}

#[test]
fn a_subscription_that_ends_before_suback_gives_its_packet_id_back() {
    let mut script = resumed();
    for _ in 0..usize::from(u16::MAX) + 2 {
        let handle = script.subscribe("a");
        script.store();
        script.client.unsubscribe(handle);
        script.store();
        script.cut();
        script.accept(true);
    }
    let handle = script.subscribe("a");
    assert!(!script.store().1.is_empty(), "{handle:?}");
}

/// A run that ended in between would find two, and ask the server for both.
#[test]
fn one_filter_is_stored_once_also_while_unsubscribe_is_under_way() {
    let mut script = resumed();
    let first = script.subscribe("a");
    script.store();
    script.receive(suback(1, ReasonCode::Success));
    script.client.unsubscribe(first);
    assert_eq!(script.store().1, ["UNSUBSCRIBE 2 a"]);
    script.events();
    script.subscribe("a");
    let (stored, sent) = script.store();
    assert_eq!(stored, ["unsubscribed 1", "subscribed 2 a"]);
    assert_eq!(sent, ["SUBSCRIBE 3 a #2"]);
    script.receive(Packet::UnsubAck(crate::packet::UnsubAck {
        packet_id: packet_id(2),
        reason_string: None,
        user_properties: Vec::new(),
        reasons: vec![ReasonCode::Success],
    }));
    let events = script.events();
    let ended =
        |event: &Event| matches!(event, Event::Unsubscribed { handle, .. } if *handle == first);
    assert!(events.iter().any(ended), "{events:?}");
    assert_eq!(script.store().0, ["unsubscribed 1"]);
}

/// Whoever comes next would ask for it again.
#[test]
fn what_is_to_end_is_stored_with_or_without_a_connection_and_unsubscribe_does_not_wait_for_it() {
    let mut script = resumed();
    let (one, other) = (script.subscribe("a"), script.subscribe("b"));
    let again = script.subscribe("a");
    script.store();
    script.client.unsubscribe(one);
    script.client.unsubscribe(again);
    assert_eq!(script.sent(), ["UNSUBSCRIBE 3 a"]);
    assert_eq!(script.store().0, ["ending 1 a"]);
    script.cut();
    let again = script.subscribe("b");
    script.client.unsubscribe(other);
    script.client.unsubscribe(again);
    assert_eq!(script.store().0, ["ending 2 b"]);
    script.accept(true);
    assert_eq!(script.sent(), ["UNSUBSCRIBE 4 a", "UNSUBSCRIBE 5 b"]);
}

#[test]
fn unsubscribe_does_not_overtake_a_subscribe_that_waits() {
    let mut script = resumed();
    let first = script.subscribe("a");
    script.store();
    script.subscribe("b");
    assert_eq!(script.sent(), [""; 0]);
    let (ticket, _) = script.batch().expect("a batch");
    script.client.unsubscribe(first);
    assert_eq!(script.sent(), [""; 0]);
    assert_eq!(
        commit(&mut script, ticket),
        ["SUBSCRIBE 2 b #2", "UNSUBSCRIBE 3 a"]
    );
}

#[test]
fn what_waits_for_a_commit_dies_with_its_connection() {
    let mut script = resumed();
    script.publish("a", QoS::ExactlyOnce);
    script.store();
    script.receive(Packet::PubRec(ack(1)));
    script.receive(Packet::Publish(Box::new(incoming(
        "b",
        QoS::AtLeastOnce,
        7,
    ))));
    let (ticket, entries) = script.batch().expect("a batch");
    assert_eq!(entries, ["released 1", "received 0 b"]);
    script.cut();
    script.accept(true);
    // PUBREL is sent again, and waits like the first one; PUBACK would belong to no message of this connection.
    assert_eq!(script.sent(), [""; 0]);
    assert_eq!(commit(&mut script, ticket), ["PUBREL 1"]);
}

#[test]
fn an_outcome_that_waits_survives_the_connection_and_the_end() {
    let mut script = resumed();
    let handle = script.publish("a", QoS::AtLeastOnce);
    script.store();
    script.receive(Packet::PubAck(ack(1)));
    let (ticket, _) = script.batch().expect("a batch");
    script.client.close();
    assert_eq!(script.outcomes(), []);
    commit(&mut script, ticket);
    assert_eq!(script.outcomes(), [(handle, Ok(ReasonCode::Success))]);
}

#[test]
fn closing_takes_nothing_out_of_the_store() {
    let mut script = resumed();
    let sent = script.publish("a", QoS::AtLeastOnce);
    script.store();
    script.client.close();
    assert_eq!(script.outcomes(), [(sent, Err(Error::Closed))]);
    assert_eq!(script.batch(), None);
}

#[test]
fn packet_ids_are_stored_one_window_ahead() {
    let mut script = Script::new(durable(Version::V5));
    let mut connack = ConnAck::new(ReasonCode::Success, true);
    connack.receive_maximum = NonZeroU16::new(2);
    script.accept_with(connack);
    assert_eq!(script.client.wanted(), 4);
    for topic in ["a", "b", "c", "d", "e"] {
        script.publish(topic, QoS::AtLeastOnce);
    }
    assert_eq!(script.client.wanted(), 0);
    let (stored, sent) = script.store();
    assert_eq!(
        stored,
        ["sent 1 as 1", "sent 2 as 2", "sent 3 as 3", "sent 4 as 4"]
    );
    assert_eq!(sent, ["PUBLISH 1 a", "PUBLISH 2 b"]);
    script.receive(Packet::PubAck(ack(1)));
    assert_eq!(
        script.sent(),
        ["PUBLISH 3 c"],
        "without a wait for the store"
    );
    assert_eq!(script.store().0, ["finished 1 Ok(Success)", "sent 5 as 5"]);
}

#[test]
fn nothing_is_wanted_without_a_connection() {
    let mut script = resumed();
    assert!(script.client.wanted() > 0);
    script.client.handle_closed(0, "cut");
    assert_eq!(script.client.wanted(), 0);
}

#[test]
fn qos0_is_not_stored_and_waits_for_nobody() {
    let mut script = resumed();
    script.publish("a", QoS::AtLeastOnce);
    let handle = script.publish("b", QoS::AtMostOnce);
    assert_eq!(script.sent(), ["PUBLISH 0 b"]);
    assert_eq!(script.outcomes(), [(handle, Ok(ReasonCode::Success))]);
    assert_eq!(script.store().0, ["sent 1 as 1"]);
    script.receive(Packet::Publish(Box::new(incoming("c", QoS::AtMostOnce, 0))));
    assert_eq!(script.messages().len(), 1);
    assert_eq!(script.batch(), None);
}

#[test]
fn what_has_not_left_can_be_taken_back() {
    let mut script = resumed();
    let unseen = script.publish("a", QoS::AtLeastOnce);
    assert_eq!(script.sent(), [""; 0]);
    assert!(script.client.cancel(unseen));
    assert_eq!(
        script.batch(),
        None,
        "nobody has seen that it was to be sent"
    );
    let written = script.publish("b", QoS::AtLeastOnce);
    assert_eq!(script.sent(), [""; 0]);
    let (ticket, _) = script.batch().expect("a batch");
    assert!(script.client.cancel(written));
    assert_eq!(commit(&mut script, ticket), [""; 0]);
    let left = script.publish("c", QoS::AtLeastOnce);
    script.store();
    assert!(!script.client.cancel(left));
    assert_eq!(script.outcomes(), []);
    script.receive(Packet::PubAck(ack(3)));
    script.store();
    assert!(!script.client.cancel(left));
    assert_eq!(script.outcomes(), [(left, Ok(ReasonCode::Success))]);
    assert_eq!(script.client.unsettled(), 0);
}

#[test]
fn nothing_is_heard_of_what_was_taken_back_in_a_new_session() {
    let mut script = resumed();
    let handle = script.publish("a", QoS::AtLeastOnce);
    assert_eq!(script.sent(), [""; 0]);
    script.cut();
    script.accept(false);
    assert!(script.client.cancel(handle));
    assert_eq!(script.store().0, ["restarted"]);
}

#[test]
fn a_client_that_is_not_durable_has_no_journal() {
    let mut script = Script::online(options(Version::V5));
    script.publish("a", QoS::ExactlyOnce);
    script.subscribe("b");
    assert_eq!(script.sent(), ["SUBSCRIBE 1 b #1", "PUBLISH 2 a"]);
    script.receive(Packet::PubRec(ack(2)));
    script.receive(Packet::Publish(Box::new(incoming(
        "b",
        QoS::ExactlyOnce,
        8,
    ))));
    assert_eq!(script.messages().len(), 1);
    assert_eq!(script.sent(), ["PUBREL 2", "PUBREC 8"]);
    assert_eq!(script.batch(), None);
}
