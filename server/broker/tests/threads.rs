//! The core under threads as the server runs it: a writer, a timer, and clients that are each driven by a thread of their own.
//! What was acknowledged comes exactly once and in order, through takeovers and lost connections, and is there after a
//! restart.
//!
//! Nobody polls: a wake-up that the core forgets leaves its thread parked until the deadline.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use ebbtide_broker::{
    Answer, Broker, Connection, Identity, Limits, Monotonic, Now, Origin, Question, Recovery,
    Transport,
};
use ebbtide_protocol::{
    Packet, PacketId, QoS, ReasonCode, TopicFilter, TopicName, Version,
    codec::{Decoder, Role, encode},
    packet::{
        Ack, Connect, MessageProperties, Publish, Subscribe, Subscription, SubscriptionOptions,
        Will,
    },
};
use ebbtide_store::{Store, WallTime, memory::MemoryStore};

const PUBLISHERS: usize = 3;
const SUBSCRIBERS: usize = 2;
const MESSAGES: usize = 400;
/// Unanswered publishes of one publisher.
const WINDOW: usize = 16;
/// Connections of the client with a will.
const COMINGS: usize = 40;
/// Generous: a loaded machine.
const DEADLINE: Duration = Duration::from_secs(20);

/// The broker of one run and its store.
struct Server<'a> {
    broker: Broker,
    store: &'a MemoryStore,
    started: Instant,
    is_stopping: AtomicBool,
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn waker() -> Waker {
    Waker::from(Arc::new(Unpark(thread::current())))
}

impl<'a> Server<'a> {
    /// Recovers a broker and runs it with its writer and its timer for as long as `work` takes.
    fn run(store: &'a MemoryStore, work: impl FnOnce(&Server<'a>)) {
        // So little waits in memory that much is read from the store.
        let limits = Limits {
            outgoing_bytes_max: 2_000,
            ..Limits::default()
        };
        let mut recovery = Recovery::new(limits, 1);
        let recovered = store.recover(&mut |row| recovery.row(row));
        recovered.expect("a store in memory does not fail");
        let server = Server {
            broker: recovery.finish(Now::default()),
            store,
            started: Instant::now(),
            is_stopping: AtomicBool::new(false),
        };
        server.commit();
        thread::scope(|scope| {
            let threads = [
                scope.spawn(|| server.write()),
                scope.spawn(|| server.watch_time()),
            ];
            let outcome = catch_unwind(AssertUnwindSafe(|| work(&server)));
            server.is_stopping.store(true, Ordering::Release);
            for thread in &threads {
                thread.thread().unpark();
            }
            if let Err(panic) = outcome {
                resume_unwind(panic);
            }
        });
    }

    fn now(&self) -> Now {
        let ms = self.started.elapsed().as_millis() as u64;
        Now {
            monotonic: Monotonic(ms),
            wall: WallTime(ms),
        }
    }

    fn commit(&self) {
        while let Some(batch) = self.broker.journal().take() {
            let committed = self.store.commit(&batch.operations);
            committed.expect("a store in memory does not fail");
            self.broker.journal().committed(&batch);
        }
    }

    fn write(&self) {
        self.broker.journal().set_waker(waker());
        loop {
            let is_stopping = self.is_stopping.load(Ordering::Acquire);
            self.commit();
            if is_stopping {
                return;
            }
            thread::park();
        }
    }

    fn watch_time(&self) {
        self.broker.set_timer_waker(waker());
        while !self.is_stopping.load(Ordering::Acquire) {
            self.broker.handle_timeout(self.now());
            match self.broker.poll_timeout() {
                Some(due) => {
                    let left_ms = due.0.saturating_sub(self.now().monotonic.0);
                    thread::park_timeout(Duration::from_millis(left_ms));
                }
                None => thread::park(),
            }
        }
    }
}

/// A client whose session lasts, on the thread that made it.
struct Client<'a> {
    server: &'a Server<'a>,
    connect: Connect,
    line: Line,
    /// Connections that it has left for others, until the broker has let go of them.
    left: Vec<Line>,
}

struct Line {
    connection: Connection,
    decoder: Decoder,
    to_broker: BytesMut,
    to_client: BytesMut,
}

impl Line {
    fn open(server: &Server<'_>) -> Self {
        let origin = Origin {
            address: "test".into(),
            transport: Transport::Tcp,
        };
        Self {
            connection: server.broker.connect(origin, waker(), server.now()),
            decoder: Decoder::new(Role::Client, u32::MAX),
            to_broker: BytesMut::new(),
            to_client: BytesMut::new(),
        }
    }

    fn turn(&mut self, server: &Server<'_>) {
        let (connection, now) = (&mut self.connection, server.now());
        connection.handle_wake(now);
        loop {
            let before = (self.to_broker.len(), self.to_client.len());
            let mut more = false;
            if !self.to_broker.is_empty() && connection.wants_input() {
                more = connection.receive(&mut self.to_broker, now);
            }
            while connection.poll_transmit(&mut self.to_client, now) {}
            while let Some(question) = connection.poll_question() {
                more = true;
                let answer = match question {
                    Question::Read {
                        session,
                        sequences,
                        bytes_max,
                    } => Answer::Read(server.store.read_part(session, &sequences, bytes_max)),
                    _ => Answer::Authenticated(Ok(Identity::default()).into()),
                };
                connection.handle_answer(answer, now);
            }
            if !more && before == (self.to_broker.len(), self.to_client.len()) {
                return;
            }
        }
    }
}

impl<'a> Client<'a> {
    /// Comes in. Its will, if any, is published a second after its connection is lost.
    fn connect(server: &'a Server<'a>, name: &str, will: Option<String>) -> Self {
        let connect = Connect {
            client_id: name.into(),
            session_expiry_interval: Some(u32::MAX),
            will: will.map(|payload| Will {
                topic: TopicName::new("will").expect("a topic"),
                payload: payload.into(),
                qos: QoS::ExactlyOnce,
                retain: false,
                delay_interval: 1,
                properties: MessageProperties::default(),
            }),
            ..Connect::default()
        };
        let mut client = Self {
            server,
            connect,
            line: Line::open(server),
            left: Vec::new(),
        };
        client.begin();
        client
    }

    fn begin(&mut self) {
        self.send(Packet::Connect(Box::new(self.connect.clone())));
        match self.next() {
            Packet::ConnAck(connack) => assert_eq!(connack.reason, ReasonCode::Success),
            other => panic!("no CONNACK: {other:?}"),
        }
    }

    /// Comes in anew: over a connection that takes the session from the old one, or after the old one was lost.
    fn connect_again(&mut self, takes_over: bool) {
        if !takes_over {
            self.lose_connection();
        }
        let new = Line::open(self.server);
        self.left.push(std::mem::replace(&mut self.line, new));
        self.begin();
    }

    fn lose_connection(&mut self) {
        self.line.connection.handle_end(self.server.now());
    }

    fn send(&mut self, packet: Packet) {
        encode(&packet, Version::V5, &mut self.line.to_broker);
        self.line.turn(self.server);
    }

    /// The next packet on the connection of now.
    fn next(&mut self) -> Packet {
        let until = Instant::now() + DEADLINE;
        loop {
            let line = &mut self.line;
            if let Some(packet) = line.decoder.decode(&mut line.to_client).expect("MQTT") {
                return packet;
            }
            for line in &mut self.left {
                line.turn(self.server);
            }
            self.left.retain(|line| line.connection.close().is_none());
            self.line.turn(self.server);
            if self.line.to_client.is_empty() {
                assert!(self.line.connection.close().is_none(), "it was ended");
                thread::park_timeout(until.saturating_duration_since(Instant::now()));
                assert!(Instant::now() < until, "nobody woke it");
            }
        }
    }

    fn subscribe(&mut self) {
        self.send(Packet::Subscribe(Subscribe {
            packet_id: PacketId::MIN,
            subscription_identifier: None,
            user_properties: Vec::new(),
            subscriptions: vec![Subscription {
                filter: TopicFilter::new("#").expect("a filter"),
                options: SubscriptionOptions {
                    qos: QoS::ExactlyOnce,
                    ..SubscriptionOptions::default()
                },
            }],
        }));
        assert!(matches!(self.next(), Packet::SubAck(_)));
    }

    /// Publishes all its messages at QoS 2, each until PUBCOMP.
    fn publish(&mut self, publisher: usize) {
        let mut pending: VecDeque<(Publish, bool)> = VecDeque::new();
        for n in 0..MESSAGES {
            while pending.len() >= WINDOW {
                self.publish_on(&mut pending);
            }
            let packet = Publish {
                dup: false,
                qos: QoS::ExactlyOnce,
                retain: false,
                topic: Some(TopicName::new(format!("t/{publisher}")).expect("a topic")),
                packet_id: PacketId::new(n as u16 + 1),
                topic_alias: None,
                subscription_identifiers: Vec::new(),
                properties: MessageProperties::default(),
                payload: Bytes::from(n.to_string()),
            };
            pending.push_back((packet.clone(), false));
            self.send(Packet::Publish(Box::new(packet)));
            if n % 50 == 49 {
                self.connect_again(n % 100 == 99);
                for (packet, is_released) in &pending {
                    let id = packet.packet_id.expect("it has one");
                    let packet = Publish {
                        dup: true,
                        ..packet.clone()
                    };
                    self.send(if *is_released {
                        Packet::PubRel(Ack::new(id, ReasonCode::Success))
                    } else {
                        Packet::Publish(Box::new(packet))
                    });
                }
            }
        }
        while !pending.is_empty() {
            self.publish_on(&mut pending);
        }
    }

    fn publish_on(&mut self, pending: &mut VecDeque<(Publish, bool)>) {
        match self.next() {
            Packet::PubRec(ack) => {
                assert_eq!(ack.reason, ReasonCode::Success);
                for (packet, is_released) in pending {
                    *is_released |= packet.packet_id == Some(ack.packet_id);
                }
                self.send(Packet::PubRel(Ack::new(ack.packet_id, ReasonCode::Success)));
            }
            Packet::PubComp(ack) => {
                pending.retain(|(packet, _)| packet.packet_id != Some(ack.packet_id));
            }
            other => panic!("unexpected {other:?}"),
        }
    }

    /// Gets everything that there is to get, by topic. `leaps`: it comes in anew now and then.
    fn receive(&mut self, leaps: bool) -> BTreeMap<String, Vec<usize>> {
        let mut received: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut held: BTreeSet<PacketId> = BTreeSet::new();
        let (mut count, mut is_last_will) = (0, false);
        while count < PUBLISHERS * MESSAGES || !is_last_will || !held.is_empty() {
            match self.next() {
                Packet::Publish(publish) => {
                    let id = publish.packet_id.expect("QoS 2");
                    if held.insert(id) {
                        let topic = publish.topic.expect("no alias").as_str().to_owned();
                        let text = String::from_utf8_lossy(&publish.payload).into_owned();
                        let n: usize = text.parse().expect("a number");
                        if topic == "will" {
                            is_last_will |= n == COMINGS - 1;
                        } else {
                            count += 1;
                        }
                        received.entry(topic).or_default().push(n);
                    }
                    self.send(Packet::PubRec(Ack::new(id, ReasonCode::Success)));
                    if leaps && count % 70 == 69 {
                        self.connect_again(count % 2 == 0);
                    }
                }
                Packet::PubRel(ack) => {
                    held.remove(&ack.packet_id);
                    self.send(Packet::PubComp(Ack::new(
                        ack.packet_id,
                        ReasonCode::Success,
                    )));
                }
                other => panic!("unexpected {other:?}"),
            }
        }
        received
    }
}

fn check(mut received: BTreeMap<String, Vec<usize>>) {
    let wills = received.remove("will").expect("the last one");
    assert!(wills.is_sorted_by(|a, b| a < b), "{wills:?}");
    for publisher in 0..PUBLISHERS {
        let messages = received.remove(&format!("t/{publisher}"));
        assert_eq!(messages, Some((0..MESSAGES).collect()), "of {publisher}");
    }
}

#[test]
fn what_was_acknowledged_comes_once_and_in_order_whoever_runs_at_the_same_time() {
    let store = MemoryStore::new();
    Server::run(&store, |server| {
        // All subscribe before anything is published.
        let names = (0..SUBSCRIBERS).map(|n| format!("subscriber{n}"));
        let names: Vec<String> = names.collect();
        for name in names.iter().map(String::as_str).chain(["away"]) {
            let mut client = Client::connect(server, name, None);
            client.subscribe();
            client.lose_connection();
        }
        thread::scope(|scope| {
            for name in &names {
                scope.spawn(|| check(Client::connect(server, name, None).receive(true)));
            }
            for n in 0..PUBLISHERS {
                scope.spawn(move || {
                    Client::connect(server, &format!("publisher{n}"), None).publish(n);
                });
            }
            for n in 0..COMINGS {
                Client::connect(server, "present", Some(n.to_string())).lose_connection();
            }
        });
    });
    // Another run, from what is on disk.
    Server::run(&store, |server| {
        check(Client::connect(server, "away", None).receive(false));
    });
    let mut rows = Vec::new();
    let recovered = store.recover(&mut |row| {
        if let ebbtide_store::Row::Queued { sequence, .. } = row {
            rows.push(sequence);
        }
    });
    recovered.expect("a store in memory does not fail");
    assert_eq!(rows, [], "nobody waits for anything any more");
}
