//! Publishers at full speed that know what was acknowledged, subscribers that come and go, and a session that is away and must
//! get everything.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use ebbtide_protocol::packet::{Ack, MessageProperties, Publish};
use ebbtide_protocol::{Packet, PacketId, QoS, ReasonCode, TopicName};
use ebbtide_tests::load::{Link, clean, kept};

pub const PUBLISHERS: usize = 3;
/// Retained topics of each publisher.
pub const TOPICS: usize = 20;
const WINDOW: usize = 32;
const GUESTS: usize = 5;
/// Generous: a debug build on a loaded machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// The traffic, until it is stopped.
pub struct Traffic {
    shared: Arc<Shared>,
    publishers: Vec<JoinHandle<Result<()>>>,
    guests: JoinHandle<Result<()>>,
}

struct Shared {
    /// How many of each publisher's messages are acknowledged: those with the lowest numbers.
    acknowledged: [AtomicUsize; PUBLISHERS],
    ended: AtomicBool,
    /// Guests end first: they wait for messages.
    guests_ended: AtomicBool,
    /// What a message carries behind its number.
    filler: String,
    retain: bool,
}

/// A new session that is kept subscribes and goes away.
pub fn leave_away(broker: SocketAddr) -> Result<()> {
    let mut connect = kept("away");
    connect.clean_start = true;
    let (mut link, _) = Link::connect(broker, connect)?;
    link.subscribe("load/#", QoS::AtLeastOnce)
}

impl Traffic {
    /// All of it retained, or nothing.
    pub fn start(broker: SocketAddr, filler_bytes: usize, retain: bool) -> Self {
        let shared = Arc::new(Shared {
            acknowledged: Default::default(),
            ended: AtomicBool::new(false),
            guests_ended: AtomicBool::new(false),
            filler: ".".repeat(filler_bytes),
            retain,
        });
        let publishers = (0..PUBLISHERS)
            .map(|publisher| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || shared.publish(broker, publisher))
            })
            .collect();
        let guests = Arc::clone(&shared);
        let guests = thread::spawn(move || guests.come_and_go(broker));
        Self {
            shared,
            publishers,
            guests,
        }
    }

    /// What is acknowledged now.
    pub fn acknowledged(&self) -> [usize; PUBLISHERS] {
        self.shared.acknowledged()
    }

    /// Waits until each publisher has had so many more acknowledged.
    pub fn wait_for_more(&self, count: usize) -> Result<()> {
        let before = self.acknowledged();
        let deadline = Instant::now() + DEADLINE;
        while self
            .acknowledged()
            .iter()
            .zip(before)
            .any(|(now, before)| *now < before + count)
        {
            ensure!(Instant::now() < deadline, "publishing stands still");
            let mut clients = self.publishers.iter().chain([&self.guests]);
            ensure!(
                clients.all(|client| !client.is_finished()),
                "a client has failed"
            );
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Stops; gives what was acknowledged in the end.
    pub fn stop(self) -> Result<[usize; PUBLISHERS]> {
        self.shared.guests_ended.store(true, Ordering::Release);
        let panicked = |_| anyhow::anyhow!("a client has panicked");
        self.guests.join().map_err(panicked)??;
        self.shared.ended.store(true, Ordering::Release);
        for publisher in self.publishers {
            publisher.join().map_err(panicked)??;
        }
        Ok(self.shared.acknowledged())
    }

    /// The broker is gone, and with it the connections. Gives what was acknowledged.
    pub fn lost(self) -> Result<[usize; PUBLISHERS]> {
        self.shared.guests_ended.store(true, Ordering::Release);
        self.shared.ended.store(true, Ordering::Release);
        for client in self.publishers.into_iter().chain([self.guests]) {
            // Whether it has noticed the end of its connection or of the traffic first does not matter.
            let _ = client
                .join()
                .map_err(|_| anyhow::anyhow!("a client has panicked"))?;
        }
        Ok(self.shared.acknowledged())
    }
}

impl Shared {
    fn acknowledged(&self) -> [usize; PUBLISHERS] {
        std::array::from_fn(|at| self.acknowledged[at].load(Ordering::Acquire))
    }

    fn publish(&self, broker: SocketAddr, publisher: usize) -> Result<()> {
        let (mut link, _) = Link::connect(broker, clean(&format!("publisher {publisher}")))?;
        let mut sent = 0;
        let acknowledged = &self.acknowledged[publisher];
        while !self.ended.load(Ordering::Acquire) {
            while sent - acknowledged.load(Ordering::Relaxed) < WINDOW {
                link.put(&self.message(publisher, sent)?);
                sent += 1;
            }
            link.flush()?;
            let mut packet = Some(link.packet()?);
            while let Some(answer) = packet {
                let Packet::PubAck(ack) = answer else {
                    bail!("no PUBACK: {answer:?}")
                };
                ensure!(!ack.reason.is_error(), "{ack:?}");
                let number = acknowledged.fetch_add(1, Ordering::Release);
                ensure!(ack.packet_id == packet_id(number)?, "PUBACK out of order");
                packet = link.buffered()?;
            }
        }
        Ok(())
    }

    fn message(&self, publisher: usize, number: usize) -> Result<Packet> {
        let topic = format!("load/{publisher}/{}", number % TOPICS);
        Ok(Packet::Publish(Box::new(Publish {
            dup: false,
            qos: QoS::AtLeastOnce,
            retain: self.retain,
            topic: Some(TopicName::new(topic)?),
            packet_id: Some(packet_id(number)?),
            topic_alias: None,
            subscription_identifiers: Vec::new(),
            properties: MessageProperties::default(),
            payload: format!("{number} {}", self.filler).into(),
        })))
    }

    /// Sessions that are kept, a few messages each, and away again without a word.
    fn come_and_go(&self, broker: SocketAddr) -> Result<()> {
        let ended = || self.guests_ended.load(Ordering::Acquire);
        for round in 0.. {
            if ended() {
                break;
            }
            let mut connect = kept(&format!("guest {}", round % GUESTS));
            connect.clean_start = round < GUESTS;
            let (mut link, _) = Link::connect(broker, connect)?;
            if round < GUESTS {
                link.subscribe(&format!("load/{}/#", round % PUBLISHERS), QoS::AtLeastOnce)?;
            }
            for _ in 0..50 {
                if ended() {
                    break;
                }
                if let Packet::Publish(publish) = link.packet()?
                    && let Some(id) = publish.packet_id
                {
                    link.put(&Packet::PubAck(Ack::new(id, ReasonCode::Success)));
                    link.flush()?;
                }
            }
        }
        Ok(())
    }
}

fn packet_id(number: usize) -> Result<PacketId> {
    let id = u16::try_from(number % usize::from(u16::MAX))? + 1;
    PacketId::new(id).context("not zero")
}

/// The session that was away comes back and must get each publisher's messages from the first on, in order, at least as many.
pub fn collect_away(broker: SocketAddr, at_least: [usize; PUBLISHERS]) -> Result<()> {
    let (mut link, is_present) = Link::connect(broker, kept("away"))?;
    ensure!(is_present, "the session is gone");
    let mut next = [0; PUBLISHERS];
    while next
        .iter()
        .zip(at_least)
        .any(|(next, at_least)| *next < at_least)
    {
        let (publisher, _, number) = value(&link.packet()?)?;
        ensure!(
            number == next[publisher],
            "publisher {publisher}: {number} instead of {}, of {at_least:?}",
            next[publisher]
        );
        next[publisher] += 1;
    }
    Ok(())
}

/// The retained messages are those that were acknowledged last, or later ones.
pub fn collect_retained(broker: SocketAddr, at_least: [usize; PUBLISHERS]) -> Result<()> {
    let (mut link, _) = Link::connect(broker, clean("looker"))?;
    link.subscribe("load/#", QoS::AtMostOnce)?;
    let mut found = BTreeMap::new();
    while found.len() < PUBLISHERS * TOPICS {
        let (publisher, topic, number) = value(&link.packet()?)?;
        found.insert((publisher, topic), number);
    }
    for (publisher, count) in at_least.into_iter().enumerate() {
        for number in count.saturating_sub(TOPICS)..count {
            let found = found.get(&(publisher, number % TOPICS)).copied();
            ensure!(found >= Some(number), "{found:?} is older than {number}");
        }
    }
    Ok(())
}

/// Publisher, topic and number of a message; what comes from the session is not acknowledged, so it stays.
fn value(packet: &Packet) -> Result<(usize, usize, usize)> {
    let Packet::Publish(publish) = packet else {
        bail!("no PUBLISH: {packet:?}")
    };
    let topic = publish.topic.as_ref().context("a topic")?;
    let mut levels = topic.as_str().split('/').skip(1);
    let mut level = || {
        levels
            .next()
            .context("a level")?
            .parse()
            .context("a number")
    };
    let (publisher, topic) = (level()?, level()?);
    let payload = std::str::from_utf8(&publish.payload)?;
    let number = payload.split(' ').next().context("a number")?.parse()?;
    Ok((publisher, topic, number))
}
