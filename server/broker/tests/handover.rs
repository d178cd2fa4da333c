//! A session on its way from one connection to the next one, which never opens it.

use std::task::Waker;

use bytes::BytesMut;
use ebbtide_broker::{
    Answer, Broker, Connection, Identity, Limits, Monotonic, Now, Origin, Recovery, Transport,
};
use ebbtide_protocol::{Packet, Version, codec::encode, packet::Connect};
use ebbtide_store::WallTime;

fn at_ms(ms: u64) -> Now {
    Now {
        monotonic: Monotonic(ms),
        wall: WallTime(ms),
    }
}

fn commit(broker: &Broker) {
    while let Some(batch) = broker.journal().take() {
        broker.journal().committed(&batch);
    }
}

/// Has sent CONNECT, with a session that outlives its connection by a second, and been let in.
fn connect(broker: &Broker, now: Now) -> Connection {
    let origin = Origin {
        address: "test".into(),
        transport: Transport::Tcp,
    };
    let mut connection = broker.connect(origin, Waker::noop().clone(), now);
    let mut bytes = BytesMut::new();
    let connect = Packet::Connect(Box::new(Connect {
        client_id: "client".into(),
        session_expiry_interval: Some(1),
        ..Connect::default()
    }));
    encode(&connect, Version::V5, &mut bytes);
    while connection.receive(&mut bytes, now) {}
    assert!(connection.poll_question().is_some(), "may it come in?");
    let answer = Answer::Authenticated(Ok(Identity::default()).into());
    connection.handle_answer(answer, now);
    connection
}

/// Its timer goes off while it rests with nobody.
#[test]
fn a_session_ends_though_the_connection_that_it_was_handed_to_went() {
    let broker = Recovery::new(Limits::default(), 0).finish(at_ms(0));
    commit(&broker);
    let mut first = connect(&broker, at_ms(0));
    commit(&broker);
    let mut second = connect(&broker, at_ms(0));
    first.handle_end(at_ms(0));
    broker.handle_timeout(at_ms(2_000));
    second.handle_end(at_ms(2_000));
    assert_eq!(broker.stats().sessions, 1);
    assert!(broker.poll_timeout().is_some(), "somebody comes to end it");
    broker.handle_timeout(at_ms(2_000));
    assert_eq!(broker.stats().sessions, 0);
}
