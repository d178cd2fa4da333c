//! A persistent session that makes and removes subscriptions all the time; after each start of the broker it first sends a
//! message to each of its topics, to see which subscriptions are there.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use ebbtide_protocol::{
    Packet, PacketId, QoS, ReasonCode, Version,
    packet::{Ack, Publish, Unsubscribe},
};

use super::subscriber::{subscribe, topic_filter};
use crate::ledger::{
    book::{Client, Event},
    link::{ANSWER_DEADLINE, Gone, Link},
    random::Random,
    world::{Hello, Overdue, Phase, World, topic_name},
};

const FILTERS: u64 = 6;
/// The last probe comes after all others. If even its subscription is lost, there is nothing to wait for but time.
const PROBE_DEADLINE: Duration = Duration::from_secs(5);
const PROBE_WITHOUT_LAST: Duration = Duration::from_millis(400);

/// Whoever makes and removes subscriptions.
pub struct Collector {
    client: Client,
    version: Version,
    random: Random,
    /// Tells the probes of one round from those of another.
    round: u32,
}

impl Collector {
    /// Nothing subscribed to yet.
    pub fn new(client: Client, version: Version, random: Random) -> Self {
        Self {
            client,
            version,
            random,
            round: 0,
        }
    }

    /// Until the work is over and all subscriptions were tried once more.
    pub fn run(mut self, world: &World) -> Result<(), Overdue> {
        let hello = Hello::kept(self.client, self.version);
        let mut probed_at = 0;
        let mut has_last = false;
        while world.phase() == Phase::Begin {
            world.pause(Duration::from_millis(1))?;
        }
        loop {
            let restarts = world.restarts();
            let (mut link, session_present) = world.connect(&hello)?;
            let era = link.era();
            if world.restarts() != restarts {
                continue;
            }
            let is_first = restarts > probed_at;
            let outcome = self.visit(world, &mut link, is_first, &mut has_last, session_present);
            if is_first && outcome.1 {
                probed_at = restarts;
            }
            match outcome.0 {
                Ok(()) => {
                    world.leave(self.client, link, true);
                    return Ok(());
                }
                Err(gone) => world.lost(self.client, era, &gone),
            }
        }
    }

    /// What became of it, and whether the probes were entered.
    fn visit(
        &mut self,
        world: &World,
        link: &mut Link,
        probes: bool,
        has_last: &mut bool,
        session_present: bool,
    ) -> (Result<(), Gone>, bool) {
        let mut probed = false;
        let mut work = || {
            *has_last &= session_present;
            if probes {
                self.probe(world, link, *has_last)?;
                probed = true;
            }
            if !*has_last {
                self.subscribe(world, link, &[self.topic(world, "last")])?;
                *has_last = true;
            }
            while world.phase() == Phase::Work {
                self.change(world, link)?;
                let pause = self.random.ms(1, 60);
                if let Some(packet) = link.receive(pause)? {
                    answer(link, &packet)?;
                }
            }
            self.probe(world, link, true)
        };
        (work(), probed)
    }

    fn change(&mut self, world: &World, link: &mut Link) -> Result<(), Gone> {
        let first = self.random.below(FILTERS);
        let mut filters = vec![self.topic(world, &first.to_string())];
        if self.random.chance(30) {
            let second = (first + 1) % FILTERS;
            filters.push(self.topic(world, &second.to_string()));
        }
        match self.random.chance(50) {
            true => self.subscribe(world, link, &filters),
            false => self.unsubscribe(world, link, &filters),
        }
    }

    fn subscribe(&self, world: &World, link: &mut Link, filters: &[Arc<str>]) -> Result<(), Gone> {
        let client = self.client;
        for filter in filters.iter().cloned() {
            world.book.enter(Event::Subscribing { client, filter });
        }
        link.send(&subscribe(filters, QoS::AtLeastOnce))?;
        let is_answer = |packet: &Packet| matches!(packet, Packet::SubAck(_));
        wait_for(link, is_answer, "SUBACK")?;
        for filter in filters.iter().cloned() {
            world.book.enter(Event::Subscribed { client, filter });
        }
        Ok(())
    }

    fn unsubscribe(
        &self,
        world: &World,
        link: &mut Link,
        filters: &[Arc<str>],
    ) -> Result<(), Gone> {
        let client = self.client;
        for filter in filters.iter().cloned() {
            world.book.enter(Event::Unsubscribing { client, filter });
        }
        link.send(&Packet::Unsubscribe(Unsubscribe {
            packet_id: PacketId::MAX,
            user_properties: Vec::new(),
            filters: filters.iter().map(|filter| topic_filter(filter)).collect(),
        }))?;
        let is_answer = |packet: &Packet| matches!(packet, Packet::UnsubAck(_));
        wait_for(link, is_answer, "UNSUBACK")?;
        for filter in filters.iter().cloned() {
            world.book.enter(Event::Unsubscribed { client, filter });
        }
        Ok(())
    }

    /// Sends a message to each topic, at last to the one that is always subscribed to, and enters which came back.
    fn probe(&mut self, world: &World, link: &mut Link, has_last: bool) -> Result<(), Gone> {
        self.round += 1;
        let payload = format!("probe {}", self.round);
        let names: Vec<String> = (0..FILTERS).map(|which| which.to_string()).collect();
        for (packet_id, name) in (1..).zip(names.iter().map(String::as_str).chain(["last"])) {
            link.send(&Packet::Publish(Box::new(Publish {
                dup: false,
                qos: QoS::AtLeastOnce,
                retain: false,
                topic: Some(topic_name(&self.topic(world, name))),
                packet_id: PacketId::new(packet_id),
                topic_alias: None,
                subscription_identifiers: Vec::new(),
                properties: Default::default(),
                payload: payload.clone().into(),
            })))?;
        }
        let mut arrived = BTreeSet::new();
        let mut unacknowledged = names.len() + 1;
        let last = self.topic(world, "last");
        let limit = match has_last {
            true => PROBE_DEADLINE,
            false => PROBE_WITHOUT_LAST,
        };
        let deadline = Instant::now() + limit;
        while unacknowledged > 0 || !arrived.contains(&*last) {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(packet) = link.receive(left)? else {
                break;
            };
            answer(link, &packet)?;
            match packet {
                Packet::PubAck(_) => unacknowledged -= 1,
                Packet::Publish(publish) if *publish.payload == *payload.as_bytes() => {
                    arrived.extend(publish.topic.map(|topic| topic.as_str().to_owned()));
                }
                _ => {}
            }
        }
        if unacknowledged > 0 {
            return Err(Gone::Silent("PUBACK"));
        }
        let last_or_none = has_last.then_some("last");
        for name in names.iter().map(String::as_str).chain(last_or_none) {
            let filter = self.topic(world, name);
            world.book.enter(Event::Probed {
                client: self.client,
                arrived: arrived.contains(&*filter),
                filter,
            });
        }
        Ok(())
    }

    fn topic(&self, world: &World, name: &str) -> Arc<str> {
        world.topic(&format!("collected/{}/{name}", self.client.0))
    }
}

fn wait_for(
    link: &mut Link,
    is_answer: impl Fn(&Packet) -> bool,
    name: &'static str,
) -> Result<(), Gone> {
    loop {
        let packet = link.receive(ANSWER_DEADLINE)?.ok_or(Gone::Silent(name))?;
        if is_answer(&packet) {
            return match &packet {
                Packet::SubAck(suback) if suback.reasons.iter().any(|reason| reason.is_error()) => {
                    Err(Gone::Violation(format!("{suback:?}")))
                }
                _ => Ok(()),
            };
        }
        answer(link, &packet)?;
    }
}

fn answer(link: &mut Link, packet: &Packet) -> Result<(), Gone> {
    match packet {
        Packet::Publish(publish) => match publish.packet_id {
            Some(packet_id) => link.send(&Packet::PubAck(Ack::new(packet_id, ReasonCode::Success))),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}
