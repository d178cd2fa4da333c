//! Clients that lose their connections and a broker that crashes, at random by a seed: nothing acknowledged is lost,
//! QoS 2 arrives exactly once, everything comes in order, and retained values never go back.
//!
//! `EBBTIDE_SEED=17 cargo test -p ebbtide-broker --test simulation` replays one seed; `EBBTIDE_SEEDS=100000` runs more.

mod world;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ebbtide_protocol::{
    Packet, PacketId, QoS, ReasonCode,
    packet::{Ack, Connect, Publish, SubscriptionOptions},
};
use world::*;

const PUBLISHERS: usize = 2;
const SUBSCRIBERS: usize = 3;
const STEPS: usize = 250;

/// SplitMix64: the same seed gives the same run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("below a usize")
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

#[derive(Clone, Debug)]
struct Sent {
    packet: Publish,
    /// PUBREC has come: only PUBREL is sent from now on.
    released: bool,
}

/// A publisher with a store of its own: it repeats until it is told to stop.
struct Publisher {
    name: String,
    line: Option<Client>,
    /// CONNACK has come, and what was pending has been repeated.
    is_ready: bool,
    pending: VecDeque<Sent>,
    next_id: u16,
    count: u32,
}

/// A subscriber that keeps what it must for QoS 2.
struct Subscriber {
    name: String,
    qos: QoS,
    line: Option<Client>,
    is_known: bool,
    is_subscribed: bool,
    held: BTreeSet<PacketId>,
    unanswered: VecDeque<Packet>,
    /// Payloads of events, in the order of arrival.
    events: Vec<String>,
    /// The last value of each retained topic.
    values: BTreeMap<String, u32>,
}

struct Simulation {
    seed: u64,
    random: Random,
    world: World,
    publishers: Vec<Publisher>,
    subscribers: Vec<Subscriber>,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let publishers = (0..PUBLISHERS).map(|n| Publisher {
            name: format!("p{n}"),
            line: None,
            is_ready: false,
            pending: VecDeque::new(),
            next_id: 1,
            count: 0,
        });
        let subscribers = (0..SUBSCRIBERS).map(|n| Subscriber {
            name: format!("s{n}"),
            qos: [QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::ExactlyOnce][n],
            line: None,
            is_known: false,
            is_subscribed: false,
            held: BTreeSet::new(),
            unanswered: VecDeque::new(),
            events: Vec::new(),
            values: BTreeMap::new(),
        });
        Self {
            seed,
            random: Random(seed),
            world: World::new(),
            publishers: publishers.collect(),
            subscribers: subscribers.collect(),
        }
    }

    fn run(mut self) {
        // Everybody has subscribed before the first message: then everybody is to get all of them.
        for at in 0..SUBSCRIBERS {
            self.connect_subscriber(at);
        }
        for _ in 0..2 {
            self.world.commit();
            self.pump();
        }
        for _ in 0..STEPS {
            self.step();
            self.pump_some();
        }
        self.come_to_rest();
        self.check();
    }

    fn step(&mut self) {
        match self.random.below(100) {
            0..40 => {
                let at = self.random.below(PUBLISHERS);
                self.publish(at);
            }
            40..60 => self.world.commit(),
            60..75 => {
                let at = self.random.below(SUBSCRIBERS);
                let count = self.random.below(4);
                self.answer(at, count);
            }
            75..81 => {
                let at = self.random.below(PUBLISHERS);
                if let Some(line) = self.publishers[at].line.take() {
                    self.world.cut(line);
                }
            }
            81..87 => {
                let at = self.random.below(SUBSCRIBERS);
                self.drop_line(at);
            }
            87..91 => {
                let at = self.random.below(PUBLISHERS);
                self.connect_publisher(at);
            }
            91..97 => {
                // Sometimes over a connection that is still there: a takeover.
                let at = self.random.below(SUBSCRIBERS);
                self.connect_subscriber(at);
            }
            97 => self.crash(),
            _ => self.world.pass_ms(10),
        }
    }

    fn crash(&mut self) {
        self.world.crash();
        for publisher in &mut self.publishers {
            publisher.line = None;
        }
        for subscriber in &mut self.subscribers {
            subscriber.line = None;
            subscriber.unanswered.clear();
        }
    }

    fn publish(&mut self, at: usize) {
        if self.publishers[at].line.is_none() {
            self.connect_publisher(at);
        }
        let publisher = &mut self.publishers[at];
        publisher.count += 1;
        let qos = if self.random.chance(50) {
            QoS::AtLeastOnce
        } else {
            QoS::ExactlyOnce
        };
        let is_retained = self.random.chance(30);
        let topic = if is_retained {
            format!("state/{at}")
        } else {
            format!("event/{at}")
        };
        let payload = format!("{}:{}:{}", publisher.name, qos as u8, publisher.count);
        let mut packet = publish(publisher.next_id, &topic, &payload, qos);
        publisher.next_id += 1;
        packet.retain = is_retained;
        publisher.pending.push_back(Sent {
            packet: packet.clone(),
            released: false,
        });
        if let Some(line) = publisher.line.filter(|_| publisher.is_ready) {
            self.world.send(line, Packet::Publish(Box::new(packet)));
        }
    }

    fn connect_publisher(&mut self, at: usize) {
        let line = self.world.open();
        self.publishers[at].line = Some(line);
        self.publishers[at].is_ready = false;
        let connect = kept(&self.publishers[at].name);
        self.world.send(line, Packet::Connect(Box::new(connect)));
    }

    fn connect_subscriber(&mut self, at: usize) {
        self.drop_line(at);
        let line = self.world.open();
        self.subscribers[at].line = Some(line);
        let receive_maximum = Some(packet_id(
            1 + u16::try_from(self.random.below(8)).expect("small"),
        ));
        let connect = Connect {
            receive_maximum,
            ..kept(&self.subscribers[at].name)
        };
        self.world.send(line, Packet::Connect(Box::new(connect)));
    }

    /// Cuts the line now or leaves the broker to find out.
    fn drop_line(&mut self, at: usize) {
        let subscriber = &mut self.subscribers[at];
        subscriber.unanswered.clear();
        if let Some(line) = subscriber.line.take()
            && self.random.chance(50)
        {
            self.world.cut(line);
        }
    }

    /// Some read what has come; the rest is still on its way, and lost with its line.
    fn pump_some(&mut self) {
        for at in 0..PUBLISHERS {
            if self.random.chance(60) {
                self.pump_publisher(at);
            }
        }
        for at in 0..SUBSCRIBERS {
            if self.random.chance(60) {
                self.pump_subscriber(at);
            }
        }
    }

    /// Everybody reads what has come.
    fn pump(&mut self) {
        for at in 0..PUBLISHERS {
            self.pump_publisher(at);
        }
        for at in 0..SUBSCRIBERS {
            self.pump_subscriber(at);
        }
    }

    fn pump_publisher(&mut self, at: usize) {
        let Some(line) = self.publishers[at].line else {
            return;
        };
        for packet in self.world.received(line) {
            let publisher = &mut self.publishers[at];
            publisher.is_ready = true;
            let pending = &mut publisher.pending;
            match packet {
                Packet::ConnAck(_) => {
                    // The client repeats all of it, in order [MQTT-4.4.0-1].
                    let repeated: Vec<Packet> = pending.iter().map(repetition).collect();
                    for packet in repeated {
                        self.world.send(line, packet);
                    }
                }
                Packet::PubAck(ack) => {
                    pending.retain(|sent| sent.packet.packet_id != Some(ack.packet_id));
                }
                Packet::PubRec(ack) => {
                    for sent in pending
                        .iter_mut()
                        .filter(|sent| sent.packet.packet_id == Some(ack.packet_id))
                    {
                        sent.released = true;
                    }
                    self.world.send(
                        line,
                        Packet::PubRel(Ack::new(ack.packet_id, ReasonCode::Success)),
                    );
                }
                Packet::PubComp(ack) => {
                    pending.retain(|sent| sent.packet.packet_id != Some(ack.packet_id));
                }
                other => panic!("seed {}: a publisher got {other:?}", self.seed),
            }
        }
    }

    fn pump_subscriber(&mut self, at: usize) {
        let Some(line) = self.subscribers[at].line else {
            return;
        };
        for packet in self.world.received(line) {
            let subscriber = &mut self.subscribers[at];
            match packet {
                Packet::ConnAck(connack) => {
                    assert!(
                        connack.session_present || !subscriber.is_known,
                        "seed {}: the session of {} is gone",
                        self.seed,
                        subscriber.name
                    );
                    subscriber.is_known = true;
                    if !subscriber.is_subscribed {
                        let options = SubscriptionOptions {
                            qos: subscriber.qos,
                            ..Default::default()
                        };
                        self.world.send(line, subscribe(1, "#", options));
                    }
                }
                Packet::SubAck(_) => subscriber.is_subscribed = true,
                Packet::Publish(message) => self.take(at, *message),
                Packet::PubRel(ack) => {
                    subscriber.held.remove(&ack.packet_id);
                    subscriber.unanswered.push_back(Packet::PubComp(Ack::new(
                        ack.packet_id,
                        ReasonCode::Success,
                    )));
                }
                Packet::Disconnect(_) => {}
                other => panic!("seed {}: a subscriber got {other:?}", self.seed),
            }
        }
    }

    fn take(&mut self, at: usize, message: Publish) {
        let seed = self.seed;
        let subscriber = &mut self.subscribers[at];
        let id = message.packet_id.expect("only QoS 1 and 2 are published");
        let is_repeated = message.qos == QoS::ExactlyOnce && !subscriber.held.insert(id);
        let ack = Ack::new(id, ReasonCode::Success);
        subscriber.unanswered.push_back(match message.qos {
            QoS::ExactlyOnce => Packet::PubRec(ack),
            _ => Packet::PubAck(ack),
        });
        if is_repeated {
            return;
        }
        let payload = text(&message);
        let topic = message.topic.expect("no aliases are used");
        // What is published and delivered at QoS 2 comes once, so its values may only go forward; a snapshot may show
        // again what has come live.
        if topic.as_str().starts_with("state/") && message.qos == QoS::ExactlyOnce {
            let number = number_of(&payload);
            let last = subscriber
                .values
                .entry(topic.as_str().to_owned())
                .or_default();
            assert!(
                number > *last || (message.retain && number == *last),
                "seed {seed}: {topic:?} went back from {last} to {number}"
            );
            *last = number;
        }
        if message.retain {
            return;
        }
        subscriber.events.push(payload);
    }

    /// Sends some of the acknowledgements that are due, in order.
    fn answer(&mut self, at: usize, count: usize) {
        let subscriber = &mut self.subscribers[at];
        let Some(line) = subscriber.line else { return };
        let count = count.min(subscriber.unanswered.len());
        let packets: Vec<Packet> = subscriber.unanswered.drain(..count).collect();
        for packet in packets {
            self.world.send(line, packet);
        }
    }

    /// All return and finish what is under way.
    fn come_to_rest(&mut self) {
        for at in 0..PUBLISHERS {
            self.connect_publisher(at);
        }
        for at in 0..SUBSCRIBERS {
            self.connect_subscriber(at);
        }
        for _ in 0..2_000 {
            self.world.commit();
            self.pump();
            for at in 0..SUBSCRIBERS {
                self.answer(at, usize::MAX);
            }
            let is_done = self
                .publishers
                .iter()
                .all(|publisher| publisher.pending.is_empty())
                && self
                    .subscribers
                    .iter()
                    .all(|subscriber| subscriber.unanswered.is_empty())
                && self.world.broker.stats().waiting == 0;
            if is_done {
                return;
            }
        }
        let pending: usize = self
            .publishers
            .iter()
            .map(|publisher| publisher.pending.len())
            .sum();
        let waiting = self.world.broker.stats().waiting;
        panic!(
            "seed {}: it never ends: {pending} unacknowledged, {waiting} waiting",
            self.seed
        );
    }

    fn check(&self) {
        let seed = self.seed;
        for subscriber in &self.subscribers {
            for publisher in &self.publishers {
                let prefix = format!("{}:", publisher.name);
                let mut firsts = Vec::new();
                let mut seen = BTreeMap::new();
                for payload in subscriber
                    .events
                    .iter()
                    .filter(|payload| payload.starts_with(&prefix))
                {
                    let times = seen.entry(payload.clone()).or_insert(0);
                    *times += 1;
                    if *times == 1 {
                        firsts.push(number_of(payload));
                    }
                }
                let name = &subscriber.name;
                let missing: Vec<u32> = (1..=publisher.count)
                    .filter(|number| !firsts.contains(number))
                    .collect();
                assert!(
                    missing.is_empty(),
                    "seed {seed}: {name} never got {missing:?} of {prefix}"
                );
                for (payload, times) in seen {
                    let is_exact = subscriber.qos == QoS::ExactlyOnce && payload.contains(":2:");
                    assert!(
                        times == 1 || !is_exact,
                        "seed {seed}: {name} got {payload} {times} times"
                    );
                }
                // One publisher, one order: across its topics, too.
                assert!(
                    firsts.is_sorted(),
                    "seed {seed}: {name} got {prefix} in the order {firsts:?}"
                );
            }
        }
    }
}

fn repetition(sent: &Sent) -> Packet {
    match sent.packet.packet_id {
        Some(id) if sent.released => Packet::PubRel(Ack::new(id, ReasonCode::Success)),
        _ => Packet::Publish(Box::new(Publish {
            dup: true,
            ..sent.packet.clone()
        })),
    }
}

fn number_of(payload: &str) -> u32 {
    payload
        .rsplit(':')
        .next()
        .and_then(|number| number.parse().ok())
        .expect("payloads end with a number")
}

fn environment(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .and_then(|value| value.parse().ok())
}

#[test]
fn promises_hold_for_every_seed() {
    if let Some(seed) = environment("EBBTIDE_SEED") {
        return Simulation::new(seed).run();
    }
    for seed in 0..environment("EBBTIDE_SEEDS").unwrap_or(300) {
        Simulation::new(seed).run();
    }
}
