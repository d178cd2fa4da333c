//! One run: a browser-like peer in trouble, a feeder that publishes to it, an observer that sees what the broker passes on,
//! and the broker. Everything random comes from one seed.

use std::collections::BTreeMap;

use bytes::BytesMut;
use ebbtide_broker::Limits;
use ebbtide_protocol::{
    QoS, ReasonCode,
    client::{Client, Error, Session, State},
};
use ebbtide_store::Incarnation;

use super::{
    history::ConnectionId,
    link::{Pipe, delay_ms},
    node::{Node, Output},
    peer::{Peer, Profile, Wish},
    random::Random,
    store::{Row, RowStage, Sequence, Store},
};

/// How long the peers act, milliseconds of their time.
const LIFE_MS: u64 = 30_000;
/// How long everything may take to come to rest.
const REST_MS: u64 = 120_000;

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
    session: Option<Incarnation>,
    fills: bool,
    seed: u64,
    is_told: bool,
    random: Random,
    node: Node,
    links: BTreeMap<ConnectionId, Link>,
    agenda: BTreeMap<(u64, u64), Event>,
    added: u64,
    next_connection: ConnectionId,
    is_calm: bool,
    is_full: bool,
}

struct Link {
    peer: usize,
    to_broker: Pipe,
    to_peer: Pipe,
    /// One side has closed it: what is under way still arrives.
    peer_is_gone: bool,
    broker_is_gone: bool,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Act,
    ToBroker(ConnectionId),
    ToPeer(ConnectionId),
    Notice(usize, ConnectionId),
    Start(usize),
    Reconnect,
    Empty,
    Release,
}

/// What happened, so that a simulation in which nothing does is found out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub published: u64,
    pub received: u64,
    crashes: u64,
    broker_crashes: u64,
    cuts: u64,
    refusals: u64,
    resumed: u64,
    gaps: u64,
    evicted: u64,
    cancelled: u64,
    expired: u64,
    unknown: u64,
    repeated: u64,
    held: u64,
    pub unwitnessed: u64,
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
        };
        let hero = Profile {
            name: "hero",
            filter: Some("in/#"),
            expiry_s: *random.pick(&[4, 4_000]),
            receive_maximum: *random.pick(&[2, 10, 200]),
            refreshes: random.chance(30),
            is_steady: false,
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

    fn tell(&self, what: impl FnOnce() -> String) {
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
        self.peers.iter().all(|peer| peer.unrest().is_none())
            && !self.node.is_writing()
            && self
                .links
                .values()
                .all(|link| link.to_broker.is_empty() && link.to_peer.is_empty())
    }

    fn pass(&mut self, ms: u64) -> Result<(), String> {
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

    fn put(&mut self, after_ms: u64, event: Event) {
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

    fn start(&mut self, at: usize) {
        self.tell(|| format!("{at} starts"));
        self.peers[at].start(self.now_ms, self.seed ^ (at as u64) << 32);
    }

    fn set_full(&mut self, is_full: bool) {
        self.tell(|| format!("full: {is_full}"));
        self.is_full = is_full;
        self.node.set_full(is_full);
    }

    fn act(&mut self) {
        match self.random.below(200) {
            0..70 => {
                for _ in 0..1 + self.random.below(4) {
                    self.publish();
                }
            }
            70..120 => {
                let row = self.row("in");
                self.peers[FEEDER].publish(row);
            }
            120..128 => self.cancel(),
            128..142 => self.cut(),
            142..148 => self.stall(),
            148..160 => self.crash_hero(),
            160..164 => self.crash_broker(),
            164..168 if self.fills => {
                self.set_full(true);
                let after_ms = self.random.between(100, 3_000);
                self.put(after_ms, Event::Empty);
            }
            168..174 => {
                self.seen.held += 1;
                self.peers[HERO].hold(true);
                let after_ms = self.random.between(10, 2_000);
                self.put(after_ms, Event::Release);
            }
            174..180 => {
                // The page goes into the cache and comes back.
                if let Some(client) = self.peers[HERO].life() {
                    client.leave("away");
                }
                let after_ms = self.random.between(0, 7_000);
                self.put(after_ms, Event::Reconnect);
            }
            180..184 => self.quit(),
            184 => self.evict(),
            _ => {}
        }
    }

    fn row(&mut self, level: &str) -> Row {
        let topic = format!("{level}/{}", self.random.below(2));
        let qos = if self.random.chance(50) {
            QoS::AtLeastOnce
        } else {
            QoS::ExactlyOnce
        };
        Row {
            topic,
            qos,
            deadline_ms: None,
            resend: false,
            stage: RowStage::Unsent,
        }
    }

    fn publish(&mut self) {
        let mut row = self.row("out");
        if self.random.chance(8) {
            row.deadline_ms = Some(self.now_ms + self.random.between(50, 4_000));
        }
        row.resend = self.random.chance(10);
        let sequence = self.peers[HERO].publish(row);
        self.tell(|| format!("hero publishes {sequence}"));
    }

    fn cancel(&mut self) {
        let unsent: Vec<Sequence> = self.peers[HERO].store.rows.keys().copied().collect();
        if unsent.is_empty() {
            return;
        }
        let sequence = *self.random.pick(&unsent);
        self.tell(|| format!("hero cancels {sequence}"));
        self.peers[HERO].cancel(sequence);
    }

    /// The connection breaks; the hero notices at once or late.
    fn cut(&mut self) {
        let Some(id) = self.peers[HERO].connection() else {
            return;
        };
        self.seen.cuts += 1;
        self.tell(|| format!("cut {id}"));
        self.sever(id);
        self.node.hang_up(id);
        self.links.remove(&id);
        let late_ms = self.random.between(1, 4_000);
        let after_ms = if self.random.chance(60) { 0 } else { late_ms };
        self.put(after_ms, Event::Notice(HERO, id));
    }

    /// Nothing gets through any more, and nobody is told.
    fn stall(&mut self) {
        if let Some(id) = self.peers[HERO].connection() {
            self.tell(|| format!("stall {id}"));
            self.sever(id);
        }
    }

    fn sever(&mut self, id: ConnectionId) {
        if let Some(link) = self.links.get_mut(&id) {
            let piece = link.to_broker.cut(&mut self.random);
            link.to_peer.cut(&mut self.random);
            self.node.receive(id, &piece);
        }
    }

    fn crash_hero(&mut self) {
        if self.peers[HERO].life.is_none() {
            return;
        }
        self.seen.crashes += 1;
        self.tell(|| "hero crashes".to_owned());
        if let Some(id) = self.peers[HERO].connection() {
            self.sever(id);
            if self.random.chance(80) {
                self.node.hang_up(id);
            }
            self.links.remove(&id);
        }
        let Self { peers, random, .. } = self;
        peers[HERO].crash(random);
        if std::mem::take(&mut self.peers[HERO].wire.is_unwitnessed) {
            self.forgive();
        }
        let long_ms = if self.random.chance(30) { 9_000 } else { 500 };
        let after_ms = self.random.between(0, long_ms);
        self.put(after_ms, Event::Start(HERO));
    }

    /// The server began a new session, and the hero was cut off before it heard of it, or died before it could store
    /// that: MQTT gives it no means to find out. What was under way at QoS 2 may come twice, what comes may be taken for a repetition.
    fn forgive(&mut self) {
        self.seen.unwitnessed += 1;
        self.tell(|| "there is a new session, and the hero cannot know".to_owned());
        let store = &self.peers[HERO].store;
        let under_way = store
            .rows
            .iter()
            .filter(|(_, row)| row.stage != RowStage::Unsent);
        self.excused
            .extend(under_way.map(|(sequence, _)| *sequence));
        if !store.inbound.is_empty() {
            self.excused_before = Sequence::MAX;
        }
    }

    /// The page is closed in order.
    fn quit(&mut self) {
        let ends_session = self.random.chance(20);
        let Some(client) = self.peers[HERO].life() else {
            return;
        };
        if ends_session {
            client.close_and_end_session();
        } else {
            client.close();
        }
        let after_ms = self.random.between(0, 6_000);
        self.put(after_ms, Event::Start(HERO));
    }

    /// The browser throws the store away while nobody looks.
    fn evict(&mut self) {
        self.crash_hero();
        let hero = &mut self.peers[HERO];
        if hero.life.is_some() {
            return;
        }
        self.lost.extend(hero.store.rows.keys());
        let inbox = std::mem::take(&mut hero.store.inbox);
        let outcomes = std::mem::take(&mut hero.store.outcomes);
        hero.store = Store {
            inbox,
            outcomes,
            ..Store::default()
        };
        self.tell(|| "the store is thrown away".to_owned());
    }

    fn crash_broker(&mut self) {
        self.seen.broker_crashes += 1;
        self.tell(|| "the broker crashes".to_owned());
        self.node.crash(&mut self.random);
        self.node.set_full(self.is_full);
        self.links.clear();
        for at in 0..self.peers.len() {
            if let Some(id) = self.peers[at].connection() {
                let after_ms = self.random.between(0, 50);
                self.put(after_ms, Event::Notice(at, id));
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
        if link.peer_is_gone && link.to_broker.is_empty() {
            self.node.hang_up(id);
            self.links.remove(&id);
        }
        self.schedule(id);
    }

    fn carry_to_peer(&mut self, id: ConnectionId) -> Result<(), String> {
        let Some(link) = self.links.get_mut(&id) else {
            return Ok(());
        };
        let piece = link.to_peer.take_piece(&mut self.random);
        link.to_peer.is_scheduled = false;
        let at = link.peer;
        let is_over = link.broker_is_gone && link.to_peer.is_empty();
        if self.peers[at].connection() == Some(id) {
            self.carry(at, &piece)?;
            if is_over {
                self.peers[at].closed(self.now_ms);
            } else if at == HERO && !self.is_calm && self.random.below(150) == 0 {
                // The worst moment: somebody has just been told.
                if self.random.chance(70) {
                    self.crash_hero();
                } else {
                    self.crash_broker();
                }
            }
        }
        if is_over {
            self.links.remove(&id);
        }
        self.schedule(id);
        Ok(())
    }

    fn carry(&mut self, at: usize, piece: &BytesMut) -> Result<(), String> {
        let was_subscribed = self.peers[at].is_subscribed;
        self.peers[at].receive(self.now_ms, piece)?;
        if let Some(is_present) = self.peers[at].session_present.take()
            && at == HERO
        {
            let session = self.node.session("hero");
            if is_present && session != self.session {
                self.forgive();
                self.peers[at].is_subscribed = false;
            }
            self.session = session;
        }
        if at == HERO && !was_subscribed && self.peers[at].is_subscribed {
            // What the feeder has not stored yet comes for sure.
            self.excused_before = self.excused_before.max(self.peers[FEEDER].next);
        }
        Ok(())
    }

    /// Lets everybody do what there is to do, until nobody has anything.
    fn settle(&mut self) -> Result<(), String> {
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

    fn excuse_order(&mut self) {
        if self.node.refuses() {
            self.peers[HERO].wire.excuse_order();
            self.peers[FEEDER].wire.excuse_order();
        }
    }

    fn grant(&mut self, at: usize, wish: Wish) {
        match wish {
            Wish::Open => {
                let id = self.next_connection;
                self.next_connection += 1;
                self.node.open(id);
                let link = Link {
                    peer: at,
                    to_broker: Pipe::default(),
                    to_peer: Pipe::default(),
                    peer_is_gone: false,
                    broker_is_gone: false,
                };
                self.links.insert(id, link);
                self.tell(|| format!("{at} opens {id}"));
                self.peers[at].opened(self.now_ms, id);
                // CONNECT leaves with the next turn.
                self.put(0, Event::ToBroker(id));
            }
            Wish::Close => {
                let open = |link: &Link| link.peer == at && !link.peer_is_gone;
                let ids: Vec<ConnectionId> = self
                    .links
                    .iter()
                    .filter(|(_, link)| open(link))
                    .map(|(id, _)| *id)
                    .collect();
                for id in ids {
                    if let Some(link) = self.links.get_mut(&id) {
                        link.peer_is_gone = true;
                    }
                    self.put(0, Event::ToBroker(id));
                }
            }
            Wish::Send(bytes) => {
                let newest = self
                    .links
                    .iter_mut()
                    .rev()
                    .find(|(_, link)| link.peer == at);
                if let Some((id, link)) = newest {
                    link.to_broker.push(&bytes);
                    let id = *id;
                    self.schedule(id);
                }
            }
        }
    }

    fn schedule(&mut self, id: ConnectionId) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let is_slow = link.peer == HERO && !self.is_calm;
        let mut events = Vec::new();
        for (pipe, event) in [
            (&mut link.to_broker, Event::ToBroker(id)),
            (&mut link.to_peer, Event::ToPeer(id)),
        ] {
            if !pipe.is_scheduled && !pipe.is_empty() {
                pipe.is_scheduled = true;
                events.push(event);
            }
        }
        for event in events {
            let after_ms = if is_slow {
                delay_ms(&mut self.random)
            } else {
                0
            };
            self.put(after_ms, event);
        }
    }

    pub fn note(&mut self) {
        let hero = &self.peers[HERO];
        let count = |session| hero.sessions.iter().filter(|it| **it == session).count() as u64;
        self.seen.resumed = count(Session::Resumed);
        self.seen.gaps = count(Session::Gap);
        self.seen.evicted = count(Session::Evicted);
        self.seen.published = hero.next - 1;
        self.seen.received = hero.store.inbox.len() as u64;
        self.seen.cancelled = hero.cancelled.len() as u64;
        let outcomes = hero.store.outcomes.values().flatten();
        for outcome in outcomes {
            match outcome {
                Err(Error::Expired) => self.seen.expired += 1,
                Err(Error::OutcomeUnknown) => self.seen.unknown += 1,
                _ => {}
            }
        }
        let repeated = hero
            .wire
            .transmissions
            .values()
            .filter(|count| count.left > 1);
        self.seen.repeated = repeated.count() as u64;
        self.seen.refusals = hero.wire.refusals;
    }
}

impl Seen {
    pub fn add(&mut self, other: Self) {
        let sum = |mine: &mut u64, others: u64| *mine += others;
        sum(&mut self.published, other.published);
        sum(&mut self.received, other.received);
        sum(&mut self.crashes, other.crashes);
        sum(&mut self.broker_crashes, other.broker_crashes);
        sum(&mut self.cuts, other.cuts);
        sum(&mut self.refusals, other.refusals);
        sum(&mut self.resumed, other.resumed);
        sum(&mut self.gaps, other.gaps);
        sum(&mut self.evicted, other.evicted);
        sum(&mut self.cancelled, other.cancelled);
        sum(&mut self.expired, other.expired);
        sum(&mut self.unknown, other.unknown);
        sum(&mut self.repeated, other.repeated);
        sum(&mut self.held, other.held);
        sum(&mut self.unwitnessed, other.unwitnessed);
    }

    /// What must happen often enough.
    pub fn rare(&self) -> [(&'static str, u64); 12] {
        [
            ("crashes", self.crashes),
            ("broker crashes", self.broker_crashes),
            ("cuts", self.cuts),
            ("refusals", self.refusals),
            ("resumed", self.resumed),
            ("gaps", self.gaps),
            ("evicted", self.evicted),
            ("cancelled", self.cancelled),
            ("expired", self.expired),
            ("unknown", self.unknown),
            ("repeated", self.repeated),
            ("held", self.held),
        ]
    }
}
