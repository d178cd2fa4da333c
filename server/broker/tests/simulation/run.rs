//! One run: clients act at random, the network carries and cuts, the broker crashes, time passes; at the end all come to
//! rest.
//!
//! Everything that happens has a place on one agenda, and everything random comes from one seed.

use std::collections::BTreeMap;

use ebbtide_broker::{Limits, QueueOverflow};
use ebbtide_protocol::ReasonCode;

use super::{
    client::{self, Client},
    history::{ConnectionId, Fact, History},
    link::{Pipe, delay_ms},
    node::{Node, Output},
    random::Random,
    rest, roster,
};

/// How long clients act, milliseconds of their time.
const LIFE_MS: u64 = 40_000;

/// When a client asks again that was refused.
const AGAIN_MS: u64 = 100;

/// Reason codes that a client of this simulation has a right never to see: it keeps to the standard.
const FAULTS: [ReasonCode; 4] = [
    ReasonCode::MalformedPacket,
    ReasonCode::ProtocolError,
    ReasonCode::ReceiveMaximumExceeded,
    ReasonCode::TopicAliasInvalid,
];

pub struct Run {
    pub random: Random,
    pub history: History,
    pub node: Node,
    pub clients: Vec<Client>,
    links: BTreeMap<ConnectionId, Link>,
    agenda: BTreeMap<(u64, u64), Event>,
    added: u64,
    next_connection: ConnectionId,
    /// Nothing is published any more from here on: what is retained then stays.
    published_until_ms: u64,
    /// The network is whole and everybody means well.
    pub is_calm: bool,
}

/// A connection under way.
struct Link {
    client: usize,
    to_broker: Pipe,
    to_client: Pipe,
    /// The broker has closed it: what is under way still arrives.
    is_closing: bool,
}

#[derive(Clone, Copy)]
enum Event {
    Act,
    ToBroker(ConnectionId),
    ToClient(ConnectionId),
    /// The client gives up on a connection.
    Leave(usize, ConnectionId),
    Ping(usize, ConnectionId),
    /// The client subscribes again that was refused.
    Subscribe(usize, ConnectionId),
    Connect(usize),
}

/// Runs a seed to its end. The history tells what has happened, also when it fails.
pub fn run(seed: u64) -> (History, Result<(), String>) {
    let mut run = Run::new(seed);
    let result = run.live().and_then(|()| rest::come_to_rest(&mut run));
    (run.history, result)
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let profiles = roster::draw(&mut random);
        let published_until_ms = random.between(LIFE_MS / 4, LIFE_MS * 3 / 2);
        let outgoing_bytes_max = if random.chance(40) { 3_000 } else { 4 << 20 };
        let queue_messages_per_session_max = if random.chance(25) {
            3 + random.below(12)
        } else {
            usize::MAX
        };
        let queue_overflow = if random.chance(50) {
            QueueOverflow::DropOldest
        } else {
            QueueOverflow::DropNewest
        };
        let limits = Limits {
            outgoing_bytes_max,
            queue_messages_per_session_max,
            queue_overflow,
            ..Limits::default()
        };
        let failing_percent = if random.chance(30) { 4 } else { 0 };
        let node = Node::new(limits, failing_percent);
        let history = History {
            names: profiles
                .iter()
                .map(|profile| profile.name.clone())
                .collect(),
            ..History::default()
        };
        let clients = profiles.into_iter().enumerate();
        Self {
            random,
            history,
            node,
            clients: clients
                .map(|(at, profile)| Client::new(at, profile))
                .collect(),
            links: BTreeMap::new(),
            agenda: BTreeMap::new(),
            added: 0,
            next_connection: 0,
            published_until_ms,
            is_calm: false,
        }
    }

    fn live(&mut self) -> Result<(), String> {
        self.connect(0, false)?;
        self.pass(1_000)?;
        self.put(0, Event::Act);
        self.pass(LIFE_MS)
    }

    /// Lets so much time pass, with everything that happens in it.
    pub fn pass(&mut self, ms: u64) -> Result<(), String> {
        let end_ms = self.history.now_ms + ms;
        // What has been said since takes its way.
        self.settle()?;
        loop {
            let agenda = self.agenda.first_key_value().map(|((at_ms, _), _)| *at_ms);
            let due_ms = agenda.into_iter().chain(self.node.next_due_ms()).min();
            let Some(due_ms) = due_ms.filter(|due_ms| *due_ms <= end_ms) else {
                self.history.now_ms = end_ms;
                self.node.set_time(end_ms);
                return Ok(());
            };
            self.history.now_ms = self.history.now_ms.max(due_ms);
            self.node.set_time(self.history.now_ms);
            if agenda == Some(due_ms)
                && let Some((_, event)) = self.agenda.pop_first()
            {
                self.happen(event)?;
            }
            self.settle()?;
        }
    }

    fn put(&mut self, after_ms: u64, event: Event) {
        self.added += 1;
        let at_ms = self.history.now_ms + after_ms;
        self.agenda.insert((at_ms, self.added), event);
    }

    fn happen(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Act if self.is_calm => {}
            Event::Act => {
                self.act()?;
                // Now and then nobody acts for a while, and everything else goes on.
                let longest_ms = if self.random.chance(2) { 6_000 } else { 150 };
                let pause_ms = self.random.between(0, longest_ms);
                self.put(pause_ms, Event::Act);
            }
            Event::ToBroker(id) => self.carry_to_broker(id),
            Event::ToClient(id) => self.carry_to_client(id)?,
            Event::Leave(at, id) => {
                if self.clients[at].connection() == Some(id) {
                    self.clients[at].leave(&mut self.history);
                }
            }
            Event::Ping(at, id) => {
                if self.clients[at].connection() == Some(id) {
                    self.clients[at].ping();
                    self.put(1_000, Event::Ping(at, id));
                }
            }
            Event::Subscribe(at, id) => {
                if self.clients[at].connection() == Some(id) {
                    self.subscribe(at);
                }
            }
            Event::Connect(at) => {
                if self.clients[at].connection().is_none() {
                    self.connect(at, false)?;
                }
            }
        }
        Ok(())
    }

    /// What a client, the network or the disk does next.
    fn act(&mut self) -> Result<(), String> {
        let at = self.random.below(self.clients.len());
        let Self {
            random,
            history,
            clients,
            ..
        } = self;
        match random.below(200) {
            0..80 if history.now_ms > self.published_until_ms => {}
            0..80 => {
                let publishers: Vec<usize> = (0..clients.len())
                    .filter(|at| clients[*at].profile.publishes)
                    .collect();
                let at = *random.pick(&publishers);
                for _ in 0..1 + random.below(3) {
                    clients[at].publish(random, history);
                }
            }
            80..110 => {
                let count = random.below(4);
                clients[at].answer(count);
            }
            110..135 => clients[at].change_subscription(random, history),
            135..155 => return self.connect_again(at),
            155..166 => self.cut(at),
            166..174 => self.vanish(at),
            174..182 => {
                if at > 1 {
                    clients[at].disconnect(random, history);
                    let id = clients[at].connection();
                    if let Some(id) = id.filter(|_| random.chance(70)) {
                        // It closes its end when the packet has had its chance.
                        self.put(700, Event::Leave(at, id));
                    }
                }
            }
            182 => self.crash(),
            183..185 => {
                for at in 0..self.clients.len() {
                    self.cut(at);
                    self.put(0, Event::Connect(at));
                }
            }
            _ => {
                for client in clients.iter_mut() {
                    let count = random.below(8);
                    client.answer(count);
                }
            }
        }
        Ok(())
    }

    /// Mostly a client that has no connection; else a second one for the same client id.
    fn connect_again(&mut self, at: usize) -> Result<(), String> {
        let without = |client: &Client| client.connection().is_none();
        let chosen = if self.random.chance(85) {
            self.clients.iter().position(without)
        } else {
            Some(at)
        };
        let Some(at) = chosen else { return Ok(()) };
        let clean_start = self.clients[at].profile.starts_clean && self.random.chance(25);
        self.connect(at, clean_start)
    }

    pub fn connect(&mut self, at: usize, clean_start: bool) -> Result<(), String> {
        let id = self.next_connection;
        self.next_connection += 1;
        self.node.open(id);
        let link = Link {
            client: at,
            to_broker: Pipe::default(),
            to_client: Pipe::default(),
            is_closing: false,
        };
        self.links.insert(id, link);
        // Who has no keep alive never pings, and so hears nothing that the core forgets to wake it for.
        if self.clients[at].profile.keep_alive_s > 0 {
            self.put(1_000, Event::Ping(at, id));
        }
        let Self {
            random,
            history,
            clients,
            ..
        } = self;
        clients[at].connect(id, clean_start, random, history);
        Ok(())
    }

    /// The connection breaks, and both sides notice sooner or later: at once, or the client only when it has waited too
    /// long.
    fn cut(&mut self, at: usize) {
        let Some(id) = self.clients[at].connection() else {
            return;
        };
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let piece = link.to_broker.cut(&mut self.random);
        link.to_client.cut(&mut self.random);
        self.node.receive(id, &piece);
        self.node.hang_up(id);
        let notices_ms = if self.random.chance(60) {
            0
        } else {
            self.random.between(1, 5_000)
        };
        self.put(notices_ms, Event::Leave(at, id));
    }

    /// The client is gone and the broker is not told: only the keep alive, or a newcomer, will tell it.
    fn vanish(&mut self, at: usize) {
        let Some(id) = self.clients[at].connection() else {
            return;
        };
        if let Some(link) = self.links.get_mut(&id) {
            let piece = link.to_broker.cut(&mut self.random);
            link.to_client.cut(&mut self.random);
            self.node.receive(id, &piece);
        }
        self.clients[at].leave(&mut self.history);
    }

    fn crash(&mut self) {
        let undone = self.node.crash(&mut self.random);
        self.history.add(Fact::Crashed);
        for (client_id, message) in undone {
            let client = self.history.names.iter().position(|it| *it == *client_id);
            let id = client::message_of(&message.properties, &message.payload);
            if let (Some(client), Some(message)) = (client, id) {
                self.history.add(Fact::Undone { client, message });
            }
        }
        self.links.clear();
        for at in 0..self.clients.len() {
            if let Some(id) = self.clients[at].connection() {
                let notices_ms = if self.random.chance(70) {
                    self.random.between(0, 50)
                } else {
                    self.random.between(0, 3_000)
                };
                self.put(notices_ms, Event::Leave(at, id));
            }
        }
    }

    fn carry_to_broker(&mut self, id: ConnectionId) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let piece = link.to_broker.take_piece(&mut self.random);
        link.to_broker.is_scheduled = false;
        self.node.receive(id, &piece);
        self.schedule(id);
    }

    fn carry_to_client(&mut self, id: ConnectionId) -> Result<(), String> {
        let Some(link) = self.links.get_mut(&id) else {
            return Ok(());
        };
        let piece = link.to_client.take_piece(&mut self.random);
        link.to_client.is_scheduled = false;
        let at = link.client;
        let is_over = link.is_closing && link.to_client.is_empty();
        let client = &mut self.clients[at];
        // A connection that it has left for another says nothing to it any more.
        if client.connection() == Some(id) {
            client.receive(&piece, &mut self.history)?;
            if is_over {
                client.leave(&mut self.history);
            } else if self.is_calm || self.random.chance(70) {
                client.answer(usize::MAX);
            }
            if client.take_refusal() {
                // At once would be the same instant while the network takes no time, and the store heals in a later one.
                self.put(AGAIN_MS, Event::Subscribe(at, id));
            } else {
                self.subscribe(at);
            }
            // The worst moment: the client has just been told.
            if !self.is_calm && self.random.below(250) == 0 {
                self.crash();
                return Ok(());
            }
        }
        if is_over {
            self.links.remove(&id);
        }
        self.schedule(id);
        Ok(())
    }

    /// To what it always subscribes to, unless it has.
    fn subscribe(&mut self, at: usize) {
        let client = &mut self.clients[at];
        if client.is_ready() && !client.is_subscribed() {
            client.subscribe_always(&mut self.random, &mut self.history);
        }
    }

    /// Lets the broker do what there is to do, and takes what it and the clients have to say onto the network.
    fn settle(&mut self) -> Result<(), String> {
        for at in 0..self.clients.len() {
            if let Some((id, bytes)) = self.clients[at].take_output() {
                if let Some(link) = self.links.get_mut(&id) {
                    link.to_broker.push(&bytes);
                }
                self.schedule(id);
            }
        }
        for output in self.node.advance(&mut self.random) {
            match output {
                Output::Bytes(id, bytes) => {
                    if let Some(link) = self.links.get_mut(&id) {
                        link.to_client.push(&bytes);
                    }
                    self.schedule(id);
                }
                Output::Ended(id, reason) => self.ended(id, reason)?,
                Output::Lost(name, count) => {
                    let names = &self.history.names;
                    let client = name.and_then(|name| names.iter().position(|it| *it == name));
                    self.history.add(Fact::Lost { client, count });
                }
                Output::Settled(connection) => self.history.add(Fact::Settled { connection }),
            }
        }
        Ok(())
    }

    fn ended(&mut self, id: ConnectionId, reason: ReasonCode) -> Result<(), String> {
        self.history.add(Fact::Ended {
            connection: id,
            by_client: reason == ReasonCode::Success,
        });
        let Some(link) = self.links.get_mut(&id) else {
            return Ok(());
        };
        if FAULTS.contains(&reason) {
            let name = &self.clients[link.client].profile.name;
            return Err(format!("the broker finds fault with {name}: {reason:?}"));
        }
        link.is_closing = true;
        // Nothing may be under way to it: it is told all the same.
        self.put(0, Event::ToClient(id));
        Ok(())
    }

    fn schedule(&mut self, id: ConnectionId) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let mut events = Vec::new();
        for (pipe, event) in [
            (&mut link.to_broker, Event::ToBroker(id)),
            (&mut link.to_client, Event::ToClient(id)),
        ] {
            if !pipe.is_scheduled && !pipe.is_empty() {
                pipe.is_scheduled = true;
                events.push(event);
            }
        }
        for event in events {
            let after_ms = if self.is_calm {
                0
            } else {
                delay_ms(&mut self.random)
            };
            self.put(after_ms, event);
        }
    }

    /// Nothing is under way on any connection that a client listens to.
    pub fn is_quiet(&self) -> bool {
        self.links
            .values()
            .all(|link| link.to_broker.is_empty() && link.to_client.is_empty())
            && !self.node.is_writing()
    }
}
