//! A broker on a store in memory with a few connections, driven by a target; what the broker says is read as a client would.

use std::{
    sync::Arc,
    task::{Wake, Waker},
};

use bytes::BytesMut;
use ebbtide_broker::{
    Answer, Broker, Connection, Identity, Limits, Monotonic, Now, Origin, Question, Recovery,
    Transport,
};
use ebbtide_protocol::{
    Packet, Version,
    codec::{Decoder, Role, encode},
};
use ebbtide_store::{Store, WallTime, memory::MemoryStore};

struct Ignore;

impl Wake for Ignore {
    fn wake(self: Arc<Self>) {}
}

/// The world of one input.
pub struct Driver {
    broker: Broker,
    store: MemoryStore,
    now: Now,
    lines: Vec<Line>,
}

struct Line {
    connection: Connection,
    /// None while nothing has told which version is spoken; then what comes is not read.
    decoder: Option<Decoder>,
    version: Version,
    input: BytesMut,
    output: BytesMut,
    /// What the client has got.
    received: Vec<Packet>,
}

impl Driver {
    /// With so many connections, none of which has said anything.
    pub fn new(connections: usize) -> Self {
        let store = MemoryStore::new();
        let now = Now {
            monotonic: Monotonic(1),
            wall: WallTime(1),
        };
        let broker = recover(&store, now);
        let mut driver = Self {
            broker,
            store,
            now,
            lines: Vec::new(),
        };
        driver.commit();
        driver.lines = (0..connections).map(|_| driver.line()).collect();
        driver
    }

    fn line(&self) -> Line {
        let origin = Origin {
            address: String::new(),
            transport: Transport::Tcp,
        };
        let waker = Waker::from(Arc::new(Ignore));
        Line {
            connection: self.broker.connect(origin, waker, self.now),
            decoder: None,
            version: Version::V5,
            input: BytesMut::new(),
            output: BytesMut::new(),
            received: Vec::new(),
        }
    }

    /// The client of this connection sends a packet.
    pub fn send(&mut self, at: usize, packet: &Packet) {
        let line = &mut self.lines[at];
        let mut version = line.version;
        if let Packet::Connect(connect) = packet {
            version = connect.version;
            // The first CONNECT says it; another one is a mistake.
            if line.decoder.is_none() {
                line.version = version;
                let mut decoder = Decoder::new(Role::Client, u32::MAX);
                decoder.set_version(version);
                line.decoder = Some(decoder);
            }
        }
        let mut bytes = BytesMut::new();
        encode(packet, version, &mut bytes);
        self.send_bytes(at, &bytes);
    }

    /// Its version, as its first CONNECT says.
    pub fn version(&self, at: usize) -> Version {
        self.lines[at].version
    }

    /// Bytes come over this connection.
    pub fn send_bytes(&mut self, at: usize, bytes: &[u8]) {
        self.lines[at].input.extend_from_slice(bytes);
        self.settle();
    }

    /// What the client of this connection has got since the last call.
    pub fn received(&mut self, at: usize) -> Vec<Packet> {
        std::mem::take(&mut self.lines[at].received)
    }

    /// The network of this connection goes, and a new one comes.
    pub fn reconnect(&mut self, at: usize) {
        self.lines[at].connection.handle_end(self.now);
        self.settle();
        self.lines[at] = self.line();
    }

    /// Everything that waits reaches the store.
    pub fn commit(&mut self) {
        loop {
            while let Some(batch) = self.broker.journal().take() {
                commit(&self.store, &batch.operations);
                self.broker.journal().committed(&batch);
            }
            self.settle();
            if self.broker.journal().queue_bytes() == 0 {
                return;
            }
        }
    }

    /// Time passes.
    pub fn pass_ms(&mut self, ms: u64) {
        self.now.monotonic = self.now.monotonic.plus_ms(ms);
        self.now.wall.0 += ms;
        keep_time(&self.broker, self.now);
        for line in &mut self.lines {
            line.connection.handle_timeout(self.now);
        }
        self.settle();
    }

    /// The broker dies; so many operations of those that waited have reached the store.
    pub fn crash(&mut self, kept: usize) {
        if let Some(batch) = self.broker.journal().take() {
            let kept = kept.min(batch.operations.len());
            commit(&self.store, &batch.operations[..kept]);
        }
        let count = self.lines.len();
        self.lines.clear();
        self.broker = recover(&self.store, self.now);
        self.commit();
        self.lines = (0..count).map(|_| self.line()).collect();
    }

    fn settle(&mut self) {
        loop {
            let mut moved = false;
            for line in &mut self.lines {
                moved |= line.turn(&self.store, self.now);
            }
            if !moved {
                return;
            }
        }
    }

    /// All connections end. What is left in memory is what a start from the store gives, and nothing is counted that is
    /// not there.
    pub fn check(mut self) {
        for line in &mut self.lines {
            line.connection.handle_end(self.now);
        }
        self.commit();
        // What is due now was due before a restart, too.
        keep_time(&self.broker, self.now);
        self.commit();
        let old = self.broker.stats();
        assert_eq!(old.connections, 0);
        assert_eq!(self.broker.journal().queue_bytes(), 0);
        let new = recover(&self.store, self.now);
        keep_time(&new, self.now);
        let new = new.stats();
        let kept = |stats: ebbtide_broker::Stats| {
            [
                stats.sessions,
                stats.subscriptions,
                stats.retained,
                stats.waiting,
            ]
        };
        assert_eq!(
            kept(old),
            kept(new),
            "sessions, subscriptions, retained, waiting"
        );
    }
}

impl Line {
    fn turn(&mut self, store: &MemoryStore, now: Now) -> bool {
        let before = self.input.len();
        self.connection.handle_wake(now);
        self.connection.handle_timeout(now);
        let mut moved = false;
        if !self.input.is_empty() && self.connection.wants_input() {
            moved = self.connection.receive(&mut self.input, now) || self.input.len() < before;
        }
        while self.connection.poll_transmit(&mut self.output, now) {
            moved = true;
        }
        while let Some(question) = self.connection.poll_question() {
            moved = true;
            let answer = match question {
                Question::Authenticate(_) | Question::Continue(_) | Question::Reauthenticate(_) => {
                    Answer::Authenticated(Ok(Identity::default()).into())
                }
                Question::Read {
                    session,
                    sequences,
                    bytes_max,
                } => Answer::Read(store.read_part(session, &sequences, bytes_max)),
            };
            self.connection.handle_answer(answer, now);
        }
        self.read();
        moved
    }

    fn read(&mut self) {
        let Some(decoder) = &mut self.decoder else {
            self.output.clear();
            return;
        };
        while let Some(packet) = decoder
            .decode(&mut self.output)
            .expect("what the broker says is MQTT")
        {
            self.received.push(packet);
        }
        assert!(self.output.is_empty(), "whole packets only");
    }
}

fn commit(store: &MemoryStore, operations: &[ebbtide_store::Operation]) {
    store
        .commit(operations)
        .expect("a store in memory does not fail");
}

/// Turn after turn, until nothing is due.
fn keep_time(broker: &Broker, now: Now) {
    broker.handle_timeout(now);
    while (broker.poll_timeout()).is_some_and(|at| at <= now.monotonic) {
        broker.handle_timeout(now);
    }
}

fn recover(store: &MemoryStore, now: Now) -> Broker {
    let limits = Limits {
        outgoing_bytes_max: 2_000,
        queue_messages_per_session_max: 40,
        receive_maximum: 16,
        replies_max: 64,
        uncommitted_bytes_max: 4_000,
        ..Limits::default()
    };
    let mut recovery = Recovery::new(limits, 0);
    store
        .recover(&mut |row| recovery.row(row))
        .expect("a store in memory does not fail");
    recovery.finish(now)
}
