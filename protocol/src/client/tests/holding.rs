//! Acknowledgements that are held back, and how many messages may come without them.

use std::num::NonZeroU16;

use super::*;

fn receiving(receive_maximum: u16, version: Version) -> Script {
    let mut options = durable(version);
    options.connect.receive_maximum = NonZeroU16::new(receive_maximum);
    let mut script = Script::new(options);
    script.accept(true);
    script
}

fn publish(script: &mut Script, qos: QoS, id: u16) {
    script.receive(Packet::Publish(Box::new(incoming("a", qos, id))));
}

/// The server sends it again.
fn repeat(script: &mut Script, id: u16) {
    let mut publish = incoming("a", QoS::AtLeastOnce, id);
    publish.dup = true;
    script.receive(Packet::Publish(Box::new(publish)));
}

/// One message of QoS 1 whose acknowledgement is held, on a connection that is gone.
fn held_and_cut() -> Script {
    let mut script = receiving(2, Version::V5);
    script.client.hold_acknowledgements(true);
    publish(&mut script, QoS::AtLeastOnce, 1);
    assert_eq!(script.store().0, ["received 0 a"]);
    script.cut();
    script
}

#[test]
fn held_acknowledgements_leave_in_order_when_there_is_room() {
    let mut script = receiving(10, Version::V5);
    script.client.hold_acknowledgements(true);
    publish(&mut script, QoS::ExactlyOnce, 1);
    publish(&mut script, QoS::AtLeastOnce, 2);
    let (stored, sent) = script.store();
    assert_eq!(stored, ["received 1 a", "received 0 a"]);
    assert_eq!(sent, [""; 0]);
    publish(&mut script, QoS::AtLeastOnce, 3);
    script.client.hold_acknowledgements(false);
    assert_eq!(script.sent(), ["PUBREC 1", "PUBACK 2"]);
    assert_eq!(script.store().1, ["PUBACK 3"]);
}

#[test]
fn what_was_held_on_a_lost_connection_is_not_acknowledged_on_the_next() {
    let mut script = receiving(10, Version::V5);
    script.client.hold_acknowledgements(true);
    publish(&mut script, QoS::AtLeastOnce, 2);
    script.store();
    script.cut();
    script.accept(true);
    script.client.hold_acknowledgements(false);
    assert_eq!(script.sent(), [""; 0]);
}

#[test]
fn a_repetition_of_a_held_message_is_held_too() {
    let mut script = receiving(10, Version::V5);
    script.client.hold_acknowledgements(true);
    publish(&mut script, QoS::ExactlyOnce, 1);
    script.store();
    script.cut();
    script.accept(true);
    publish(&mut script, QoS::ExactlyOnce, 1);
    assert_eq!(script.store(), (vec![], vec![]));
    script.client.hold_acknowledgements(false);
    assert_eq!(script.sent(), ["PUBREC 1"]);
}

#[test]
fn a_held_message_is_stored_once_however_often_the_connection_breaks() {
    let mut script = held_and_cut();
    for _ in 0..3 {
        script.accept(true);
        repeat(&mut script, 1);
        assert_eq!(script.store(), (vec![], vec![]));
        script.cut();
    }
    script.accept(true);
    repeat(&mut script, 1);
    publish(&mut script, QoS::AtLeastOnce, 2);
    assert_eq!(script.store().0, ["received 0 a"]);
    script.client.hold_acknowledgements(false);
    assert_eq!(script.sent(), ["PUBACK 1", "PUBACK 2"]);
    assert_eq!(script.actions(), []);
}

#[test]
fn a_message_that_was_being_stored_when_the_connection_broke_is_stored_once() {
    let mut script = receiving(2, Version::V5);
    publish(&mut script, QoS::AtLeastOnce, 1);
    script.cut();
    script.accept(true);
    repeat(&mut script, 1);
    let (stored, sent) = script.store();
    assert_eq!(stored, ["received 0 a"]);
    assert_eq!(sent, ["PUBACK 1"]);
}

/// The server may have had PUBACK, and what comes under the packet id may be the next message, repeated.
#[test]
fn what_was_acknowledged_is_new_when_it_comes_again() {
    let mut script = receiving(2, Version::V5);
    publish(&mut script, QoS::AtLeastOnce, 1);
    assert_eq!(script.store().1, ["PUBACK 1"]);
    script.cut();
    script.accept(true);
    repeat(&mut script, 1);
    assert_eq!(script.store().0, ["received 0 a"]);
}

#[test]
fn a_held_packet_id_without_dup_is_another_message() {
    let mut script = held_and_cut();
    script.accept(true);
    publish(&mut script, QoS::AtLeastOnce, 1);
    assert_eq!(script.store().0, ["received 0 a"]);
    script.cut();
    script.accept(true);
    repeat(&mut script, 1);
    assert_eq!(script.store().0, [""; 0], "now it is that one");
}

#[test]
fn in_another_session_a_held_packet_id_means_another_message() {
    let mut script = held_and_cut();
    script.accept(false);
    repeat(&mut script, 1);
    assert_eq!(script.store().0, ["restarted", "received 0 a"]);
}

#[test]
fn where_the_session_is_in_doubt_a_held_message_is_rather_stored_twice() {
    let mut script = held_and_cut();
    script.client.handle_open(script.now);
    script.cut();
    script.accept(true);
    repeat(&mut script, 1);
    assert_eq!(script.store().0, ["received 0 a"]);
}

#[test]
fn what_is_not_stored_is_not_acknowledged_for_a_repetition() {
    let mut script = Script::online(options(Version::V5));
    publish(&mut script, QoS::AtLeastOnce, 1);
    script.cut();
    script.accept(true);
    repeat(&mut script, 1);
    assert_eq!(script.sent(), [""; 0]);
    assert_eq!(script.messages().len(), 2);
    assert_eq!(script.sent(), ["PUBACK 1"]);
}

/// [MQTT-3.3.4-9]
#[test]
fn more_than_the_receive_maximum_is_a_fault_of_the_server() {
    let mut script = receiving(2, Version::V5);
    publish(&mut script, QoS::AtLeastOnce, 1);
    publish(&mut script, QoS::ExactlyOnce, 2);
    publish(&mut script, QoS::ExactlyOnce, 2);
    assert_eq!(script.actions(), [], "a repetition is no more than before");
    publish(&mut script, QoS::AtLeastOnce, 3);
    assert_eq!(script.sent(), ["DISCONNECT 0x93"]);
}

#[test]
fn a_server_that_does_not_keep_to_the_receive_maximum_can_be_borne() {
    let mut options = durable(Version::V5);
    options.connect.receive_maximum = NonZeroU16::new(1);
    options.bears_excess = true;
    let mut script = Script::new(options);
    script.accept(true);
    for id in 1..=3 {
        publish(&mut script, QoS::AtLeastOnce, id);
    }
    assert_eq!(script.store().1, ["PUBACK 1", "PUBACK 2", "PUBACK 3"]);
    for id in 1..=u16::MAX {
        publish(&mut script, QoS::ExactlyOnce, id);
    }
    assert_eq!(script.actions(), []);
    publish(&mut script, QoS::AtLeastOnce, 1);
    assert_eq!(
        script.actions(),
        [Action::Close],
        "no server can have that many under way"
    );
}

#[test]
fn what_an_earlier_connection_left_unreleased_does_not_count() {
    let mut script = receiving(1, Version::V5);
    publish(&mut script, QoS::ExactlyOnce, 1);
    script.store();
    script.cut();
    script.accept(true);
    publish(&mut script, QoS::ExactlyOnce, 2);
    assert_eq!(script.actions(), []);
    script.store();
    script.receive(Packet::PubRel(ack(1)));
    script.receive(Packet::PubRel(ack(2)));
    publish(&mut script, QoS::AtLeastOnce, 3);
    assert_eq!(script.actions(), []);
    publish(&mut script, QoS::AtLeastOnce, 4);
    assert_eq!(script.actions(), [Action::Close]);
}

#[test]
fn a_server_of_3_1_1_knows_of_no_receive_maximum() {
    let mut script = receiving(1, Version::V3_1_1);
    publish(&mut script, QoS::AtLeastOnce, 1);
    publish(&mut script, QoS::AtLeastOnce, 2);
    assert_eq!(script.actions(), []);
}
