//! A client that starts with what an earlier run had stored.

use super::*;

fn restored() -> Script {
    Script {
        client: Client::idle(durable(Version::V5)),
        now: 0,
    }
}

impl Script {
    fn restore(&mut self, topic: &str, qos: QoS, id: u16, stage: Stage) -> PublishHandle {
        let outgoing = message(topic, qos);
        let restored =
            self.client
                .restore_outgoing(outgoing, Delivery::default(), packet_id(id), stage);
        restored.expect("the packet id is free")
    }

    fn start(&mut self) {
        self.client.start(self.now);
        assert_eq!(self.actions(), [Action::Open]);
    }
}

#[test]
fn nothing_happens_before_the_start() {
    let mut script = restored();
    assert_eq!(script.actions(), []);
    assert_eq!(script.client.poll_timeout(), None);
    script.start();
    script.client.start(0);
    assert_eq!(script.actions(), []);
}

/// [MQTT-3.3.1-1, MQTT-4.4.0-1, MQTT-2.2.1-3]
#[test]
fn what_was_sent_is_sent_again_under_its_packet_id_and_nothing_else_takes_it() {
    let mut script = restored();
    let released = script.restore("r", QoS::ExactlyOnce, 2, Stage::Released);
    let once = script.restore("a", QoS::AtLeastOnce, 1, Stage::Sent);
    let exact = script.restore("b", QoS::ExactlyOnce, 3, Stage::Sent);
    script.start();
    script.accept(true);
    let new = script.publish("n", QoS::AtLeastOnce);
    let (stored, sent) = script.store();
    assert_eq!(stored, ["sent 4 as 4"]);
    assert_eq!(
        sent,
        [
            "PUBREL 2",
            "PUBLISH 1 a dup",
            "PUBLISH 3 b dup",
            "PUBLISH 4 n"
        ]
    );
    script.receive(Packet::PubComp(ack(2)));
    script.receive(Packet::PubAck(ack(1)));
    script.receive(Packet::PubRec(ack(3)));
    script.receive(Packet::PubAck(ack(4)));
    assert_eq!(script.store().1, ["PUBREL 3"]);
    script.receive(Packet::PubComp(ack(3)));
    script.store();
    let outcomes = [released, once, new, exact].map(|handle| (handle, Ok(ReasonCode::Success)));
    assert_eq!(script.outcomes(), outcomes);
}

#[test]
fn one_packet_id_for_two_publishes_is_refused() {
    let mut script = restored();
    script.restore("a", QoS::AtLeastOnce, 1, Stage::Sent);
    let again = script.client.restore_outgoing(
        message("b", QoS::AtLeastOnce),
        Delivery::default(),
        packet_id(1),
        Stage::Sent,
    );
    assert_eq!(again, Err(Error::PacketIdInUse));
}

/// [MQTT-4.3.3-10]
#[test]
fn a_message_that_an_earlier_run_had_received_is_not_received_again() {
    let mut script = restored();
    script.client.restore_incoming(packet_id(8));
    script.start();
    script.accept(true);
    let mut publish = incoming("a", QoS::ExactlyOnce, 8);
    publish.dup = true;
    script.receive(Packet::Publish(Box::new(publish.clone())));
    assert_eq!(script.store(), (vec![], vec!["PUBREC 8".to_owned()]));
    publish.dup = false;
    script.receive(Packet::Publish(Box::new(publish.clone())));
    assert_eq!(script.store(), (vec![], vec!["PUBREC 8".to_owned()]));
    script.receive(Packet::PubRel(ack(8)));
    script.receive(Packet::Publish(Box::new(publish)));
    assert_eq!(script.store().0, ["completed 8", "received 8 a"]);
}

/// [MQTT-3.3.1-1]: a repetition has DUP. The server may have lost the session, and its CONNACK have been lost, too.
#[test]
fn a_message_without_dup_is_not_the_one_that_an_earlier_run_had_received() {
    let mut script = restored();
    script.client.restore_incoming(packet_id(8));
    script.start();
    script.accept(true);
    let publish = Packet::Publish(Box::new(incoming("a", QoS::ExactlyOnce, 8)));
    script.receive(publish.clone());
    script.receive(publish);
    assert_eq!(script.store().0, ["received 8 a"], "and only once");
}

#[test]
fn a_subscription_of_an_earlier_run_is_made_sure_of() {
    let mut script = restored();
    let filter = |filter| TopicFilter::new(filter).expect("a topic filter");
    let kept = script
        .client
        .restore_subscription(3, filter("a"), Use::default());
    let refreshed = Use {
        refresh: true,
        ..Use::default()
    };
    let cached = script
        .client
        .restore_subscription(7, filter("b"), refreshed);
    script.start();
    script.accept(true);
    let handling: Vec<_> = std::iter::from_fn(|| script.client.poll_packet(0))
        .map(|packet| match packet {
            Packet::Subscribe(subscribe) => {
                let options = subscribe.subscriptions[0].options;
                (subscribe.subscription_identifier, options.retain_handling)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [
        (Some(3), crate::packet::RetainHandling::SendIfNew),
        (Some(7), crate::packet::RetainHandling::Send),
    ];
    assert_eq!(handling, expected);
    assert_eq!(script.batch(), None, "they are stored already");
    script.receive(suback(1, ReasonCode::Success));
    script.receive(suback(2, ReasonCode::Success));
    let granted = SubscriptionChange::Granted(ReasonCode::Success);
    assert_eq!(script.changes(), [(cached, granted)]);
    let mut publish = incoming("a", QoS::AtMostOnce, 0);
    publish.subscription_identifiers = vec![3];
    script.receive(Packet::Publish(Box::new(publish)));
    assert_eq!(script.messages(), [("a".to_owned(), vec![kept])]);
    let next = script.subscribe("c");
    assert_eq!(next.number(), 8, "no number twice");
}

#[test]
fn what_an_earlier_run_was_to_end_ends_before_anything_is_asked_for() {
    let mut script = restored();
    for (identifier, filter, ending) in [(3, "a", false), (7, "b", true)] {
        let filter = TopicFilter::new(filter).expect("a topic filter");
        let used = Use {
            ending,
            ..Use::default()
        };
        script.client.restore_subscription(identifier, filter, used);
    }
    script.start();
    script.accept(true);
    assert_eq!(script.sent(), ["UNSUBSCRIBE 1 b", "SUBSCRIBE 2 a #3"]);
    assert_eq!(script.batch(), None, "they are stored already");
    script.receive(Packet::UnsubAck(crate::packet::UnsubAck {
        packet_id: packet_id(1),
        reason_string: None,
        user_properties: Vec::new(),
        reasons: vec![ReasonCode::NoSubscriptionExisted],
    }));
    assert_eq!(script.store().0, ["unsubscribed 7"]);
}

#[test]
fn what_was_to_end_and_is_wanted_again_goes_on() {
    let mut script = restored();
    let filter = TopicFilter::new("a").expect("a topic filter");
    let used = Use {
        ending: true,
        ..Use::default()
    };
    script.client.restore_subscription(3, filter, used);
    script.subscribe("a");
    script.start();
    script.accept(true);
    let (stored, sent) = script.store();
    assert_eq!(stored, ["unsubscribed 3", "subscribed 4 a"]);
    assert_eq!(sent, ["SUBSCRIBE 1 a #4"]);
}

#[test]
fn a_new_use_of_a_restored_filter_gets_its_retained_messages() {
    let mut script = restored();
    let filter = TopicFilter::new("a").expect("a topic filter");
    script
        .client
        .restore_subscription(3, filter, Use::default());
    let handle = script.subscribe("a");
    script.start();
    script.accept(true);
    let (stored, sent) = script.store();
    assert_eq!(stored, ["subscribed 3 a"]);
    assert_eq!(sent, ["SUBSCRIBE 1 a #3"]);
    script.receive(suback(1, ReasonCode::Success));
    assert_eq!(script.sent(), ["PINGREQ"]);
    let granted = SubscriptionChange::Granted(ReasonCode::Success);
    assert_eq!(script.changes(), [(handle, granted)]);
}
