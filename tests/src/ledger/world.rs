//! What all clients of a campaign share: the book, where the broker is, and how far the campaign has got.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use ebbtide_protocol::{Packet, QoS, TopicName, Version, packet::Connect, packet::Will};

use super::{
    book::{Book, Client, Event, Promise},
    link::{self, Gone, Link},
};

/// How often clients look whether the broker is back.
const PAUSE: Duration = Duration::from_millis(2);

/// How far the campaign has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// Subscribers make their subscriptions.
    Begin,
    /// Everybody does what they do, and the broker is killed.
    Work,
    /// Publishers finish what they have in flight, and what is kept is looked up for the last time.
    Finish,
    /// Subscribers fetch what waits for them.
    Drain,
}

const PHASES: [Phase; 4] = [Phase::Begin, Phase::Work, Phase::Finish, Phase::Drain];

/// The time that the whole campaign may take is over: something hangs.
#[derive(Debug)]
pub struct Overdue;

/// Shared by all threads of a campaign.
pub struct World {
    /// What happened.
    pub book: Book,
    /// Stands before all topics and client ids: another broker may keep those of earlier campaigns.
    pub run: String,
    address: SocketAddr,
    phase: AtomicU8,
    /// Odd while the broker is down.
    switches: AtomicU32,
    begun: AtomicU32,
    is_over: AtomicBool,
    deadline: Instant,
}

/// How a client introduces itself.
#[derive(Clone)]
pub struct Hello {
    /// Whose connection.
    pub client: Client,
    /// Which dialect.
    pub version: Version,
    /// Clean Start, Clean Session.
    pub clean_start: bool,
    /// Session Expiry Interval, for 5.0.
    pub expiry_s: u32,
    /// How many messages it takes unacknowledged, for 5.0.
    pub receive_maximum: u16,
    /// The will's topic, QoS and what it stands for.
    pub will: Option<(String, QoS, Promise)>,
}

impl Hello {
    /// A session that is kept for long.
    pub fn kept(client: Client, version: Version) -> Self {
        Self {
            client,
            version,
            clean_start: false,
            expiry_s: 7 * 24 * 3600,
            receive_maximum: u16::MAX,
            will: None,
        }
    }

    /// A session that ends with its connection.
    pub fn transient(client: Client, version: Version) -> Self {
        Self {
            clean_start: true,
            expiry_s: 0,
            ..Self::kept(client, version)
        }
    }

    fn packet(&self, client_id: &str) -> Connect {
        let mut connect = link::connect(self.version, client_id, self.clean_start, self.expiry_s);
        connect.receive_maximum = self.receive_maximum.try_into().ok();
        connect.will = self.will.as_ref().map(|(topic, qos, promise)| Will {
            topic: topic_name(topic),
            payload: promise.stamp.to_string().into(),
            qos: *qos,
            retain: false,
            delay_interval: u32::try_from(promise.delay.as_secs()).unwrap_or(u32::MAX),
            properties: Default::default(),
        });
        connect
    }
}

impl World {
    /// The broker is taken to be there. `limit` is for the whole campaign.
    pub fn new(address: SocketAddr, run: String, limit: Duration) -> Self {
        Self {
            book: Book::default(),
            run,
            address,
            phase: AtomicU8::new(Phase::Begin as u8),
            switches: AtomicU32::new(0),
            begun: AtomicU32::new(0),
            is_over: AtomicBool::new(false),
            deadline: Instant::now() + limit,
        }
    }

    /// A topic or filter of this campaign.
    pub fn topic(&self, rest: &str) -> Arc<str> {
        format!("{}/{rest}", self.run).into()
    }

    /// How far the campaign has got.
    pub fn phase(&self) -> Phase {
        PHASES[usize::from(self.phase.load(Ordering::Acquire))]
    }

    /// Begins the next part.
    pub fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
    }

    /// Whoever is still there comes to an end.
    pub fn give_up(&self) {
        self.is_over.store(true, Ordering::Release);
    }

    /// A subscriber has made its subscriptions.
    pub fn begun(&self) {
        self.begun.fetch_add(1, Ordering::AcqRel);
    }

    /// Waits until so many have.
    pub fn wait_for_beginners(&self, count: u32) -> Result<(), Overdue> {
        while self.begun.load(Ordering::Acquire) < count {
            self.pause(PAUSE)?;
        }
        Ok(())
    }

    /// How often the broker was started, the first time not counted.
    pub fn restarts(&self) -> u32 {
        self.switches.load(Ordering::Acquire) / 2
    }

    /// The broker is about to be killed: nobody dials until it is back.
    pub fn down(&self) {
        self.book.enter(Event::Kill);
        self.switches.fetch_add(1, Ordering::AcqRel);
    }

    /// The broker is back.
    pub fn up(&self) {
        self.book.enter(Event::Ready);
        self.switches.fetch_add(1, Ordering::AcqRel);
    }

    /// Sleeps, but not beyond the end of the campaign.
    pub fn pause(&self, time: Duration) -> Result<(), Overdue> {
        if self.is_over.load(Ordering::Acquire) || Instant::now() + time > self.deadline {
            return Err(Overdue);
        }
        thread::sleep(time);
        Ok(())
    }

    /// Connects, as often as it takes. Gives the connection and Session Present.
    pub fn connect(&self, hello: &Hello) -> Result<(Link, bool), Overdue> {
        loop {
            // Before the first attempt, too: a broker that takes connections only to close them is not asked for ever.
            self.pause(PAUSE)?;
            if let Some(connected) = self.try_connect(hello) {
                return Ok(connected);
            }
        }
    }

    /// Connects; `None`: the broker is not there, or was killed before CONNACK.
    pub fn try_connect(&self, hello: &Hello) -> Option<(Link, bool)> {
        let client = hello.client;
        let switches = self.switches.load(Ordering::Acquire);
        if !switches.is_multiple_of(2) {
            return None;
        }
        let stream = Link::dial(self.address)?;
        let connect = hello.packet(&format!("{}-{}", self.run, self.book.name(client)));
        self.book.enter(Event::Connecting {
            client,
            clean_start: hello.clean_start,
            keeps: connect.version.session_expiry_interval(&connect) > 0,
            will: hello.will.as_ref().map(|(_, _, promise)| *promise),
        });
        match Link::connect(stream, connect, switches) {
            Ok((link, connack)) => {
                self.book.enter(Event::Connected {
                    client,
                    session_present: connack.session_present,
                });
                Some((link, connack.session_present))
            }
            Err(gone) => {
                self.lost(client, switches, &gone);
                None
            }
        }
    }

    /// A connection of that era is lost. Enters why, unless the broker was killed: the kill is entered before it happens.
    pub fn lost(&self, client: Client, era: u32, gone: &Gone) {
        let was_killed = era != self.switches.load(Ordering::Acquire);
        if was_killed && matches!(gone, Gone::Closed | Gone::Silent(_)) {
            return;
        }
        self.book.enter(Event::Stuck {
            client,
            what: gone.to_string(),
        });
    }

    /// Ends a connection: with DISCONNECT, or as if the client were cut off.
    pub fn leave(&self, client: Client, link: Link, says_so: bool) {
        self.book.enter(Event::Leaving { client, says_so });
        if says_so && link.disconnect() {
            self.book.enter(Event::Left { client });
        }
    }

    /// PINGREQ.
    pub fn ping(&self, client: Client, link: &mut Link) -> Result<(), Gone> {
        self.book.enter(Event::Pinging { client });
        link.send(&Packet::PingReq)
    }
}

/// A topic that the ledger made.
pub(super) fn topic_name(topic: &str) -> TopicName {
    TopicName::new(topic).expect("the ledger's topics are well-formed")
}
