//! A broker, a store in memory and many clients in one thread. A connection has a turn when it is woken or bytes have come for
//! it, as in the program: what many idle clients cost is not counted for those who are busy.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
};

use bytes::BytesMut;
use ebbtide_broker::{
    Answer, Broker, Connection, Identity, Limits, Monotonic, Now, Origin, Question, Recovery,
    Rules, Transport,
};
use ebbtide_store::{Store as _, WallTime, access::RuleRow, memory::MemoryStore};

use super::frames;

/// Connections that have something to do, each of them once.
type Woken = Mutex<VecDeque<usize>>;

pub struct Rig {
    broker: Broker,
    store: MemoryStore,
    clients: Vec<Client>,
    woken: Arc<Woken>,
    now: Now,
    /// Messages that clients were sent so far.
    pub delivered: u64,
}

struct Client {
    connection: Connection,
    bell: Arc<Bell>,
    input: BytesMut,
    output: BytesMut,
}

struct Bell {
    client: usize,
    is_rung: AtomicBool,
    woken: Arc<Woken>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_rung.swap(true, Ordering::Relaxed) {
            self.woken
                .lock()
                .expect("one thread")
                .push_back(self.client);
        }
    }
}

impl Rig {
    pub fn new() -> Self {
        Self::with_rules(None)
    }

    /// With rules, or without any.
    pub fn with_rules(rules: Option<Vec<RuleRow>>) -> Self {
        let now = Now {
            monotonic: Monotonic(1_000),
            wall: WallTime(1_000_000),
        };
        let store = MemoryStore::new();
        let mut recovery = Recovery::new(Limits::default(), 1);
        if let Some(rules) = rules {
            recovery.guard(Rules::new(rules).expect("valid rules"));
        }
        let recovered = store.recover(&mut |row| recovery.row(row));
        recovered.expect("a store in memory does not fail");
        let mut rig = Self {
            broker: recovery.finish(now),
            store,
            clients: Vec::new(),
            woken: Arc::default(),
            now,
            delivered: 0,
        };
        rig.settle();
        rig
    }

    /// A new connection, which has sent this and got its answer.
    pub fn open(&mut self, first: &[u8]) -> usize {
        let client = self.clients.len();
        let opened = self.connection(client);
        self.clients.push(opened);
        self.send(client, first);
        client
    }

    /// The same in the place of one that has gone.
    pub fn open_again(&mut self, client: usize, first: &[u8]) {
        self.clients[client] = self.connection(client);
        self.send(client, first);
    }

    fn connection(&self, client: usize) -> Client {
        let bell = Arc::new(Bell {
            client,
            is_rung: AtomicBool::new(false),
            woken: Arc::clone(&self.woken),
        });
        let origin = Origin {
            address: "127.0.0.1:50123".to_owned(),
            transport: Transport::Tcp,
        };
        let waker = Waker::from(Arc::clone(&bell));
        Client {
            connection: self.broker.connect(origin, waker, self.now),
            bell,
            input: BytesMut::new(),
            output: BytesMut::new(),
        }
    }

    /// Bytes come from a client, and everything that follows from them is done.
    pub fn send(&mut self, client: usize, bytes: &[u8]) {
        self.put(client, |input| input.extend_from_slice(bytes));
        self.settle();
    }

    /// The same, later: nothing follows yet.
    pub fn put(&mut self, client: usize, put: impl FnOnce(&mut BytesMut)) {
        let client = &mut self.clients[client];
        put(&mut client.input);
        client.bell.wake_by_ref();
    }

    /// Until nobody has anything to do and everything is on disk.
    pub fn settle(&mut self) {
        loop {
            while let Some(client) = self.next() {
                self.turn(client);
            }
            let journal = self.broker.journal();
            let Some(batch) = journal.take() else { return };
            let committed = self.store.commit(&batch.operations);
            committed.expect("a store in memory does not fail");
            journal.finish(batch);
        }
    }

    fn next(&self) -> Option<usize> {
        self.woken.lock().expect("one thread").pop_front()
    }

    fn turn(&mut self, number: usize) {
        let client = &mut self.clients[number];
        client.bell.is_rung.store(false, Ordering::Relaxed);
        let connection = &mut client.connection;
        connection.handle_wake(self.now);
        let mut more = false;
        if !client.input.is_empty() && connection.wants_input() {
            more = connection.receive(&mut client.input, self.now);
        }
        ask(connection, &self.store, self.now);
        connection.poll_transmit(&mut client.output, self.now);
        ask(connection, &self.store, self.now);
        more |= connection.wants_turn();
        if !client.output.is_empty() {
            self.delivered += frames::answer(&client.output, &mut client.input);
            client.output.clear();
            more = true;
        }
        if more {
            client.bell.wake_by_ref();
        }
    }
}

fn ask(connection: &mut Connection, store: &MemoryStore, now: Now) {
    while let Some(question) = connection.poll_question() {
        let answer = match question {
            Question::Authenticate(credentials) => {
                Answer::Authenticated(Ok(Identity::of_user(credentials.username)).into())
            }
            Question::Read {
                session,
                sequences,
                bytes_max,
            } => Answer::Read(store.read_part(session, &sequences, bytes_max)),
            Question::Continue(_) | Question::Reauthenticate(_) => {
                unreachable!("nobody authenticates in steps")
            }
        };
        connection.handle_answer(answer, now);
    }
}
