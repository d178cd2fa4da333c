//! What the server says beside its reason codes, and what the client may say itself.

use super::*;
use crate::client::Diagnostics;
use crate::packet::{Ack, Auth, ConnAck, Disconnect, SubAck, UnsubAck};

fn said(text: &str) -> Said {
    Some(Box::new(Diagnostics {
        reason_string: Some(text.into()),
        user_properties: vec![("key".into(), "value".into())],
        server_reference: None,
    }))
}

fn ack(packet_id: u16, reason: ReasonCode, text: &str) -> Ack {
    Ack {
        reason_string: Some(text.into()),
        user_properties: vec![("key".into(), "value".into())],
        ..Ack::new(PacketId::new(packet_id).expect("not zero"), reason)
    }
}

/// The outcomes of publishes among the events, with what was said.
fn told(script: &mut Script) -> Vec<(Result<ReasonCode, Error>, Said)> {
    script
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Acked {
                result,
                diagnostics,
                ..
            } => Some((result, diagnostics)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_publish_is_settled_with_what_puback_says() {
    let mut script = Script::online(options(Version::V5));
    for (id, reason, result) in [
        (
            1,
            ReasonCode::NoMatchingSubscribers,
            Ok(ReasonCode::NoMatchingSubscribers),
        ),
        (
            2,
            ReasonCode::NotAuthorized,
            Err(Error::Refused(ReasonCode::NotAuthorized)),
        ),
    ] {
        script.publish("a", QoS::AtLeastOnce);
        script.sent();
        script.receive(Packet::PubAck(ack(id, reason, "why")));
        assert_eq!(told(&mut script), [(result, said("why"))]);
    }
    script.publish("a", QoS::AtLeastOnce);
    script.sent();
    let silent = Ack::new(PacketId::new(3).expect("not zero"), ReasonCode::Success);
    script.receive(Packet::PubAck(silent));
    assert_eq!(told(&mut script), [(Ok(ReasonCode::Success), None)]);
}

#[test]
fn at_qos_2_pubrec_speaks_unless_pubcomp_does() {
    let mut script = Script::online(options(Version::V5));
    for (id, last, expected) in [(1, None, "received"), (2, Some("complete"), "complete")] {
        script.publish("a", QoS::ExactlyOnce);
        script.sent();
        let reason = ReasonCode::NoMatchingSubscribers;
        script.receive(Packet::PubRec(ack(id, reason, "received")));
        script.sent();
        assert_eq!(told(&mut script), [], "it is not complete");
        let success = ReasonCode::Success;
        let silent = Ack::new(PacketId::new(id).expect("not zero"), success);
        let complete = last.map_or(silent, |text| ack(id, success, text));
        script.receive(Packet::PubComp(complete));
        assert_eq!(told(&mut script), [(Ok(reason), said(expected))]);
    }
    script.publish("a", QoS::ExactlyOnce);
    script.sent();
    let refused = ReasonCode::NotAuthorized;
    script.receive(Packet::PubRec(ack(3, refused, "never")));
    assert_eq!(
        told(&mut script),
        [(Err(Error::Refused(refused)), said("never"))]
    );
}

#[test]
fn a_durable_client_stores_what_was_said_of_a_refusal() {
    let mut script = Script::new(durable(Version::V5));
    script.accept(true);
    script.publish("a", QoS::AtLeastOnce);
    script.store();
    script.receive(Packet::PubAck(ack(1, ReasonCode::NotAuthorized, "never")));
    let batch = script.client.poll_journal().expect("it is settled");
    let [JournalEntry::Finished { diagnostics, .. }] = &batch.entries[..] else {
        panic!("{batch:?}");
    };
    assert_eq!(*diagnostics, said("never"));
    script.client.handle_committed(batch.ticket);
    script.publish("a", QoS::AtLeastOnce);
    script.store();
    script.receive(Packet::PubAck(ack(2, ReasonCode::QuotaExceeded, "later")));
    let deferred = script.events().into_iter().find_map(|event| match event {
        Event::Deferred { diagnostics, .. } => Some(diagnostics),
        _ => None,
    });
    assert_eq!(deferred, Some(said("later")));
}

#[test]
fn subscriptions_begin_and_end_with_what_the_server_says() {
    let mut script = Script::online(options(Version::V5));
    for (id, reason) in [(1, ReasonCode::GrantedQoS1), (2, ReasonCode::NotAuthorized)] {
        script.subscribe("a");
        script.sent();
        script.receive(Packet::SubAck(SubAck {
            packet_id: PacketId::new(id).expect("not zero"),
            reason_string: Some("why".into()),
            user_properties: vec![("key".into(), "value".into())],
            reasons: vec![reason],
        }));
        let events = script.events();
        let told = events.iter().find_map(|event| match event {
            Event::Subscription { diagnostics, .. } => Some(diagnostics),
            _ => None,
        });
        assert_eq!(told, Some(&said("why")), "{events:?}");
    }
    let mut script = Script::online(options(Version::V5));
    let handle = script.subscribe("a");
    script.sent();
    script.events();
    // An empty snapshot is complete with it, and nothing was said of that.
    script.receive(Packet::SubAck(SubAck {
        packet_id: PacketId::new(1).expect("not zero"),
        reason_string: Some("why".into()),
        user_properties: vec![(extension::RETAINED.into(), "0".into())],
        reasons: vec![ReasonCode::Success],
    }));
    let are_said: Vec<_> = script
        .events()
        .iter()
        .map(|event| {
            matches!(
                event,
                Event::Subscription {
                    diagnostics: Some(_),
                    ..
                }
            )
        })
        .collect();
    assert_eq!(are_said, [true, false]);
    let properties = vec![("why".into(), "bored".into())];
    script.client.unsubscribe_with(handle, properties.clone());
    let sent = script.packets();
    let [Packet::Unsubscribe(unsubscribe)] = &sent[..] else {
        panic!("{sent:?}");
    };
    assert_eq!(unsubscribe.user_properties, properties);
    script.receive(Packet::UnsubAck(UnsubAck {
        packet_id: unsubscribe.packet_id,
        reason_string: Some("why".into()),
        user_properties: vec![("key".into(), "value".into())],
        reasons: vec![ReasonCode::NoSubscriptionExisted],
    }));
    let ended = Event::Unsubscribed {
        handle,
        reason: ReasonCode::NoSubscriptionExisted,
        diagnostics: said("why"),
    };
    assert_eq!(script.events(), [ended]);
}

#[test]
fn the_state_has_what_ended_the_connection() {
    let spoken = || {
        let mut spoken = said("moved").expect("something");
        spoken.server_reference = Some("other.example".into());
        spoken
    };
    let mut script = Script::online(options(Version::V5));
    script.receive(Packet::Disconnect(Box::new(Disconnect {
        reason_string: spoken().reason_string,
        user_properties: spoken().user_properties,
        server_reference: spoken().server_reference,
        ..Disconnect::new(ReasonCode::ServerMoved)
    })));
    let mut refused = Script::new(options(Version::V5));
    refused.client.handle_open(0);
    refused.sent();
    refused.receive(Packet::ConnAck(Box::new(ConnAck {
        reason_string: spoken().reason_string,
        user_properties: spoken().user_properties,
        server_reference: spoken().server_reference,
        ..ConnAck::new(ReasonCode::ServerMoved, false)
    })));
    for script in [script, refused] {
        let state = script.client.state();
        let State::Offline {
            reason,
            diagnostics,
            ..
        } = state
        else {
            panic!("{state:?}");
        };
        assert_eq!(reason, "moved");
        assert_eq!(*diagnostics, Some(spoken()));
        assert_eq!(state.explain(), "Server moved: moved");
    }
}

fn farewell(text: String, session_expiry_interval: Option<u32>) -> Disconnect {
    Disconnect {
        session_expiry_interval,
        reason_string: Some(text.into()),
        user_properties: vec![("key".into(), "value".into())],
        ..Disconnect::new(ReasonCode::Success)
    }
}

/// [MQTT-3.14.2-3, MQTT-3.14.2-4]
#[test]
fn the_last_word_is_the_applications_if_the_server_takes_it() {
    let small = ConnAck {
        maximum_packet_size: Some(100),
        ..ConnAck::new(ReasonCode::Success, false)
    };
    let said_of = |asked: Option<u32>, text: String| {
        let mut options = options(Version::V5);
        options.connect.session_expiry_interval = asked;
        let mut script = Script::new(options);
        script.client.handle_open(0);
        script.sent();
        script.receive(Packet::ConnAck(Box::new(small.clone())));
        script.client.end_with(farewell(text, Some(60)));
        match &script.packets()[..] {
            [Packet::Disconnect(disconnect)] => *disconnect.clone(),
            other => panic!("{other:?}"),
        }
    };
    let short = said_of(Some(3_600), "bye".to_owned());
    assert_eq!(short, farewell("bye".to_owned(), Some(60)));
    // Section 3.14.2.2.2: none that ends with its connection can live on.
    assert_eq!(
        said_of(None, "bye".to_owned()).session_expiry_interval,
        None
    );
    let long = said_of(Some(3_600), "x".repeat(200));
    assert_eq!(long.session_expiry_interval, Some(60));
    assert_eq!((long.reason_string, long.user_properties), (None, vec![]));
}

/// [MQTT-3.15.2-2, MQTT-3.15.2-3, MQTT-3.2.2-15]
#[test]
fn what_is_for_people_is_left_out_where_there_is_no_room() {
    let mut script = Script::new(options(Version::V5));
    script.client.handle_open(0);
    script.sent();
    script.receive(Packet::ConnAck(Box::new(ConnAck {
        maximum_packet_size: Some(100),
        ..ConnAck::new(ReasonCode::Success, false)
    })));
    let handle = script.subscribe("a");
    script.sent();
    let properties: Vec<_> = vec![("key".into(), "x".repeat(200).into())];
    let auth = |text: &str, user_properties| Auth {
        reason: ReasonCode::ReAuthenticate,
        authentication_method: Some("m".into()),
        authentication_data: None,
        reason_string: Some(text.into()),
        user_properties,
    };
    script.client.authenticate(auth("short", Vec::new()));
    script.client.authenticate(auth("long", properties.clone()));
    script.client.unsubscribe_with(handle, properties);
    let sent = script.packets();
    let [
        Packet::Auth(short),
        Packet::Auth(long),
        Packet::Unsubscribe(end),
    ] = &sent[..]
    else {
        panic!("{sent:?}");
    };
    assert_eq!(**short, auth("short", Vec::new()));
    assert_eq!(
        (&long.reason_string, long.user_properties.len()),
        (&None, 0)
    );
    assert_eq!(end.user_properties, []);
}
