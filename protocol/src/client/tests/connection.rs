//! Connecting, keep alive, and the ways in which a connection ends.

use super::*;
use crate::packet::Disconnect;

#[test]
fn the_first_connection_is_clean_and_later_ones_resume() {
    let mut script = Script::new(options(Version::V5));
    script.client.handle_open(0);
    assert_eq!(script.sent(), ["CONNECT clean"]);
    script.receive(Packet::ConnAck(Box::new(ConnAck::new(
        ReasonCode::Success,
        false,
    ))));
    script.cut();
    script.client.handle_open(script.now);
    assert_eq!(script.sent(), ["CONNECT"]);
}

#[test]
fn a_clean_session_of_3_1_1_stays_clean() {
    let mut script = Script::online(options(Version::V3_1_1));
    script.cut();
    script.client.handle_open(script.now);
    assert_eq!(script.sent(), ["CONNECT clean"]);
}

/// [MQTT-3.1.2-20]
#[test]
fn pings_after_half_the_keep_alive_and_gives_up_on_silence() {
    let mut script = Script::online(options(Version::V5));
    script.advance(14_999);
    assert_eq!(script.sent(), [""; 0]);
    script.advance(1);
    assert_eq!(script.sent(), ["PINGREQ"]);
    script.receive(Packet::PingResp);
    script.advance(15_000);
    assert_eq!(script.sent(), ["PINGREQ"]);
    script.advance(9_999);
    assert_eq!(script.actions(), []);
    script.advance(1);
    assert_eq!(script.actions(), [Action::Close]);
    assert!(matches!(script.client.state(), State::Offline { .. }));
}

/// [MQTT-3.1.2-21, MQTT-3.2.2-21]
#[test]
fn the_keep_alive_of_the_server_replaces_its_own() {
    let mut script = Script::new(options(Version::V5));
    let mut connack = ConnAck::new(ReasonCode::Success, false);
    connack.server_keep_alive = Some(10);
    script.accept_with(connack);
    script.advance(4_999);
    assert_eq!(script.sent(), [""; 0]);
    script.advance(1);
    assert_eq!(script.sent(), ["PINGREQ"]);
}

#[test]
fn a_probe_wants_an_answer_soon() {
    let mut script = Script::online(options(Version::V5));
    script.client.probe(script.now);
    assert_eq!(script.sent(), ["PINGREQ"]);
    script.advance(3_000);
    assert_eq!(script.actions(), [Action::Close]);
}

#[test]
fn bad_credentials_are_not_tried_again_by_itself() {
    let mut script = Script::new(options(Version::V5));
    script.client.handle_open(0);
    script.sent();
    let refusal = ConnAck::new(ReasonCode::BadUserNameOrPassword, false);
    script.receive(Packet::ConnAck(Box::new(refusal)));
    assert!(matches!(script.client.state(), State::NeedsAuth { .. }));
    assert_eq!(script.actions(), [Action::Close]);
    assert_eq!(script.client.poll_timeout(), None);
    script.client.reconnect_now(script.now);
    assert_eq!(script.actions(), [Action::Open]);
}

/// The other one may have been a tab that led before and did not know yet that it leads no more.
#[test]
fn who_was_taken_over_says_so_and_comes_back_after_a_wait() {
    let mut script = Script::online(options(Version::V5));
    script.receive(taken_over());
    let State::Offline {
        reason_code,
        retry_in_ms: Some(wait_ms),
        ..
    } = script.client.state().clone()
    else {
        panic!("{:?}", script.client.state());
    };
    assert_eq!(reason_code, Some(ReasonCode::SessionTakenOver));
    assert_eq!(script.actions(), [Action::Close]);
    script.advance(wait_ms.into());
    assert_eq!(script.actions(), [Action::Open]);
}

/// Two devices: each throws the other out. Connections that last for some seconds do not put the waits back to the start.
#[test]
fn two_with_one_client_id_take_turns_and_do_so_slowly() {
    const HOUR_MS: Millis = 3_600_000;
    let seeded = |seed| Options {
        seed,
        ..options(Version::V5)
    };
    let (mut on, mut off) = (Script::online(seeded(1)), Script::online(seeded(2)));
    let mut turns = 0;
    while on.now < HOUR_MS {
        off.now = on.now;
        off.receive(taken_over());
        off.actions();
        off.now = off.client.poll_timeout().expect("a next attempt");
        off.client.handle_timeout(off.now);
        assert_eq!(off.actions(), [Action::Open]);
        off.accept(true);
        turns += 1;
        core::mem::swap(&mut on, &mut off);
    }
    // Waits of 15 s on average.
    assert!((200..=300).contains(&turns), "{turns}");
}

fn taken_over() -> Packet {
    Packet::Disconnect(Box::new(Disconnect::new(ReasonCode::SessionTakenOver)))
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let mut script = Script::new(options(Version::V5));
    script.advance(10_000);
    assert_eq!(script.actions(), [Action::Close]);
    assert!(matches!(
        script.client.state(),
        State::Offline {
            retry_in_ms: Some(_),
            ..
        }
    ));
}

#[test]
fn closing_says_goodbye_and_settles_everything() {
    let mut script = Script::online(options(Version::V5));
    let handle = script.publish("a", QoS::AtLeastOnce);
    script.client.close();
    assert_eq!(script.sent(), ["DISCONNECT 0x00"]);
    assert_eq!(script.actions(), [Action::Close]);
    assert_eq!(script.outcomes(), [(handle, Err(Error::Closed))]);
    assert_eq!(script.client.poll_timeout(), None);
}

#[test]
fn a_server_that_breaks_the_protocol_is_told_and_left() {
    let mut script = Script::online(options(Version::V5));
    script.receive(Packet::PingReq);
    assert_eq!(script.sent(), ["DISCONNECT 0x82"]);
    assert_eq!(script.actions(), [Action::Close]);
    // A session where a clean start was asked for [MQTT-3.2.2-4].
    let mut script = Script::new(options(Version::V5));
    script.client.handle_open(0);
    script.sent();
    script.receive(Packet::ConnAck(Box::new(ConnAck::new(
        ReasonCode::Success,
        true,
    ))));
    assert_eq!(script.actions(), [Action::Close]);
}

/// The same reason in CONNACK is about CONNECT, which would be the same again.
#[test]
fn what_ended_a_connection_need_not_end_the_next() {
    for (reason, tries_again) in [
        (ReasonCode::ProtocolError, true),
        (ReasonCode::TopicNameInvalid, true),
        (ReasonCode::ServerShuttingDown, true),
        (ReasonCode::SessionTakenOver, true),
        (ReasonCode::ServerMoved, false),
    ] {
        let mut script = Script::online(options(Version::V5));
        script.receive(Packet::Disconnect(Box::new(Disconnect::new(reason))));
        let State::Offline { retry_in_ms, .. } = script.client.state() else {
            panic!("{:?}", script.client.state());
        };
        assert_eq!(retry_in_ms.is_some(), tries_again, "{reason:?}");
    }
    let mut script = Script::new(options(Version::V5));
    script.client.handle_open(0);
    let refusal = ConnAck::new(ReasonCode::ProtocolError, false);
    script.receive(Packet::ConnAck(Box::new(refusal)));
    let state = script.client.state();
    assert!(
        matches!(
            state,
            State::Offline {
                retry_in_ms: None,
                ..
            }
        ),
        "{state:?}"
    );
}

#[test]
fn bytes_that_come_in_pieces_are_packets_once_complete() {
    let mut script = Script::new(options(Version::V5));
    script.client.handle_open(0);
    let mut output = bytes::BytesMut::new();
    script.client.poll_output(0, &mut output, usize::MAX);
    assert_eq!(output[0], 0x10);
    let mut input = bytes::BytesMut::from(&[0x20, 0x03, 0x00][..]);
    script.client.handle_input(0, &mut input);
    assert_eq!(script.client.state(), &State::Connecting);
    input.extend_from_slice(&[0x00, 0x00]);
    script.client.handle_input(0, &mut input);
    assert!(matches!(script.client.state(), State::Online { .. }));
    input.extend_from_slice(&[0x00, 0x00]);
    script.client.handle_input(0, &mut input);
    assert_eq!(script.sent(), ["DISCONNECT 0x81"]);
    assert!(input.is_empty());
}

/// A large message from the server, on a slow link: the answers to PINGREQ come after it [MQTT-3.1.2-20].
#[test]
fn a_part_of_a_packet_is_a_sign_of_life() {
    let mut script = Script::online(options(Version::V5));
    script.advance(15_000);
    assert_eq!(script.sent(), ["PINGREQ"]);
    let mut input = bytes::BytesMut::from(&[0x30, 100][..]);
    for pings in [0, 1, 0, 1, 0, 1] {
        script.advance(7_500);
        assert_eq!(script.sent().len(), pings);
        input.extend_from_slice(&[0]);
        script.client.handle_input(script.now, &mut input);
    }
    script.advance(9_999);
    assert_eq!(script.actions(), []);
    script.advance(1);
    assert_eq!(script.actions(), [Action::Close]);
}

/// A large message to the server, on a slow link: the PINGREQ cannot be written before it, for longer than a server takes silence.
#[test]
fn bytes_that_leave_are_a_sign_of_life_however_long_the_ping_waits() {
    let mut script = Script::online(options(Version::V5));
    script.advance(15_000);
    for _ in 0..5 {
        script.advance(9_999);
        let mut none = bytes::BytesMut::new();
        script.client.handle_input(script.now, &mut none);
    }
    script.advance(9_999);
    assert_eq!(script.actions(), []);
    script.advance(1);
    assert_eq!(script.actions(), [Action::Close]);
}

/// [MQTT-3.1.2-22]
#[test]
fn after_a_long_sleep_the_connection_is_given_up_without_a_question() {
    let mut script = Script::online(options(Version::V5));
    script.advance(44_999);
    assert_eq!(script.sent(), ["PINGREQ"]);
    let mut script = Script::online(options(Version::V5));
    script.events();
    script.advance(45_000);
    assert_eq!(script.sent(), [""; 0]);
    assert_eq!(script.actions(), [Action::Close]);
    let State::Offline { retry_in_ms, .. } = script.client.state() else {
        panic!("{:?}", script.client.state());
    };
    assert!(retry_in_ms.is_some_and(|wait_ms| wait_ms <= 1_000));
}

#[test]
fn the_connack_is_told_before_the_state() {
    let mut script = Script::new(options(Version::V5));
    let mut connack = ConnAck::new(ReasonCode::Success, false);
    let lost = r#"{"count":3,"first":"2026-11-29T10:00:00Z","last":"2026-11-29T10:05:00Z"}"#;
    connack.user_properties = vec![("ebbtide-dropped".into(), lost.into())];
    script.accept_with(connack.clone());
    let connected = Event::Connected(Box::new(connack));
    let state = Event::State(script.client.state().clone());
    assert_eq!(script.events(), [connected, state]);
}
