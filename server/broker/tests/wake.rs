//! No wake-up is lost between a connection and the writer on another thread.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    task::{Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use ebbtide_broker::{
    Answer, Broker, Connection, Identity, Limits, Now, Origin, Question, Recovery, Transport,
};
use ebbtide_protocol::{
    Packet, PacketId, QoS, ReasonCode, TopicName, Version,
    codec::{Decoder, Role, encode},
    packet::{Ack, Connect, MessageProperties, Publish},
};

/// Enough for a commit to fall between any two steps of a turn many times.
const PUBLISHES: usize = 200_000;
/// A wake-up that has not come by then never comes.
const DEADLINE: Duration = Duration::from_secs(60);

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Reports commits as soon as there is something to commit, without any disk.
fn write(broker: &Broker, stopped: &AtomicBool) {
    let unpark = Arc::new(Unpark(thread::current()));
    broker.journal().set_waker(Waker::from(unpark));
    while !stopped.load(Ordering::Acquire) {
        match broker.journal().take() {
            Some(batch) => broker.journal().committed(&batch),
            None => thread::park_timeout(Duration::from_millis(100)),
        }
    }
}

struct Client {
    connection: Connection,
    decoder: Decoder,
    received: BytesMut,
}

impl Client {
    /// Waits for the next packet as a driver would: until somebody wakes it.
    fn packet(&mut self) -> Packet {
        loop {
            while let Some(question) = self.connection.poll_question() {
                assert!(matches!(question, Question::Authenticate(_)));
                let answer = Answer::Authenticated(Ok(Identity::default()).into());
                self.connection.handle_answer(answer, Now::default());
            }
            while self
                .connection
                .poll_transmit(&mut self.received, Now::default())
            {}
            let packet = self.decoder.decode(&mut self.received);
            if let Some(packet) = packet.expect("the broker speaks MQTT") {
                return packet;
            }
            thread::park();
            self.connection.handle_wake(Now::default());
        }
    }
}

fn send(connection: &mut Connection, packet: &Packet) {
    let mut bytes = BytesMut::new();
    encode(packet, Version::V5, &mut bytes);
    while connection.receive(&mut bytes, Now::default()) {}
}

fn retained(qos: QoS) -> Publish {
    Publish {
        dup: false,
        qos,
        retain: true,
        topic: Some(TopicName::new("t").expect("a topic")),
        packet_id: Some(PacketId::MIN),
        topic_alias: None,
        subscription_identifiers: Vec::new(),
        properties: MessageProperties::default(),
        payload: Bytes::from_static(b"x"),
    }
}

fn publish_all(broker: &Broker) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let origin = Origin {
        address: "test".into(),
        transport: Transport::Tcp,
    };
    let mut decoder = Decoder::new(Role::Client, u32::MAX);
    decoder.set_version(Version::V5);
    let mut client = Client {
        connection: broker.connect(origin, waker, Now::default()),
        decoder,
        received: BytesMut::new(),
    };
    let connect = Connect {
        client_id: "publisher".into(),
        clean_start: true,
        ..Connect::default()
    };
    send(&mut client.connection, &Packet::Connect(Box::new(connect)));
    let Packet::ConnAck(connack) = client.packet() else {
        panic!("no CONNACK")
    };
    assert_eq!(connack.reason, ReasonCode::Success);
    let publish = Packet::Publish(Box::new(retained(QoS::AtLeastOnce)));
    for _ in 0..PUBLISHES {
        send(&mut client.connection, &publish);
        assert!(matches!(client.packet(), Packet::PubAck(_)));
    }
}

#[test]
fn a_commit_that_comes_during_a_turn_is_not_missed() {
    let broker = Recovery::new(Limits::default(), 0).finish(Now::default());
    // Numbers are handed out once they are reserved.
    while let Some(batch) = broker.journal().take() {
        broker.journal().committed(&batch);
    }
    let stopped = Arc::new(AtomicBool::new(false));
    let writer = {
        let (broker, stopped) = (broker.clone(), Arc::clone(&stopped));
        thread::spawn(move || write(&broker, &stopped))
    };
    let (done, is_done) = mpsc::channel();
    thread::spawn(move || {
        publish_all(&broker);
        // Nobody may listen any more.
        let _ = done.send(());
    });
    let outcome = is_done.recv_timeout(DEADLINE);
    stopped.store(true, Ordering::Release);
    writer.join().expect("the writer ends");
    assert!(
        outcome.is_ok(),
        "an acknowledgement never came: {outcome:?}"
    );
}

/// How often somebody was woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Commits what waits.
fn commit(broker: &Broker) {
    while let Some(batch) = broker.journal().take() {
        broker.journal().committed(&batch);
    }
}

/// One turn without a driver's patience: everything that can leave now.
fn turn(connection: &mut Connection) -> BytesMut {
    connection.handle_wake(Now::default());
    while connection.poll_question().is_some() {
        let answer = Answer::Authenticated(Ok(Identity::default()).into());
        connection.handle_answer(answer, Now::default());
    }
    let mut output = BytesMut::new();
    while connection.poll_transmit(&mut output, Now::default()) {}
    output
}

/// A commit fails and is made good before a connection that waits for a later one has looked.
#[test]
fn a_wake_up_is_not_lost_when_the_store_heals_first() {
    for is_broken_first in [false, true] {
        let broker = Recovery::new(Limits::default(), 0).finish(Now::default());
        commit(&broker);
        let woken = Arc::new(Count::default());
        let connect = |id: &str, expiry| {
            let origin = Origin {
                address: "test".into(),
                transport: Transport::Tcp,
            };
            let waker = Waker::from(Arc::clone(&woken));
            let mut connection = broker.connect(origin, waker, Now::default());
            let connect = Connect {
                client_id: id.into(),
                session_expiry_interval: Some(expiry),
                ..Connect::default()
            };
            send(&mut connection, &Packet::Connect(Box::new(connect)));
            turn(&mut connection);
            connection
        };
        let mut client = connect("client", u32::MAX);
        commit(&broker);
        assert!(!turn(&mut client).is_empty(), "CONNACK");
        let publish = Packet::Publish(Box::new(retained(QoS::ExactlyOnce)));
        send(&mut client, &publish);
        turn(&mut client);
        commit(&broker);
        assert!(!turn(&mut client).is_empty(), "PUBREC");

        let _other = connect("other", u32::MAX);
        let batch = broker.journal().take().expect("another session");
        if is_broken_first {
            broker.journal().failed();
        }
        let pubrel = Ack::new(PacketId::MIN, ReasonCode::Success);
        send(&mut client, &Packet::PubRel(pubrel));
        let mut output = BytesMut::new();
        client.poll_transmit(&mut output, Now::default());
        if !is_broken_first {
            broker.journal().failed();
        }
        broker.journal().committed(&batch);
        broker.journal().healed();
        assert!(turn(&mut client).is_empty(), "PUBCOMP is not on disk");
        assert!(client.close().is_none());
        woken.0.store(0, Ordering::SeqCst);
        commit(&broker);
        assert_eq!(woken.0.load(Ordering::SeqCst), 1, "PUBCOMP may leave");
        assert!(!turn(&mut client).is_empty(), "PUBCOMP");
    }
}
