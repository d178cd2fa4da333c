//! One run: a browser-like peer in trouble, a feeder that publishes to it, an observer that sees what the broker passes on,
//! and the broker. Everything random comes from one seed.

use std::collections::BTreeMap;

use ebbtide_broker::Limits;
use ebbtide_protocol::{
    ReasonCode,
    client::{Client, State},
};
use ebbtide_store::Incarnation;

use super::{
    history::ConnectionId,
    network::Link,
    node::{Node, Output},
    peer::{Peer, Profile},
    random::Random,
    seen::Seen,
    store::Sequence,
};

/// How long the peers act, milliseconds of their time.
const LIFE_MS: u64 = 30_000;
/// How long everything may take to come to rest.
const REST_MS: u64 = 300_000;

pub const HERO: usize = 0;
pub const FEEDER: usize = 1;
pub const OBSERVER: usize = 2;

/// What a client that keeps to the standard never hears.
const FAULTS: [ReasonCode; 4] = [
    ReasonCode::MalformedPacket,
    ReasonCode::ProtocolError,
    ReasonCode::ReceiveMaximumExceeded,
    ReasonCode::TopicAliasInvalid,
];

pub struct World {
    pub now_ms: u64,
    pub seen: Seen,
    pub peers: [Peer; 3],
    /// Of the feeder's messages those before may be gone: no session of the hero was there for them.
    pub excused_before: Sequence,
    /// Publishes that may come twice, or whose storage was thrown away.
    pub excused: Vec<Sequence>,
    pub lost: Vec<Sequence>,
    /// The broker's session of the hero, when it was told of one.
    pub session: Option<Incarnation>,
    pub fills: bool,
    /// The hero neither crashes nor quits: what only a new process puts right stays wrong.
    pub is_sturdy: bool,
    pub seed: u64,
    pub is_told: bool,
    pub random: Random,
    pub node: Node,
    pub links: BTreeMap<ConnectionId, Link>,
    pub agenda: BTreeMap<(u64, u64), Event>,
    pub added: u64,
    pub next_connection: ConnectionId,
    pub is_calm: bool,
    pub is_full: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum Event {
    Act,
    ToBroker(ConnectionId),
    ToPeer(ConnectionId),
    Notice(usize, ConnectionId),
    Cut(ConnectionId),
    Start(usize),
    Reconnect,
    Empty,
    Release,
}

impl World {
    pub fn new(seed: u64, is_told: bool) -> Self {
        let mut random = Random::new(seed);
        let steady = |name, filter| Profile {
            name,
            filter,
            expiry_s: u32::MAX,
            receive_maximum: 100,
            refreshes: false,
            is_steady: true,
            hears_names: true,
        };
        let hero = Profile {
            name: "hero",
            filter: Some("in/#"),
            expiry_s: *random.pick(&[4, 4_000, 4_000]),
            receive_maximum: *random.pick(&[2, 10, 200]),
            refreshes: random.chance(30),
            is_steady: false,
            hears_names: random.chance(60),
        };
        let limits = Limits {
            receive_maximum: *random.pick(&[2, 5, 1_000]),
            ..Limits::default()
        };
        let failing_percent = if random.chance(20) { 3 } else { 0 };
        let mut world = Self {
            now_ms: 0,
            seen: Seen::default(),
            peers: [
                Peer::new(hero),
                Peer::new(steady("feeder", None)),
                Peer::new(steady("observer", Some("out/#"))),
            ],
            excused_before: 0,
            excused: Vec::new(),
            lost: Vec::new(),
            session: None,
            fills: random.chance(50),
            is_sturdy: random.chance(30),
            seed,
            is_told,
            node: Node::new(limits, failing_percent),
            random,
            links: BTreeMap::new(),
            agenda: BTreeMap::new(),
            added: 0,
            next_connection: 0,
            is_calm: false,
            is_full: false,
        };
        world.peers[HERO].wire.is_told = is_told;
        world
    }

    pub fn tell(&self, what: impl FnOnce() -> String) {
        if self.is_told {
            println!("{:>7} {}", self.now_ms, what());
        }
    }

    pub fn live(&mut self) -> Result<(), String> {
        self.start(FEEDER);
        self.start(OBSERVER);
        while !self.peers[OBSERVER].is_subscribed {
            self.pass(100)?;
        }
        self.start(HERO);
        self.put(500, Event::Act);
        self.pass(LIFE_MS)
    }

    /// The network is whole, everybody means well, and everything is finished.
    pub fn come_to_rest(&mut self) -> Result<(), String> {
        self.is_calm = true;
        self.node.fail_no_more();
        self.set_full(false);
        if self.peers[HERO].life.is_none() {
            self.start(HERO);
        }
        self.peers[HERO].hold(false);
        let end_ms = self.now_ms + REST_MS;
        while self.now_ms < end_ms {
            self.pass(500)?;
            let now_ms = self.now_ms;
            for peer in &mut self.peers {
                if let Some(client) = peer.life() {
                    client.probe(now_ms);
                }
            }
            self.pass(500)?;
            if self.is_at_rest() {
                // What the observer is owed still comes.
                self.pass(2_000)?;
                if self.is_at_rest() {
                    return Ok(());
                }
            }
        }
        let unrest: Vec<String> = self.peers.iter().filter_map(Peer::unrest).collect();
        Err(format!("there is no end: {unrest:?}"))
    }

    fn is_at_rest(&self) -> bool {
        let is_connected = |peer: &Peer| {
            let link = peer.connection().and_then(|id| self.links.get(&id));
            link.is_some_and(|link| !link.is_severed)
        };
        self.peers
            .iter()
            .all(|peer| is_connected(peer) && peer.unrest().is_none())
            && !self.node.is_writing()
            && self
                .links
                .values()
                .all(|link| link.to_broker.is_empty() && link.to_peer.is_empty())
    }

    pub fn pass(&mut self, ms: u64) -> Result<(), String> {
        let end_ms = self.now_ms + ms;
        self.settle()?;
        loop {
            let agenda = self.agenda.first_key_value().map(|((at_ms, _), _)| *at_ms);
            let peers = self.peers.iter().filter_map(Peer::next_due_ms).min();
            let due_ms = [agenda, peers, self.node.next_due_ms()];
            let due_ms = due_ms.into_iter().flatten().min();
            let Some(due_ms) = due_ms.filter(|due_ms| *due_ms <= end_ms) else {
                self.now_ms = end_ms;
                self.node.set_time(end_ms);
                return Ok(());
            };
            self.now_ms = self.now_ms.max(due_ms);
            self.node.set_time(self.now_ms);
            if agenda.is_some_and(|at_ms| at_ms <= self.now_ms)
                && let Some((_, event)) = self.agenda.pop_first()
            {
                self.happen(event)?;
            }
            let now_ms = self.now_ms;
            for peer in &mut self.peers {
                peer.store_due(now_ms);
                if let Some(client) = peer.life()
                    && client.poll_timeout().is_some_and(|at_ms| at_ms <= now_ms)
                {
                    client.handle_timeout(now_ms);
                }
            }
            self.settle()?;
        }
    }

    pub fn put(&mut self, after_ms: u64, event: Event) {
        self.added += 1;
        self.agenda
            .insert((self.now_ms + after_ms, self.added), event);
    }

    fn happen(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Act if self.is_calm => {}
            Event::Act => {
                self.act();
                let longest_ms = if self.random.chance(2) { 6_000 } else { 120 };
                let pause_ms = self.random.between(0, longest_ms);
                self.put(pause_ms, Event::Act);
            }
            Event::ToBroker(id) => self.carry_to_broker(id),
            Event::ToPeer(id) => self.carry_to_peer(id)?,
            Event::Cut(id) => {
                if self.peers[HERO].connection() == Some(id) && !self.is_calm {
                    self.cut();
                }
            }
            Event::Notice(at, id) => {
                if self.peers[at].connection() == Some(id) {
                    self.peers[at].closed(self.now_ms);
                }
            }
            Event::Start(at) => {
                if self.peers[at].life.is_none() {
                    self.start(at);
                }
            }
            Event::Reconnect => {
                let now_ms = self.now_ms;
                if let Some(client) = self.peers[HERO].life() {
                    client.reconnect_now(now_ms);
                }
            }
            Event::Empty => self.set_full(false),
            Event::Release => self.peers[HERO].hold(false),
        }
        Ok(())
    }

    pub fn start(&mut self, at: usize) {
        self.tell(|| format!("{at} starts"));
        self.peers[at].start(self.now_ms, self.seed ^ (at as u64) << 32);
    }

    /// Lets everybody do what there is to do, until nobody has anything.
    pub fn settle(&mut self) -> Result<(), String> {
        for at in 0..self.peers.len() {
            let Self { peers, random, .. } = self;
            let wishes = peers[at].turn(self.now_ms, random)?;
            for wish in wishes {
                self.grant(at, wish);
            }
            let is_closed = |client: &mut Client| *client.state() == State::Closed;
            if self.peers[at].life().is_some_and(is_closed) {
                self.peers[at].stop();
                if std::mem::take(&mut self.peers[at].wire.is_unwitnessed) {
                    self.forgive();
                }
            }
            if self.peers[at].cries_wolf {
                return Err("a session is called evicted, and nothing was".to_owned());
            }
            if let Some(sequence) = self.peers[at].settled_too_early {
                return Err(format!(
                    "{sequence} is told as settled, and is still stored"
                ));
            }
        }
        self.excuse_order();
        let outputs = self.node.advance(&mut self.random);
        self.excuse_order();
        for output in outputs {
            match output {
                Output::Bytes(id, bytes) => {
                    if let Some(link) = self.links.get_mut(&id) {
                        link.to_peer.push(&bytes);
                    }
                    self.schedule(id);
                }
                Output::Ended(id, reason) if FAULTS.contains(&reason) => {
                    return Err(format!("the broker finds fault with {id}: {reason:?}"));
                }
                Output::Ended(id, _) => {
                    if let Some(link) = self.links.get_mut(&id) {
                        link.broker_is_gone = true;
                        self.put(0, Event::ToPeer(id));
                    }
                }
                Output::Settled(_) | Output::Lost(..) => {}
            }
        }
        Ok(())
    }

    pub fn excuse_order(&mut self) {
        if self.node.refuses() {
            self.peers[HERO].wire.excuse_order();
            self.peers[FEEDER].wire.excuse_order();
        }
    }
}
