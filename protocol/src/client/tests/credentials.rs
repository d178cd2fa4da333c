//! Credentials: new ones for each attempt, and the end of attempts when they are not wanted.

use super::*;
use crate::packet::{Auth, Disconnect};

fn asking() -> Options {
    let mut options = options(Version::V5);
    options.asks_credentials = true;
    options
}

fn thrown_out(script: &mut Script, reason: ReasonCode) {
    let farewell = Disconnect::new(reason);
    script.receive(Packet::Disconnect(Box::new(farewell)));
}

#[test]
fn the_next_connect_has_the_new_credentials() {
    let mut script = Script::new(asking());
    let password = bytes::Bytes::from_static(b"secret");
    let data = bytes::Bytes::from_static(b"data");
    script.client.set_credentials(
        0,
        Some("ana".into()),
        Some(password.clone()),
        Some(data.clone()),
    );
    script.client.handle_open(0);
    let packet = script.client.poll_packet(0);
    let Some(Packet::Connect(connect)) = packet else {
        panic!("{packet:?}");
    };
    assert_eq!(connect.username, Some("ana".into()));
    assert_eq!(connect.password, Some(password));
    assert_eq!(connect.authentication_data, Some(data));
}

#[test]
fn refused_credentials_end_the_attempts() {
    for reason in [
        ReasonCode::BadUserNameOrPassword,
        ReasonCode::NotAuthorized,
        ReasonCode::BadAuthenticationMethod,
    ] {
        let mut script = Script::new(asking());
        script.client.handle_open(0);
        script.sent();
        script.receive(Packet::ConnAck(Box::new(ConnAck::new(reason, false))));
        let state = script.client.state();
        let expected = State::NeedsAuth {
            reason: String::new(),
            reason_code: reason,
            diagnostics: None,
        };
        assert_eq!(state, &expected);
        assert_eq!(state.explain(), reason.name());
        assert_eq!(script.client.poll_timeout(), None);
    }
}

#[test]
fn credentials_that_have_run_out_are_worth_one_more_attempt() {
    let mut script = Script::online(asking());
    script.advance(5_000);
    thrown_out(&mut script, ReasonCode::NotAuthorized);
    let State::Offline {
        reason_code,
        retry_in_ms,
        ..
    } = script.client.state()
    else {
        panic!("{:?}", script.client.state());
    };
    assert_eq!(*reason_code, Some(ReasonCode::NotAuthorized));
    assert!(retry_in_ms.is_some());
    // The new ones were not good for long.
    script.actions();
    script.now = script.client.poll_timeout().expect("an attempt");
    script.client.handle_timeout(script.now);
    script.accept(false);
    script.advance(4_999);
    thrown_out(&mut script, ReasonCode::NotAuthorized);
    assert!(matches!(script.client.state(), State::NeedsAuth { .. }));
}

#[test]
fn without_others_to_ask_for_they_are_not() {
    let mut script = Script::online(options(Version::V5));
    script.advance(5_000);
    thrown_out(&mut script, ReasonCode::NotAuthorized);
    assert!(matches!(script.client.state(), State::NeedsAuth { .. }));
}

#[test]
fn asking_counts_as_a_part_of_the_attempt() {
    let mut script = Script::new(asking());
    script.client.handle_closed(3, "no token");
    let State::Offline {
        reason,
        retry_in_ms,
        ..
    } = script.client.state()
    else {
        panic!("{:?}", script.client.state());
    };
    assert_eq!(reason, "no token");
    assert!(retry_in_ms.is_some());
    let mut script = Script::new(asking());
    script.advance(30_000);
    assert_eq!(script.actions(), [Action::Close]);
}

#[test]
fn the_deadline_of_an_attempt_begins_with_the_credentials() {
    let mut script = Script::new(asking());
    script.advance(29_000);
    assert_eq!(script.actions(), []);
    let now = script.now;
    script.client.set_credentials(now, None, None, None);
    script.advance(9_999);
    assert_eq!(script.actions(), []);
    script.advance(1);
    assert_eq!(script.actions(), [Action::Close]);
}

/// [MQTT-4.12.1-1]
#[test]
fn authentication_goes_on_within_a_connection() {
    let mut options = asking();
    options.connect.authentication_method = Some("jwt".into());
    let mut script = Script::online(options);
    script.events();
    let auth = |reason| Auth {
        reason,
        authentication_method: Some("jwt".into()),
        authentication_data: Some(bytes::Bytes::from_static(b"token")),
        reason_string: None,
        user_properties: Vec::new(),
    };
    script.client.authenticate(auth(ReasonCode::ReAuthenticate));
    let again = Packet::Auth(Box::new(auth(ReasonCode::ReAuthenticate)));
    assert_eq!(script.client.poll_packet(0), Some(again));
    let success = auth(ReasonCode::Success);
    script.receive(Packet::Auth(Box::new(success.clone())));
    assert_eq!(script.events(), [Event::Auth(success)]);
    assert!(matches!(script.client.state(), State::Online { .. }));
}

/// [MQTT-4.12.0-6]
#[test]
fn auth_that_was_never_asked_for_is_a_fault_of_the_server() {
    let mut script = Script::online(options(Version::V5));
    script.receive(Packet::Auth(Box::new(Auth {
        reason: ReasonCode::ContinueAuthentication,
        authentication_method: Some("jwt".into()),
        authentication_data: None,
        reason_string: None,
        user_properties: Vec::new(),
    })));
    assert_eq!(script.sent(), ["DISCONNECT 0x82"]);
}
