//! A persistent session with subscriptions that it keeps: always online, coming and going, or away until the end.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ebbtide_protocol::{
    Packet, PacketId, QoS, TopicFilter, Version,
    packet::{Subscribe, Subscription, SubscriptionOptions},
};

use crate::ledger::{
    book::{Client, Event},
    incoming::Incoming,
    link::{ANSWER_DEADLINE, Gone, Link},
    random::Random,
    world::{Hello, Overdue, Phase, World},
};

/// Between two PINGREQ: what was answered before one has been read by the broker.
const PING_EVERY: Duration = Duration::from_millis(50);
/// What was to come after the last message would have come by then.
const QUIET: Duration = Duration::from_millis(300);
/// Whoever gets nothing for so long gets nothing any more.
const SILENCE: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_millis(10);

/// How much a subscriber is there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// All the time that the broker is.
    Steady,
    /// For moments.
    Restless,
    /// Only at the end.
    Away,
}

/// A subscriber.
pub struct Subscriber {
    /// Who it is.
    pub client: Client,
    /// Which dialect.
    pub version: Version,
    /// How much it is there.
    pub presence: Presence,
    /// What it subscribes to.
    pub filters: Vec<Arc<str>>,
    /// At which QoS.
    pub qos: QoS,
    /// How many messages it takes unacknowledged.
    pub receive_maximum: u16,
    /// The topic of the last message of all.
    pub end: Arc<str>,
    /// Its choices.
    pub random: Random,
}

/// Why a visit ended.
enum End {
    /// It wants to go.
    Away,
    /// It has got the last message.
    Drained,
}

impl Subscriber {
    /// Until it has got what waited for it.
    pub fn run(mut self, world: &World) -> Result<(), Overdue> {
        let mut hello = Hello::kept(self.client, self.version);
        hello.receive_maximum = self.receive_maximum;
        let mut incoming = Incoming::new(self.client);
        let mut is_subscribed = false;
        let mut has_begun = false;
        loop {
            let (mut link, session_present) = world.connect(&hello)?;
            let era = link.era();
            incoming.resume(session_present);
            is_subscribed &= session_present;
            let visit = self
                .subscribe(world, &mut link, &mut incoming, &mut is_subscribed)
                .and_then(|()| {
                    if !std::mem::replace(&mut has_begun, true) {
                        world.begun();
                    }
                    self.stay(world, &mut link, &mut incoming)
                });
            match visit {
                Ok(End::Drained) => {
                    world.leave(self.client, link, true);
                    return Ok(());
                }
                Ok(End::Away) => {
                    world.leave(self.client, link, self.random.chance(50));
                    self.be_away(world)?;
                }
                Err(gone) => world.lost(self.client, era, &gone),
            }
        }
    }

    fn subscribe(
        &mut self,
        world: &World,
        link: &mut Link,
        incoming: &mut Incoming,
        is_subscribed: &mut bool,
    ) -> Result<(), Gone> {
        if *is_subscribed {
            return Ok(());
        }
        let client = self.client;
        for filter in self.filters.iter().cloned() {
            world.book.enter(Event::Subscribing { client, filter });
        }
        link.send(&subscribe(&self.filters, self.qos))?;
        loop {
            let packet = link.receive(ANSWER_DEADLINE)?;
            match packet.ok_or(Gone::Silent("SUBACK"))? {
                Packet::SubAck(suback) => {
                    if suback.reasons.iter().any(|reason| reason.is_error()) {
                        return Err(Gone::Violation(format!("{suback:?}")));
                    }
                    break;
                }
                packet => incoming.take(world, link, packet)?,
            }
        }
        for filter in self.filters.iter().cloned() {
            world.book.enter(Event::Subscribed { client, filter });
        }
        *is_subscribed = true;
        Ok(())
    }

    fn stay(
        &mut self,
        world: &World,
        link: &mut Link,
        incoming: &mut Incoming,
    ) -> Result<End, Gone> {
        let until = Instant::now() + self.random.ms(20, 400);
        let (mut pinged, mut awaits_pong) = (Instant::now(), false);
        let (mut heard, mut is_draining, mut has_ended) = (Instant::now(), false, false);
        loop {
            let drains = world.phase() == Phase::Drain;
            if drains && !std::mem::replace(&mut is_draining, true) {
                heard = Instant::now();
            }
            let quiet = heard.elapsed();
            if has_ended && quiet > QUIET || drains && quiet > SILENCE {
                return Ok(End::Drained);
            }
            let is_over = match self.presence {
                Presence::Steady => false,
                Presence::Restless => Instant::now() > until,
                Presence::Away => true,
            };
            if is_over && !drains {
                return Ok(End::Away);
            }
            if !awaits_pong && pinged.elapsed() > PING_EVERY {
                world.ping(self.client, link)?;
                (pinged, awaits_pong) = (Instant::now(), true);
            }
            match link.receive(TICK)? {
                Some(Packet::PingResp) => {
                    let client = self.client;
                    world.book.enter(Event::Ponged { client });
                    awaits_pong = false;
                }
                Some(packet) => {
                    heard = Instant::now();
                    has_ended |= matches!(&packet, Packet::Publish(publish)
                        if publish.topic.as_ref().is_some_and(|topic| topic.as_str() == &*self.end));
                    incoming.take(world, link, packet)?;
                    // Often late: so that much is unacknowledged when the broker is killed.
                    if self.random.chance(60) {
                        continue;
                    }
                }
                None if awaits_pong && pinged.elapsed() > ANSWER_DEADLINE => {
                    return Err(Gone::Silent("PINGRESP"));
                }
                None => {}
            }
            incoming.acknowledge(world, link)?;
        }
    }

    fn be_away(&mut self, world: &World) -> Result<(), Overdue> {
        let mut left = self.random.ms(10, 500);
        while world.phase() < Phase::Drain && !left.is_zero() {
            world.pause(TICK.min(left))?;
            if self.presence == Presence::Restless {
                left = left.saturating_sub(TICK);
            }
        }
        Ok(())
    }
}

/// A SUBSCRIBE of some filters.
pub fn subscribe(filters: &[Arc<str>], qos: QoS) -> Packet {
    let options = SubscriptionOptions {
        qos,
        ..SubscriptionOptions::default()
    };
    Packet::Subscribe(Subscribe {
        packet_id: PacketId::MAX,
        subscription_identifier: None,
        user_properties: Vec::new(),
        subscriptions: filters
            .iter()
            .map(|filter| Subscription {
                filter: topic_filter(filter),
                options,
            })
            .collect(),
    })
}

/// A filter that the ledger made.
pub fn topic_filter(filter: &str) -> TopicFilter {
    TopicFilter::new(filter).expect("the ledger's filters are well-formed")
}
