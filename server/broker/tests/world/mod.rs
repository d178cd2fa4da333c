//! A broker, a store and clients in one thread, with time and commits in the hands of the test.
//!
//! Nothing is committed until [`World::commit`], so a test sees what leaves before the disk has it. [`World::crash`] throws away the rest.

#![allow(dead_code, reason = "each test file uses its part")]

pub mod bare;
mod packets;
mod riddle;
pub mod snapshots;
mod start;

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Wake, Waker},
};

pub use self::packets::*;
use self::start::recover;
use bytes::BytesMut;
use ebbtide_broker::{
    Answer, Broker, Connection, Durability, Limits, Monotonic, Now, Origin, PresenceTopic,
    Question, Transport,
};
use ebbtide_protocol::{
    Packet, QoS, ReasonCode, Version,
    codec::{Decoder, Role, drop_diagnostics, encode},
    packet::{Ack, ConnAck, Connect, Publish, SubAck, SubscriptionOptions},
};
use ebbtide_store::{Operation, Store as _, WallTime, access::RuleRow, memory::MemoryStore};

pub struct World {
    pub broker: Broker,
    pub store: MemoryStore,
    pub limits: Limits,
    presence: Option<PresenceTopic>,
    rules: Option<Vec<RuleRow>>,
    pub now: Now,
    clients: Vec<Line>,
    /// What each commit held, the newest last.
    pub batches: Vec<Vec<Operation>>,
}

/// The broker's end of one connection and the client's inbox.
struct Line {
    connection: Connection,
    decoder: Decoder,
    version: Version,
    received: VecDeque<Packet>,
    bytes: BytesMut,
    closed: bool,
}

/// A client, by its place in the world.
#[derive(Clone, Copy)]
pub struct Client(usize);

struct Ignore;

impl Wake for Ignore {
    fn wake(self: Arc<Self>) {}
}

impl World {
    pub fn new() -> Self {
        Self::with(Limits::default())
    }

    pub fn with(limits: Limits) -> Self {
        Self::start(limits, None, None)
    }

    /// The broker keeps presence there.
    pub fn with_presence(limits: Limits, topic: PresenceTopic) -> Self {
        Self::start(limits, Some(topic), None)
    }

    fn start(limits: Limits, presence: Option<PresenceTopic>, rules: Option<Vec<RuleRow>>) -> Self {
        let store = MemoryStore::new();
        let now = Now {
            monotonic: Monotonic(1_000),
            wall: WallTime(1_000_000),
        };
        let broker = recover(&store, &limits, presence.as_ref(), rules.as_ref(), now);
        let mut world = Self {
            broker,
            store,
            limits,
            presence,
            rules,
            now,
            clients: Vec::new(),
            batches: Vec::new(),
        };
        world.commit();
        world
    }

    /// Everything that waits reaches the store, then the replies leave. A broken store gets nothing: whoever broke it holds the
    /// batch that has to go first.
    pub fn commit(&mut self) {
        loop {
            let before = self.batches.len();
            while !self.broker.journal().is_broken()
                && let Some(batch) = self.broker.journal().take()
            {
                self.store
                    .commit(&batch.operations)
                    .expect("a store in memory does not fail");
                self.broker.journal().committed(&batch);
                self.batches.push(batch.operations);
            }
            self.settle();
            if self.batches.len() == before {
                return;
            }
        }
    }

    /// The broker dies and starts again from what was committed.
    pub fn crash(&mut self) {
        self.crash_uncommitted();
        self.commit();
    }

    /// The same, and the first commit is still to come.
    pub fn crash_uncommitted(&mut self) {
        for line in &mut self.clients {
            line.closed = true;
        }
        let old = std::mem::replace(
            &mut self.broker,
            recover(
                &self.store,
                &self.limits,
                self.presence.as_ref(),
                self.rules.as_ref(),
                self.now,
            ),
        );
        // The connections of the old broker may no longer speak to anybody.
        self.clients
            .drain(..)
            .for_each(|line| drop(line.connection));
        drop(old);
    }

    pub fn pass_ms(&mut self, ms: u64) {
        self.now.monotonic = self.now.monotonic.plus_ms(ms);
        self.now.wall.0 += ms;
        self.keep_time();
        for line in &mut self.clients {
            line.connection.handle_timeout(self.now);
        }
        self.settle();
    }

    /// The wall clock is set.
    pub fn set_wall_ms(&mut self, ms: u64) {
        self.now.wall.0 = ms;
    }

    /// A new byte stream.
    pub fn open(&mut self) -> Client {
        self.open_by(Transport::Tcp)
    }

    pub fn open_by(&mut self, transport: Transport) -> Client {
        let address = "test".into();
        let origin = Origin { address, transport };
        let connection = self
            .broker
            .connect(origin, Waker::from(Arc::new(Ignore)), self.now);
        self.clients.push(Line {
            connection,
            decoder: Decoder::new(Role::Client, u32::MAX),
            version: Version::V5,
            received: VecDeque::new(),
            bytes: BytesMut::new(),
            closed: false,
        });
        Client(self.clients.len() - 1)
    }

    /// A new byte stream at a listener that acknowledges at once.
    pub fn open_relaxed(&mut self) -> Client {
        let client = self.open();
        let line = &mut self.clients[client.0];
        line.connection.set_durability(Durability::Relaxed);
        client
    }

    pub fn send(&mut self, client: Client, packet: Packet) {
        let mut bytes = BytesMut::new();
        if let Packet::Connect(connect) = &packet {
            self.clients[client.0].version = connect.version;
            self.clients[client.0].decoder.set_version(connect.version);
        }
        encode(&packet, self.clients[client.0].version, &mut bytes);
        self.send_bytes(client, &bytes);
    }

    pub fn send_bytes(&mut self, client: Client, bytes: &[u8]) {
        let line = &mut self.clients[client.0];
        let mut input = BytesMut::from(bytes);
        while line.connection.receive(&mut input, self.now) {}
        self.settle();
        let line = &mut self.clients[client.0];
        while !input.is_empty()
            && line.connection.wants_input()
            && line.connection.receive(&mut input, self.now)
        {}
        self.settle();
    }

    /// The client's network goes.
    pub fn cut(&mut self, client: Client) {
        self.clients[client.0].connection.handle_end(self.now);
        self.settle();
    }

    /// Lets every connection do what it can without a commit.
    pub fn settle(&mut self) {
        loop {
            let mut moved = false;
            for line in &mut self.clients {
                moved |= line.turn(&self.store, self.now);
            }
            if !moved {
                return;
            }
        }
    }

    /// What the client has received since the last look.
    pub fn received(&mut self, client: Client) -> Vec<Packet> {
        self.clients[client.0].received.drain(..).collect()
    }

    /// The same without the texts that say why.
    pub fn answers(&mut self, client: Client) -> Vec<Packet> {
        let mut packets = self.received(client);
        packets.iter_mut().for_each(drop_diagnostics);
        packets
    }

    pub fn is_closed(&self, client: Client) -> Option<ReasonCode> {
        self.clients[client.0]
            .connection
            .close()
            .map(|close| close.reason)
    }

    pub fn is_reading(&self, client: Client) -> bool {
        self.clients[client.0].connection.wants_input()
    }

    /// Connects, commits and checks CONNACK.
    pub fn connect(&mut self, connect: Connect) -> (Client, ConnAck) {
        let client = self.open();
        self.send(client, Packet::Connect(Box::new(connect)));
        self.commit();
        let position = self.clients[client.0]
            .received
            .iter()
            .position(|packet| matches!(packet, Packet::ConnAck(_)))
            .expect("a CONNACK");
        match self.clients[client.0].received.remove(position) {
            Some(Packet::ConnAck(connack)) => (client, *connack),
            _ => unreachable!("looked for it"),
        }
    }

    pub fn subscribe(&mut self, client: Client, filter: &str, qos: QoS) -> SubAck {
        let options = SubscriptionOptions {
            qos,
            ..Default::default()
        };
        self.send(client, subscribe(1, filter, options));
        self.commit();
        self.next_suback(client)
    }

    /// Takes the first SUBACK out of what the client has received.
    pub fn next_suback(&mut self, client: Client) -> SubAck {
        let received = &mut self.clients[client.0].received;
        let position = received
            .iter()
            .position(|packet| matches!(packet, Packet::SubAck(_)))
            .expect("a SUBACK");
        match received.remove(position) {
            Some(Packet::SubAck(suback)) => suback,
            _ => unreachable!("looked for it"),
        }
    }

    /// Drops the SUBACK at the front of what the client has received.
    pub fn take_suback(&mut self, client: Client) {
        match self.clients[client.0].received.pop_front() {
            Some(Packet::SubAck(_)) => {}
            other => panic!("no SUBACK: {other:?}"),
        }
    }

    /// Sends bytes that are to be answered by exactly these, and the end.
    pub fn refused_bytes(&mut self, client: Client, bytes: &[u8], answer: &[u8]) {
        let line = &mut self.clients[client.0];
        let mut input = BytesMut::from(bytes);
        line.connection.receive(&mut input, self.now);
        let mut output = BytesMut::new();
        line.connection.poll_transmit(&mut output, self.now);
        assert_eq!(output[..], *answer);
        assert!(line.connection.close().is_some());
    }

    /// Publishes at QoS 0 to 2, commits, and completes the exchange.
    pub fn publish(
        &mut self,
        client: Client,
        id: u16,
        topic: &str,
        payload: &str,
        qos: QoS,
        retain: bool,
    ) {
        let mut packet = publish(id, topic, payload, qos);
        packet.retain = retain;
        self.send(client, Packet::Publish(Box::new(packet)));
        self.commit();
        if qos == QoS::ExactlyOnce {
            self.send(
                client,
                Packet::PubRel(Ack::new(packet_id(id), ReasonCode::Success)),
            );
            self.commit();
        }
        self.clients[client.0].received.retain(|packet| {
            !matches!(
                packet,
                Packet::PubAck(_) | Packet::PubRec(_) | Packet::PubComp(_)
            )
        });
    }

    /// What was published to the client, acknowledged until nothing more comes.
    pub fn take_all(&mut self, client: Client) -> Vec<Publish> {
        let mut all = Vec::new();
        loop {
            self.commit();
            let packets = self.received(client);
            if packets.is_empty() {
                return all;
            }
            for packet in packets {
                match packet {
                    Packet::Publish(publish) => {
                        let answer = publish
                            .packet_id
                            .map(|id| Ack::new(id, ReasonCode::Success));
                        match (publish.qos, answer) {
                            (QoS::AtLeastOnce, Some(ack)) => self.send(client, Packet::PubAck(ack)),
                            (QoS::ExactlyOnce, Some(ack)) => self.send(client, Packet::PubRec(ack)),
                            _ => {}
                        }
                        all.push(*publish);
                    }
                    Packet::PubRel(ack) => {
                        self.send(
                            client,
                            Packet::PubComp(Ack::new(ack.packet_id, ReasonCode::Success)),
                        );
                    }
                    other => panic!("unexpected {other:?}"),
                }
            }
        }
    }

    /// The payloads of [`World::take_all`], as text.
    pub fn take_texts(&mut self, client: Client) -> Vec<String> {
        self.take_all(client).iter().map(text).collect()
    }
}

impl Line {
    fn turn(&mut self, store: &MemoryStore, now: Now) -> bool {
        if self.closed {
            return false;
        }
        self.connection.handle_wake(now);
        let mut moved = false;
        let mut output = BytesMut::new();
        self.connection.poll_transmit(&mut output, now);
        while let Some(question) = self.connection.poll_question() {
            moved = true;
            let answer = match question {
                Question::Authenticate(credentials) => {
                    Answer::Authenticated(riddle::authenticate(credentials))
                }
                Question::Continue(step) => Answer::Authenticated(riddle::next_step(&step)),
                Question::Reauthenticate(step) => Answer::Authenticated(riddle::first_step(&step)),
                Question::Read {
                    session,
                    sequences,
                    bytes_max,
                } => Answer::Read(store.read_part(session, &sequences, bytes_max)),
            };
            self.connection.handle_answer(answer, now);
        }
        moved |= !output.is_empty() || self.connection.wants_turn();
        self.bytes.extend_from_slice(&output);
        while let Some(packet) = self
            .decoder
            .decode(&mut self.bytes)
            .expect("the broker speaks MQTT")
        {
            self.received.push_back(packet);
        }
        moved
    }
}
