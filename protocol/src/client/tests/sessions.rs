//! What became of the session, and what each stage of a publish makes of it.

use super::*;
use crate::packet::Disconnect;

fn session(script: &Script) -> Session {
    match script.client.state() {
        State::Online { session } => *session,
        other => panic!("{other:?}"),
    }
}

fn connack(session_present: bool) -> Packet {
    Packet::ConnAck(Box::new(ConnAck::new(ReasonCode::Success, session_present)))
}

/// A durable client that knows of no session.
fn sessionless(version: Version) -> Options {
    let mut options = durable(version);
    options.has_session = false;
    options
}

/// The transport opens; CONNECT leaves.
fn connect(script: &mut Script) -> (Vec<String>, Vec<String>) {
    script.client.handle_open(script.now);
    script.store()
}

#[test]
fn a_durable_client_asks_for_its_session_each_time() {
    for version in [Version::V5, Version::V3_1_1] {
        let mut script = Script::new(durable(version));
        for _ in 0..2 {
            script.client.handle_open(script.now);
            assert_eq!(script.sent(), ["CONNECT"]);
            script.receive(connack(true));
            assert_eq!(session(&script), Session::Resumed);
            assert_eq!(script.store().0, [""; 0]);
            script.cut();
        }
    }
}

#[test]
fn a_session_that_was_expected_and_is_gone_is_a_gap() {
    let mut script = Script::new(durable(Version::V5));
    script.accept(false);
    assert_eq!(session(&script), Session::Gap);
    assert_eq!(script.store().0, ["restarted"]);
    script.cut();
    script.accept(true);
    assert_eq!(session(&script), Session::Resumed);
}

#[test]
fn the_first_session_is_fresh() {
    let mut script = Script::new(sessionless(Version::V5));
    connect(&mut script);
    script.receive(connack(false));
    assert_eq!(session(&script), Session::Fresh);
    assert_eq!(script.store().0, ["restarted"]);
    script.cut();
    script.accept(false);
    assert_eq!(session(&script), Session::Gap);
}

#[test]
fn a_client_that_is_not_durable_misses_a_session_only_if_there_was_to_be_one() {
    let mut script = Script::online(options(Version::V5));
    assert_eq!(session(&script), Session::Fresh);
    script.cut();
    script.accept(false);
    assert_eq!(session(&script), Session::Fresh);
    let mut lasting = options(Version::V5);
    lasting.connect.session_expiry_interval = Some(60);
    let mut script = Script::online(lasting);
    script.cut();
    script.accept(false);
    assert_eq!(session(&script), Session::Gap);
}

/// [MQTT-3.2.2-4]
#[test]
fn a_session_that_is_not_stored_here_is_ended_first() {
    let mut script = Script::new(sessionless(Version::V5));
    assert_eq!(connect(&mut script).1, ["CONNECT"]);
    script.receive(connack(true));
    assert_eq!(script.sent(), ["DISCONNECT 0x00"]);
    assert_eq!(script.actions(), [Action::Close, Action::Open]);
    assert_eq!(script.events(), [], "it is still connecting");
    script.client.handle_open(0);
    assert_eq!(script.sent(), ["CONNECT clean"]);
    script.receive(connack(false));
    assert_eq!(session(&script), Session::Evicted);
    assert_eq!(script.store().0, ["restarted"]);
    script.cut();
    script.client.handle_open(script.now);
    assert_eq!(script.sent(), ["CONNECT"], "it is kept from now on");
}

/// [MQTT3-3.1.2-6]: a Clean Session is not kept, so a third connection begins the one that is.
#[test]
fn in_3_1_1_the_clean_session_is_left_at_once() {
    let mut script = Script::new(sessionless(Version::V3_1_1));
    assert_eq!(connect(&mut script).1, ["CONNECT"]);
    script.receive(connack(true));
    script.sent();
    script.actions();
    script.client.handle_open(0);
    assert_eq!(script.sent(), ["CONNECT clean"]);
    script.receive(connack(false));
    assert_eq!(script.sent(), ["DISCONNECT 0x00"]);
    assert_eq!(script.actions(), [Action::Close, Action::Open]);
    script.client.handle_open(0);
    assert_eq!(script.sent(), ["CONNECT"]);
    script.receive(connack(false));
    assert_eq!(session(&script), Session::Evicted);
    assert_eq!(script.store().0, ["restarted"]);
}

#[test]
fn an_attempt_to_end_it_that_is_cut_is_made_again() {
    let mut script = Script::new(sessionless(Version::V5));
    connect(&mut script);
    script.receive(connack(true));
    script.actions();
    script.cut();
    script.client.handle_open(script.now);
    script.client.poll_packet(script.now);
    script.receive(connack(false));
    assert_eq!(session(&script), Session::Evicted);
}

#[test]
fn a_session_that_began_without_an_answer_is_ended_too_and_nothing_was_lost() {
    let cut = || {
        let mut script = Script::new(sessionless(Version::V5));
        connect(&mut script);
        script.cut();
        script
    };
    let restored = || {
        let mut options = sessionless(Version::V5);
        options.is_unsure = true;
        Script::new(options)
    };
    for mut script in [cut(), restored()] {
        script.client.handle_open(script.now);
        assert_eq!(script.store(), (vec![], vec!["CONNECT".to_owned()]));
        script.receive(connack(true));
        assert_eq!(script.sent(), ["DISCONNECT 0x00"]);
        assert_eq!(script.actions(), [Action::Close, Action::Open]);
        script.client.handle_open(script.now);
        assert_eq!(script.sent(), ["CONNECT clean"]);
        script.receive(connack(false));
        assert_eq!(session(&script), Session::Fresh);
    }
}

#[test]
fn what_may_begin_a_session_leaves_once_that_is_stored() {
    let mut script = Script::new(sessionless(Version::V5));
    script.client.handle_open(script.now);
    assert_eq!(script.sent(), [""; 0]);
    assert_eq!(script.batch(), Some((1, vec!["unsure".to_owned()])));
    script.cut();
    script.client.handle_open(script.now);
    assert_eq!(script.sent(), [""; 0], "it is still not stored");
    script.client.handle_committed(1);
    assert_eq!(script.store(), (vec![], vec!["CONNECT".to_owned()]));
    script.receive(connack(false));
    assert_eq!(script.store().0, ["restarted"]);
    script.cut();
    script.client.handle_open(script.now);
    assert_eq!(script.sent(), ["CONNECT"]);
    assert_eq!(script.batch(), None);
}

#[test]
fn what_was_refused_has_begun_no_session() {
    let refuse = |script: &mut Script| {
        let refusal = ConnAck::new(ReasonCode::ServerBusy, false);
        script.receive(Packet::ConnAck(Box::new(refusal)));
        script.actions();
        let (stored, _) = script.store();
        script.now = script.client.poll_timeout().expect("a next attempt");
        script.client.handle_timeout(script.now);
        script.actions();
        stored
    };
    let mut script = Script::new(sessionless(Version::V5));
    for _ in 0..2 {
        assert_eq!(connect(&mut script).0, ["unsure"]);
        assert_eq!(refuse(&mut script), ["sure"]);
    }
    connect(&mut script);
    script.cut();
    connect(&mut script);
    assert_eq!(refuse(&mut script), [""; 0], "the one before may have");
    connect(&mut script);
    script.receive(connack(true));
    script.actions();
    connect(&mut script);
    assert_eq!(refuse(&mut script), [""; 0], "there is one");
}

#[test]
fn each_stage_has_its_end_when_the_session_is_gone() {
    let mut script = Script::new(durable(Version::V5));
    script.accept(true);
    let once = script.publish("once", QoS::AtLeastOnce);
    let unknown = script.publish("unknown", QoS::ExactlyOnce);
    let again = Delivery {
        resend: true,
        ..Delivery::default()
    };
    script.publish_with("again", QoS::ExactlyOnce, again);
    let released = script.publish("released", QoS::ExactlyOnce);
    script.store();
    script.receive(Packet::PubRec(ack(4)));
    script.store();
    script.publish("unsent", QoS::ExactlyOnce);
    script.sent();
    let (ticket, _) = script.batch().expect("what is stored and has not left");
    script.events();
    script.cut();
    script.accept(false);
    script.client.handle_committed(ticket);
    assert_eq!(script.outcomes(), [], "not stored yet");
    let (stored, sent) = script.store();
    assert_eq!(
        stored,
        [
            "restarted",
            "finished 4 Ok(Success)",
            "finished 2 Err(OutcomeUnknown)",
            "sent 1 as 6",
            "sent 3 as 7",
            "sent 5 as 8",
        ]
    );
    assert_eq!(
        sent,
        ["PUBLISH 6 once", "PUBLISH 7 again", "PUBLISH 8 unsent"]
    );
    let outcomes = [
        (released, Ok(ReasonCode::Success)),
        (unknown, Err(Error::OutcomeUnknown)),
    ];
    assert_eq!(script.outcomes(), outcomes);
    assert_eq!(once.number(), 1);
}

/// [MQTT-3.3.1-1]: DUP is for what was sent before.
#[test]
fn what_was_stored_and_never_left_is_sent_for_the_first_time() {
    let mut script = Script::new(durable(Version::V5));
    script.accept(true);
    script.publish("a", QoS::ExactlyOnce);
    script.sent();
    let (ticket, _) = script.batch().expect("a batch");
    script.cut();
    script.accept(true);
    assert_eq!(script.sent(), [""; 0]);
    script.client.handle_committed(ticket);
    assert_eq!(script.sent(), ["PUBLISH 1 a"]);
}

#[test]
fn subscriptions_of_a_lost_session_are_stored_anew_and_endings_have_ended() {
    let mut script = Script::new(durable(Version::V5));
    script.accept(true);
    script.subscribe("a");
    let ending = script.subscribe("b");
    script.store();
    script.cut();
    script.client.unsubscribe(ending);
    script.events();
    script.accept(false);
    let (stored, sent) = script.store();
    assert_eq!(stored, ["restarted", "subscribed 1 a"]);
    assert_eq!(sent, ["SUBSCRIBE 3 a #1"]);
    let ended = Event::Unsubscribed {
        handle: ending,
        reason: ReasonCode::Success,
        diagnostics: None,
    };
    assert!(script.events().contains(&ended));
}

#[test]
fn refreshed_filters_are_asked_for_again_when_the_session_is_resumed() {
    let mut script = Script::new(durable(Version::V5));
    script.accept(true);
    script.subscribe("live");
    let filter = TopicFilter::new("cached").expect("a topic filter");
    let used = Use {
        refresh: true,
        ..Use::default()
    };
    let cached = script
        .client
        .subscribe_with(filter, used, vec![("k".into(), "v".into())]);
    let cached = cached.expect("there is room");
    script.store();
    for id in [1, 2] {
        script.receive(suback(id, ReasonCode::Success));
    }
    script.sent();
    script.receive(Packet::PingResp);
    script.advance(50);
    script.cut();
    script.events();
    script.accept(true);
    let packet = script.client.poll_packet(script.now);
    let Some(Packet::Subscribe(subscribe)) = packet else {
        panic!("{packet:?}");
    };
    assert_eq!(subscribe.subscription_identifier, Some(2));
    assert_eq!(subscribe.user_properties, [("k".into(), "v".into())]);
    let handling = subscribe.subscriptions[0].options.retain_handling;
    assert_eq!(handling, crate::packet::RetainHandling::Send);
    assert_eq!(script.store(), (vec![], vec![]));
    script.receive(suback(subscribe.packet_id.get(), ReasonCode::Success));
    assert_eq!(script.sent(), ["PINGREQ"]);
    script.receive(Packet::PingResp);
    script.advance(50);
    let complete = SubscriptionChange::SnapshotComplete { inferred: true };
    let granted = SubscriptionChange::Granted(ReasonCode::Success);
    assert_eq!(script.changes(), [(cached, granted), (cached, complete)]);
}

#[test]
fn a_session_can_be_ended_for_good() {
    let mut script = Script::new(durable(Version::V5));
    script.accept(true);
    script.client.end(true);
    let packet = script.client.poll_packet(0);
    let Some(Packet::Disconnect(disconnect)) = packet else {
        panic!("{packet:?}");
    };
    assert_eq!(disconnect.reason, ReasonCode::Success);
    assert_eq!(disconnect.session_expiry_interval, Some(0));
}

/// In 3.1.1 no DISCONNECT can do that: the connection just ends.
#[test]
fn a_session_can_be_ended_with_its_will() {
    for (version, expected) in [
        (Version::V5, &["DISCONNECT 0x04"][..]),
        (Version::V3_1_1, &[]),
    ] {
        let mut script = Script::online(options(version));
        script.client.end_with(Disconnect {
            session_expiry_interval: Some(0),
            ..Disconnect::new(ReasonCode::DisconnectWithWill)
        });
        assert_eq!(script.sent(), expected);
        assert_eq!(script.actions(), [Action::Close]);
    }
}

/// The CONNACK of a new session may be lost: the next one calls that session present, and it is empty.
#[test]
fn after_a_connect_without_an_answer_subscriptions_are_made_sure_of() {
    let mut script = Script::new(durable(Version::V5));
    script.accept(true);
    let handle = script.subscribe("a");
    script.store();
    script.receive(suback(1, ReasonCode::Success));
    script.sent();
    script.receive(Packet::PingResp);
    script.advance(50);
    script.cut();
    script.client.handle_open(script.now);
    assert_eq!(script.sent(), ["CONNECT"]);
    script.cut();
    script.events();
    script.accept(true);
    let packet = script.client.poll_packet(script.now);
    let Some(Packet::Subscribe(subscribe)) = packet else {
        panic!("{packet:?}");
    };
    let handling = subscribe.subscriptions[0].options.retain_handling;
    assert_eq!(handling, crate::packet::RetainHandling::SendIfNew);
    assert_eq!(script.batch(), None);
    script.receive(suback(subscribe.packet_id.get(), ReasonCode::Success));
    let mut retained = incoming("a", QoS::AtMostOnce, 0);
    retained.retain = true;
    script.receive(Packet::Publish(Box::new(retained)));
    assert_eq!(script.messages(), [("a".to_owned(), vec![handle])]);
    script.sent();
    script.receive(Packet::PingResp);
    script.advance(50);
    assert_eq!(
        script.changes(),
        [],
        "nothing has changed for the application"
    );
    script.cut();
    script.accept(true);
    assert_eq!(script.sent(), [""; 0], "now it is sure");
}

/// [MQTT-4.3.3-10, MQTT-3.3.1-1]
#[test]
fn what_comes_without_dup_is_new_only_where_the_session_is_in_doubt() {
    let mut script = Script::new(durable(Version::V5));
    script.accept(true);
    let publish = Packet::Publish(Box::new(incoming("a", QoS::ExactlyOnce, 8)));
    script.receive(publish.clone());
    script.store();
    script.cut();
    script.accept(true);
    script.receive(publish.clone());
    assert_eq!(script.store().0, [""; 0], "some servers forget DUP");
    script.cut();
    script.client.handle_open(script.now);
    script.cut();
    script.accept(true);
    script.receive(publish);
    assert_eq!(script.store().0, ["received 8 a"]);
}

#[test]
fn a_connect_that_was_refused_leaves_no_doubt() {
    let mut script = Script::new(durable(Version::V5));
    script.accept(true);
    script.subscribe("a");
    script.store();
    script.receive(suback(1, ReasonCode::Success));
    script.sent();
    script.receive(Packet::PingResp);
    script.advance(50);
    script.cut();
    script.client.handle_open(script.now);
    script.sent();
    let refusal = ConnAck::new(ReasonCode::ServerBusy, false);
    script.receive(Packet::ConnAck(Box::new(refusal)));
    script.actions();
    script.now = script.client.poll_timeout().expect("a next attempt");
    script.client.handle_timeout(script.now);
    script.actions();
    script.accept(true);
    assert_eq!(script.sent(), [""; 0]);
}
