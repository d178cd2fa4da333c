//! Publishes that the server refuses: for now, and for good.

use std::num::NonZeroU16;

use super::*;

fn refusal(id: u16, reason: ReasonCode) -> Ack {
    Ack::new(packet_id(id), reason)
}

fn resumed() -> Script {
    let mut script = Script::new(durable(Version::V5));
    script.accept(true);
    script.events();
    script
}

fn deferred(script: &mut Script) -> Vec<(PublishHandle, ReasonCode, u32)> {
    script
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Deferred {
                handle,
                reason,
                retry_in_ms,
                ..
            } => Some((handle, reason, retry_in_ms)),
            _ => None,
        })
        .collect()
}

/// Refused each time: how long each pause is.
fn pauses(script: &mut Script, count: u16) -> Vec<u32> {
    (1..=count)
        .map(|_| {
            let (stored, sent) = script.store();
            let id = sent[0].split(' ').nth(1).expect("a packet id");
            let id = id.parse().expect("a packet id");
            assert_eq!(stored.len() + sent.len(), 2, "{stored:?} {sent:?}");
            script.receive(Packet::PubAck(refusal(id, ReasonCode::QuotaExceeded)));
            let [(_, _, pause_ms)] = deferred(script)[..] else {
                panic!("one publish is deferred");
            };
            script.store();
            script.advance(pause_ms.into());
            pause_ms
        })
        .collect()
}

#[test]
fn what_is_refused_for_now_waits_and_is_sent_as_new() {
    for reason in [
        ReasonCode::QuotaExceeded,
        ReasonCode::ImplementationSpecificError,
    ] {
        let mut script = resumed();
        let handle = script.publish("a", QoS::ExactlyOnce);
        script.store();
        script.receive(Packet::PubRec(refusal(1, reason)));
        let [(deferred, because, pause_ms)] = deferred(&mut script)[..] else {
            panic!("one publish is deferred");
        };
        assert_eq!((deferred, because), (handle, reason));
        assert_eq!(script.store(), (vec!["withdrawn 1".to_owned()], vec![]));
        assert!(pause_ms > 1, "this seed is to have a pause");
        script.advance(u64::from(pause_ms) - 1);
        assert_eq!(script.store(), (vec![], vec![]));
        let due = script.client.poll_timeout();
        assert_eq!(due, Some(script.now + 1));
        script.advance(1);
        let (stored, sent) = script.store();
        assert_eq!(stored, ["sent 1 as 2"]);
        assert_eq!(sent, ["PUBLISH 2 a"], "without DUP");
        assert_eq!(script.outcomes(), []);
    }
}

#[test]
fn the_order_stays_when_the_first_of_many_is_refused() {
    let mut script = Script::new(durable(Version::V5));
    let mut connack = ConnAck::new(ReasonCode::Success, true);
    connack.receive_maximum = NonZeroU16::new(2);
    script.accept_with(connack);
    for topic in ["a", "b", "c", "d", "e"] {
        script.publish(topic, QoS::AtLeastOnce);
    }
    assert_eq!(script.store().1, ["PUBLISH 1 a", "PUBLISH 2 b"]);
    script.receive(Packet::PubAck(refusal(1, ReasonCode::QuotaExceeded)));
    let first = deferred(&mut script);
    let (stored, sent) = script.store();
    assert_eq!(stored, ["withdrawn 4", "withdrawn 3", "withdrawn 1"]);
    assert_eq!(sent, [""; 0]);
    script.advance(1);
    script.receive(Packet::PubAck(refusal(2, ReasonCode::QuotaExceeded)));
    let second = deferred(&mut script);
    assert_eq!(second[0].2, first[0].2 - 1, "it is the same pause");
    assert_eq!(script.store().0, ["withdrawn 2"]);
    script.advance(second[0].2.into());
    let (stored, sent) = script.store();
    assert_eq!(
        stored,
        ["sent 1 as 5", "sent 2 as 6", "sent 3 as 7", "sent 4 as 8"]
    );
    assert_eq!(sent, ["PUBLISH 5 a", "PUBLISH 6 b"]);
}

#[test]
fn pauses_grow_until_the_server_takes_something() {
    let longest = |take: bool| {
        (0..40)
            .map(|seed| {
                let mut options = durable(Version::V5);
                options.seed = seed;
                options.connect.keep_alive = 0;
                let mut script = Script::new(options);
                script.accept(true);
                script.publish("a", QoS::AtLeastOnce);
                pauses(&mut script, 3);
                if take {
                    script.store();
                    script.receive(Packet::PubAck(ack(4)));
                    script.store();
                    script.publish("b", QoS::AtLeastOnce);
                }
                pauses(&mut script, 1)[0]
            })
            .max()
            .expect("40 seeds")
    };
    assert!((6_000..=8_000).contains(&longest(false)));
    assert!((700..=1_000).contains(&longest(true)));
}

#[test]
fn a_pause_outlives_the_connection_and_resends_do_not_wait_for_it() {
    let mut script = resumed();
    script.publish("a", QoS::AtLeastOnce);
    script.publish("b", QoS::AtLeastOnce);
    script.store();
    script.receive(Packet::PubAck(refusal(1, ReasonCode::QuotaExceeded)));
    let pause_ms = deferred(&mut script)[0].2;
    script.store();
    script.client.handle_closed(script.now, "cut");
    script.client.reconnect_now(script.now);
    script.actions();
    script.accept(true);
    assert_eq!(script.store(), (vec![], vec!["PUBLISH 2 b dup".to_owned()]));
    script.advance(pause_ms.into());
    assert_eq!(script.store().1, ["PUBLISH 3 a"]);
}

#[test]
fn a_refusal_for_good_is_stored_and_told() {
    for reason in [
        ReasonCode::UnspecifiedError,
        ReasonCode::NotAuthorized,
        ReasonCode::TopicNameInvalid,
        ReasonCode::PayloadFormatInvalid,
        ReasonCode::PacketTooLarge,
    ] {
        let mut script = resumed();
        let handles = [QoS::AtLeastOnce, QoS::ExactlyOnce].map(|qos| script.publish("a", qos));
        script.store();
        script.receive(Packet::PubAck(refusal(1, reason)));
        script.receive(Packet::PubRec(refusal(2, reason)));
        let refused = format!("Err(Refused({reason:?}))");
        let (stored, sent) = script.store();
        assert_eq!(
            stored,
            [
                format!("finished 1 {refused}"),
                format!("finished 2 {refused}")
            ]
        );
        assert_eq!(sent, [""; 0]);
        let outcome = handles.map(|handle| (handle, Err(Error::Refused(reason))));
        assert_eq!(script.outcomes(), outcome);
    }
}

#[test]
fn a_client_that_is_not_durable_leaves_it_to_its_application() {
    let mut script = Script::online(options(Version::V5));
    let handle = script.publish("a", QoS::AtLeastOnce);
    script.sent();
    script.receive(Packet::PubAck(refusal(1, ReasonCode::QuotaExceeded)));
    let refused = Err(Error::Refused(ReasonCode::QuotaExceeded));
    assert_eq!(script.outcomes(), [(handle, refused)]);
}

#[test]
fn what_the_server_cannot_take_is_finished_before_it_is_sent() {
    let mut script = Script::new(durable(Version::V5));
    let handle = script.publish("a", QoS::ExactlyOnce);
    let mut connack = ConnAck::new(ReasonCode::Success, true);
    connack.maximum_qos = Some(QoS::AtLeastOnce);
    script.accept_with(connack);
    let (stored, sent) = script.store();
    assert_eq!(stored, ["finished 1 Err(Refused(QoSNotSupported))"]);
    assert_eq!(sent, [""; 0]);
    let refused = Err(Error::Refused(ReasonCode::QoSNotSupported));
    assert_eq!(script.outcomes(), [(handle, refused)]);
}
