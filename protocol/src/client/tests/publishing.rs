//! Messages both ways: windows, resends, outcomes, and each QoS 2 message once.

use std::num::NonZeroU16;

use super::*;

fn windowed(receive_maximum: u16) -> ConnAck {
    let mut connack = ConnAck::new(ReasonCode::Success, false);
    connack.receive_maximum = NonZeroU16::new(receive_maximum);
    connack
}

/// [MQTT-3.3.4-7]
#[test]
fn publishes_are_pipelined_up_to_the_receive_maximum() {
    let mut script = Script::new(options(Version::V5));
    let handles: Vec<_> = ["a", "b", "c"]
        .map(|topic| script.publish(topic, QoS::AtLeastOnce))
        .into();
    script.accept_with(windowed(2));
    assert_eq!(script.sent(), ["PUBLISH 1 a", "PUBLISH 2 b"]);
    script.receive(Packet::PubAck(ack(1)));
    assert_eq!(script.sent(), ["PUBLISH 3 c"]);
    script.receive(Packet::PubAck(ack(3)));
    script.receive(Packet::PubAck(ack(2)));
    let acked = |place: usize| (handles[place], Ok(ReasonCode::Success));
    assert_eq!(script.outcomes(), [acked(0), acked(2), acked(1)]);
    assert_eq!(script.client.unsettled(), 0);
}

#[test]
fn a_qos2_publish_holds_its_place_in_the_window_until_pubcomp() {
    let mut script = Script::new(options(Version::V5));
    script.publish("a", QoS::ExactlyOnce);
    script.publish("b", QoS::ExactlyOnce);
    script.accept_with(windowed(1));
    assert_eq!(script.sent(), ["PUBLISH 1 a"]);
    script.receive(Packet::PubRec(ack(1)));
    assert_eq!(script.sent(), ["PUBREL 1"]);
    script.receive(Packet::PubComp(ack(1)));
    assert_eq!(script.sent(), ["PUBLISH 2 b"]);
}

/// [MQTT-3.3.1-1, MQTT-4.4.0-1, MQTT-4.6.0-1]
#[test]
fn a_resumed_session_continues_where_it_was() {
    let mut script = Script::online(options(Version::V5));
    script.publish("a", QoS::AtLeastOnce);
    script.publish("b", QoS::ExactlyOnce);
    script.publish("c", QoS::ExactlyOnce);
    script.sent();
    script.receive(Packet::PubRec(ack(2)));
    script.cut();
    script.publish("d", QoS::AtLeastOnce);
    script.accept(true);
    assert_eq!(
        script.sent(),
        [
            "PUBREL 2",
            "PUBLISH 1 a dup",
            "PUBLISH 3 c dup",
            "PUBLISH 4 d"
        ]
    );
}

#[test]
fn a_lost_session_starts_over_and_says_what_it_cannot_know() {
    let mut script = Script::online(options(Version::V5));
    script.publish("a", QoS::AtLeastOnce);
    let received = script.publish("b", QoS::ExactlyOnce);
    let unknown = script.publish("c", QoS::ExactlyOnce);
    script.sent();
    script.receive(Packet::PubRec(ack(2)));
    script.cut();
    script.accept(false);
    assert_eq!(script.sent(), ["PUBLISH 4 a"]);
    assert_eq!(
        script.outcomes(),
        [
            (received, Ok(ReasonCode::Success)),
            (unknown, Err(Error::OutcomeUnknown))
        ]
    );
}

/// [MQTT-3.2.2-11, MQTT-3.2.2-14, MQTT-3.2.2-15]
#[test]
fn what_the_server_cannot_take_fails_before_it_is_sent() {
    let mut script = Script::new(options(Version::V5));
    let large = script.publish("a-topic-that-makes-the-packet-too-large", QoS::AtMostOnce);
    let exact = script.publish("b", QoS::ExactlyOnce);
    let retained = script.client.publish(OutgoingMessage {
        topic: TopicName::new("r").expect("a topic name"),
        payload: bytes::Bytes::new(),
        qos: QoS::AtMostOnce,
        retain: true,
        properties: MessageProperties::default(),
    });
    let small = script.publish("c", QoS::AtMostOnce);
    let mut connack = ConnAck::new(ReasonCode::Success, false);
    connack.maximum_packet_size = Some(20);
    connack.retain_available = Some(false);
    connack.maximum_qos = Some(QoS::AtLeastOnce);
    script.accept_with(connack);
    assert_eq!(script.sent(), ["PUBLISH 0 c"]);
    assert_eq!(
        script.outcomes(),
        [
            (large, Err(Error::PacketTooLarge)),
            (exact, Err(Error::Refused(ReasonCode::QoSNotSupported))),
            (
                retained.expect("there is room"),
                Err(Error::Refused(ReasonCode::RetainNotSupported))
            ),
            (small, Ok(ReasonCode::Success)),
        ]
    );
}

#[test]
fn a_refused_publish_fails_with_the_reason() {
    let mut script = Script::online(options(Version::V5));
    let handle = script.publish("a", QoS::AtLeastOnce);
    script.sent();
    let refusal = Ack::new(packet_id(1), ReasonCode::NotAuthorized);
    script.receive(Packet::PubAck(refusal));
    let refused = Err(Error::Refused(ReasonCode::NotAuthorized));
    assert_eq!(script.outcomes(), [(handle, refused)]);
}

/// [MQTT-3.2.2-17, MQTT-3.2.2-18, MQTT-3.3.2-7, MQTT-3.3.2-9]
#[test]
fn topic_aliases_stand_for_topics_on_one_connection_only() {
    let mut script = Script::new(options(Version::V5));
    let mut connack = ConnAck::new(ReasonCode::Success, false);
    connack.topic_alias_maximum = 1;
    script.accept_with(connack);
    for topic in ["a", "b", "a"] {
        script.publish(topic, QoS::AtMostOnce);
    }
    assert_eq!(
        script.sent(),
        ["PUBLISH 0 a alias 1", "PUBLISH 0 b", "PUBLISH 0  alias 1"]
    );
    script.cut();
    script.accept(false);
    script.publish("a", QoS::AtMostOnce);
    assert_eq!(script.sent(), ["PUBLISH 0 a"]);
}

/// [MQTT-3.3.2-10]
#[test]
fn every_alias_up_to_the_own_maximum_is_understood() {
    let mut options = options(Version::V5);
    options.connect.topic_alias_maximum = 2;
    let mut script = Script::online(options);
    script.subscribe("#");
    let mut announced = incoming("a", QoS::AtMostOnce, 0);
    announced.topic_alias = NonZeroU16::new(2);
    let mut short = announced.clone();
    short.topic = None;
    for publish in [announced, short.clone()] {
        script.receive(Packet::Publish(Box::new(publish)));
    }
    let topics: Vec<_> = script
        .messages()
        .into_iter()
        .map(|(topic, _)| topic)
        .collect();
    assert_eq!(topics, ["a", "a"]);
    short.topic_alias = NonZeroU16::new(3);
    script.sent();
    script.receive(Packet::Publish(Box::new(short)));
    assert_eq!(script.sent(), ["DISCONNECT 0x94"]);
}

#[test]
fn the_queue_has_its_limit_and_qos0_needs_a_connection() {
    let mut limited = options(Version::V5);
    limited.outbound_messages_max = 1;
    let mut script = Script::new(limited);
    script.publish("a", QoS::AtLeastOnce);
    let message = |qos| OutgoingMessage {
        topic: TopicName::new("b").expect("a topic name"),
        payload: bytes::Bytes::new(),
        qos,
        retain: false,
        properties: MessageProperties::default(),
    };
    let full = script.client.publish(message(QoS::AtLeastOnce));
    assert_eq!(full, Err(Error::QueueFull));
    script.client.handle_closed(0, "cut");
    let offline = script.client.publish(message(QoS::AtMostOnce));
    assert_eq!(offline, Err(Error::Offline));
}

#[test]
fn an_incoming_message_is_acknowledged_when_it_is_taken() {
    let mut script = Script::online(options(Version::V5));
    script.receive(Packet::Publish(Box::new(incoming(
        "a",
        QoS::AtLeastOnce,
        9,
    ))));
    assert_eq!(script.sent(), [""; 0]);
    assert_eq!(script.messages().len(), 1);
    assert_eq!(script.sent(), ["PUBACK 9"]);
}

#[test]
fn an_incoming_qos2_message_is_delivered_once_over_connections() {
    let mut script = Script::online(options(Version::V5));
    let publish = Packet::Publish(Box::new(incoming("a", QoS::ExactlyOnce, 9)));
    script.receive(publish.clone());
    assert_eq!(script.messages().len(), 1);
    script.receive(publish.clone());
    assert_eq!(script.sent(), ["PUBREC 9", "PUBREC 9"]);
    script.cut();
    script.accept(true);
    script.receive(publish.clone());
    assert_eq!(script.messages().len(), 0);
    script.receive(Packet::PubRel(ack(9)));
    script.receive(publish);
    assert_eq!(script.messages().len(), 1);
    assert_eq!(script.sent(), ["PUBREC 9", "PUBCOMP 9", "PUBREC 9"]);
}
