//! Sessions that the server names: one that began when nobody was told is found out by its name.

use super::*;
use crate::{client::Session, extension};

fn named(session_present: bool, name: &'static str) -> ConnAck {
    ConnAck {
        user_properties: vec![(extension::SESSION_NAME.into(), name.into())],
        ..ConnAck::new(ReasonCode::Success, session_present)
    }
}

fn session(script: &Script) -> Session {
    match script.client.state() {
        State::Online { session } => *session,
        state => panic!("{state:?}"),
    }
}

fn restarted(script: &mut Script) -> Option<JournalEntry> {
    let batch = script.client.poll_journal()?;
    script.client.handle_committed(batch.ticket);
    batch.entries.into_iter().next()
}

#[test]
fn a_present_session_of_another_name_is_a_new_one() {
    let mut script = Script::new(durable(Version::V5));
    script.accept_with(named(false, "1"));
    let first = Some(JournalEntry::Restarted {
        session_name: Some("1".into()),
    });
    assert_eq!(restarted(&mut script), first);
    let publish = Packet::Publish(Box::new(incoming("a", QoS::ExactlyOnce, 8)));
    script.receive(publish.clone());
    assert_eq!(script.store().0, ["received 8 a"]);
    // The CONNACK of session 2 is lost.
    script.cut();
    script.client.handle_open(script.now);
    script.cut();
    script.accept_with(named(true, "2"));
    assert_eq!(session(&script), Session::Gap);
    let second = Some(JournalEntry::Restarted {
        session_name: Some("2".into()),
    });
    assert_eq!(restarted(&mut script), second);
    // Even with DUP: session 2 knows packet id 8 for this one.
    let Packet::Publish(mut publish) = publish else {
        unreachable!("it was made so");
    };
    publish.dup = true;
    script.receive(Packet::Publish(publish));
    assert_eq!(script.store().0, ["received 8 a"]);
}

#[test]
fn a_session_of_the_stored_name_is_beyond_doubt() {
    let mut options = durable(Version::V5);
    options.session_name = Some("7".into());
    let mut script = Script::new(options);
    script
        .client
        .restore_incoming(PacketId::new(8).expect("not zero"));
    // In an earlier run, or on this connection: whether CONNACK came does not matter.
    script.client.handle_open(script.now);
    script.cut();
    script.accept_with(named(true, "7"));
    assert_eq!(session(&script), Session::Resumed);
    let publish = incoming("a", QoS::ExactlyOnce, 8);
    script.receive(Packet::Publish(Box::new(publish)));
    assert_eq!(script.store().0, [""; 0], "without DUP, and still known");
}

#[test]
fn without_a_name_on_one_side_the_server_is_believed() {
    for (stored, told) in [(None, Some("2")), (Some("1"), None)] {
        let mut options = durable(Version::V5);
        options.session_name = stored.map(Into::into);
        let mut script = Script::new(options);
        match told {
            Some(name) => script.accept_with(named(true, name)),
            None => script.accept(true),
        }
        assert_eq!(session(&script), Session::Resumed, "{stored:?} {told:?}");
        assert_eq!(restarted(&mut script), None);
    }
}
