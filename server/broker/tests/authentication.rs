//! Enhanced authentication: the exchange of AUTH packets before CONNACK and after (section 4.12). The method is a riddle
//! (`world`).

mod world;

use bytes::Bytes;
use ebbtide_broker::Limits;
use ebbtide_protocol::{
    Packet, QoS, ReasonCode,
    packet::{Auth, Connect, Disconnect},
};
use world::*;

fn riddle(data: Option<&'static str>) -> Connect {
    Connect {
        authentication_method: Some("riddle".into()),
        authentication_data: data.map(|data| Bytes::from_static(data.as_bytes())),
        ..kept("sphinx")
    }
}

fn auth(reason: ReasonCode, method: &str, data: &'static str) -> Packet {
    Packet::Auth(Box::new(Auth {
        reason,
        authentication_method: Some(method.to_owned().into()),
        authentication_data: Some(Bytes::from_static(data.as_bytes())),
        reason_string: None,
        user_properties: Vec::new(),
    }))
}

fn answer(data: &'static str) -> Packet {
    auth(ReasonCode::ContinueAuthentication, "riddle", data)
}

fn again(data: &'static str) -> Packet {
    auth(ReasonCode::ReAuthenticate, "riddle", data)
}

/// Sends CONNECT and takes the challenge.
fn arrive(world: &mut World) -> Client {
    let client = world.open();
    world.send(client, Packet::Connect(Box::new(riddle(None))));
    world.commit();
    assert_eq!(
        world.received(client),
        [auth(ReasonCode::ContinueAuthentication, "riddle", "riddle")]
    );
    client
}

/// Comes in as `oedipus`.
fn come_in(world: &mut World) -> Client {
    let client = arrive(world);
    world.send(client, answer("oedipus"));
    world.commit();
    let [Packet::ConnAck(connack)] = &world.received(client)[..] else {
        panic!("no CONNACK")
    };
    assert_eq!(connack.reason, ReasonCode::Success);
    client
}

fn reason_of(world: &mut World, client: Client) -> Option<ReasonCode> {
    world.commit();
    assert!(world.is_closed(client).is_some(), "it is still open");
    match world.received(client).pop()? {
        Packet::ConnAck(connack) => Some(connack.reason),
        Packet::Disconnect(disconnect) => Some(disconnect.reason),
        other => panic!("unexpected {other:?}"),
    }
}

/// [MQTT-4.12.0-2, MQTT-4.12.0-3, MQTT-4.12.0-5]
#[test]
fn a_method_may_ask_several_times() {
    let mut world = World::new();
    let client = arrive(&mut world);
    world.send(client, answer("again"));
    world.commit();
    assert!(matches!(&world.received(client)[..], [Packet::Auth(_)]));
    world.send(client, answer("oedipus"));
    world.commit();
    let [Packet::ConnAck(connack)] = &world.received(client)[..] else {
        panic!("no CONNACK")
    };
    assert_eq!(connack.reason, ReasonCode::Success);
    assert_eq!(connack.authentication_method.as_deref(), Some("riddle"));
    assert_eq!(
        connack.authentication_data.as_deref(),
        Some(&b"welcome"[..])
    );
}

#[test]
fn one_step_is_enough_if_the_method_says_so() {
    let mut world = World::new();
    let (_, connack) = world.connect(riddle(Some("oedipus")));
    assert_eq!(connack.reason, ReasonCode::Success);
    assert_eq!(
        connack.authentication_data.as_deref(),
        Some(&b"welcome"[..])
    );
}

/// [MQTT-4.12.0-6]
#[test]
fn without_a_method_none_is_named() {
    let mut world = World::new();
    let (_, connack) = world.connect(kept("a"));
    assert_eq!(connack.authentication_method, None);
}

/// [MQTT-4.12.0-1]
#[test]
fn an_unknown_method_is_refused() {
    let mut world = World::new();
    let (client, connack) = world.connect(Connect {
        authentication_method: Some("SCRAM".into()),
        ..kept("a")
    });
    assert_eq!(connack.reason, ReasonCode::BadAuthenticationMethod);
    assert!(world.is_closed(client).is_some());
}

/// [MQTT-3.1.4-2, MQTT-4.12.0-4]
#[test]
fn a_wrong_answer_is_refused_with_its_reason() {
    let mut world = World::new();
    let client = arrive(&mut world);
    world.send(client, answer("wrong"));
    let reason = reason_of(&mut world, client);
    assert_eq!(reason, Some(ReasonCode::BadUserNameOrPassword));
    assert_eq!(world.broker.stats().sessions, 0);
}

/// It would wait for it in vain.
///
/// [MQTT-3.1.2-24]
#[test]
fn who_takes_no_challenge_is_told() {
    let mut world = World::new();
    let client = world.open();
    let connect = Connect {
        maximum_packet_size: Some(20),
        ..riddle(None)
    };
    world.send(client, Packet::Connect(Box::new(connect)));
    let reason = reason_of(&mut world, client);
    assert_eq!(reason, Some(ReasonCode::PacketTooLarge));
}

/// [MQTT-3.1.2-30]
#[test]
fn only_auth_and_disconnect_come_before_connack() {
    for packet in [
        Packet::PingReq,
        Packet::Connect(Box::new(riddle(None))),
        subscribe(1, "a", Default::default()),
        Packet::Publish(Box::new(publish(1, "a", "x", QoS::AtMostOnce))),
        again("oedipus"),
        auth(ReasonCode::ContinueAuthentication, "other", "oedipus"),
    ] {
        let mut world = World::new();
        let client = arrive(&mut world);
        world.send(client, packet.clone());
        let reason = reason_of(&mut world, client);
        assert_eq!(reason, Some(ReasonCode::ProtocolError), "{packet:?}");
    }
    let mut world = World::new();
    let client = arrive(&mut world);
    let disconnect = Disconnect::new(ReasonCode::Success);
    world.send(client, Packet::Disconnect(Box::new(disconnect)));
    assert_eq!(reason_of(&mut world, client), None);
}

#[test]
fn an_exchange_has_the_deadline_of_connect() {
    let mut world = World::new();
    let deadline_ms = Limits::default().connect_deadline_ms;
    let client = arrive(&mut world);
    world.pass_ms(deadline_ms - 1);
    assert_eq!(world.is_closed(client), None);
    world.pass_ms(1);
    let reason = reason_of(&mut world, client);
    assert_eq!(reason, Some(ReasonCode::NotAuthorized));
}

/// Everything else goes on meanwhile (section 4.12.1).
#[test]
fn a_client_authenticates_again() {
    let mut world = World::new();
    let client = come_in(&mut world);
    world.subscribe(client, "t", QoS::AtLeastOnce);
    world.send(client, again("hello"));
    world.commit();
    assert!(matches!(&world.received(client)[..], [Packet::Auth(auth)]
        if auth.reason == ReasonCode::ContinueAuthentication));
    let (publisher, _) = world.connect(clean("publisher"));
    world.publish(publisher, 1, "t", "meanwhile", QoS::AtLeastOnce, false);
    assert_eq!(world.take_texts(client), ["meanwhile"]);
    world.send(client, answer("oedipus"));
    world.commit();
    assert_eq!(
        world.received(client),
        [auth(ReasonCode::Success, "riddle", "welcome")]
    );
    // And once more.
    world.send(client, again("oedipus"));
    world.commit();
    assert_eq!(world.received(client).len(), 1);
}

/// [MQTT-4.12.1-1, MQTT-4.12.1-2]
#[test]
fn who_cannot_authenticate_again_has_to_go() {
    let cases = [
        (vec![again("wrong")], ReasonCode::NotAuthorized),
        (vec![again("creon")], ReasonCode::NotAuthorized),
        (vec![answer("oedipus")], ReasonCode::ProtocolError),
        (
            vec![again("hello"), again("hello")],
            ReasonCode::ProtocolError,
        ),
        (
            vec![auth(ReasonCode::ReAuthenticate, "other", "oedipus")],
            ReasonCode::ProtocolError,
        ),
    ];
    for (packets, expected) in cases {
        let mut world = World::new();
        let client = come_in(&mut world);
        for packet in packets.clone() {
            world.send(client, packet);
        }
        let reason = reason_of(&mut world, client);
        assert_eq!(reason, Some(expected), "{packets:?}");
        // Its session stays.
        assert_eq!(world.broker.stats().sessions, 1);
    }
}

/// It would wait for either in vain: a question that it has to answer, or to be told that it may stay. Its session stays.
///
/// [MQTT-3.1.2-24]
#[test]
fn who_takes_no_auth_when_it_authenticates_again_is_told() {
    for data in ["at length", "oedipus at length"] {
        let mut world = World::new();
        let (client, connack) = world.connect(Connect {
            maximum_packet_size: Some(100),
            ..riddle(Some("oedipus"))
        });
        assert_eq!(connack.reason, ReasonCode::Success);
        world.send(client, again("oedipus"));
        world.commit();
        assert_eq!(
            world.received(client),
            [auth(ReasonCode::Success, "riddle", "welcome")]
        );
        world.send(client, again(data));
        let reason = reason_of(&mut world, client);
        assert_eq!(reason, Some(ReasonCode::PacketTooLarge), "{data}");
        assert_eq!(world.broker.stats().sessions, 1, "{data}");
    }
}

/// [MQTT-4.12.0-7]
#[test]
fn a_client_without_a_method_cannot() {
    let mut world = World::new();
    let (client, _) = world.connect(kept("a"));
    world.send(client, again("oedipus"));
    let reason = reason_of(&mut world, client);
    assert_eq!(reason, Some(ReasonCode::ProtocolError));
}
