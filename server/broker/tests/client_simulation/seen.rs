//! What happened in the runs, so that a simulation in which nothing does is found out.

use ebbtide_protocol::client::{Error, Session};

use super::world::{HERO, World};

/// What happened, so that a simulation in which nothing does is found out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub published: u64,
    pub received: u64,
    pub crashes: u64,
    pub broker_crashes: u64,
    pub cuts: u64,
    refusals: u64,
    resumed: u64,
    gaps: u64,
    evicted: u64,
    cancelled: u64,
    expired: u64,
    unknown: u64,
    repeated: u64,
    pub held: u64,
    pub unwitnessed: u64,
    /// The same, and the name of the session tells of it.
    pub named: u64,
    /// Publishes that may have come twice for that.
    pub excused: u64,
}

impl World {
    pub fn note(&mut self) {
        let hero = &self.peers[HERO];
        let count = |session| hero.sessions.iter().filter(|it| **it == session).count() as u64;
        self.seen.resumed = count(Session::Resumed);
        self.seen.gaps = count(Session::Gap);
        self.seen.evicted = count(Session::Evicted);
        self.seen.excused = self.excused.len() as u64;
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
        sum(&mut self.named, other.named);
        sum(&mut self.excused, other.excused);
    }

    /// What must happen often enough.
    pub fn rare(&self) -> [(&'static str, u64); 14] {
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
            ("unwitnessed", self.unwitnessed),
            ("named", self.named),
        ]
    }
}
