//! Connects with a will, stays a while, and says goodbye, is cut off, or is there when the broker is killed.

use std::time::{Duration, Instant};

use ebbtide_protocol::{Packet, QoS, Version};

use crate::ledger::{
    book::{Client, Event, Promise, Stamp},
    link::{ANSWER_DEADLINE, Gone, Link},
    random::Random,
    world::{Hello, Overdue, Phase, World},
};

/// Over before the campaign is, or long after it: then only a return in time keeps it from being published.
const DELAYS_S: [u64; 3] = [0, 1, 600];
const TICK: Duration = Duration::from_millis(20);

/// Whoever has a will.
pub struct Testator {
    /// Who it is.
    pub client: Client,
    /// Which dialect.
    pub version: Version,
    /// Whether its session outlives its connections; only then a will can wait.
    pub is_kept: bool,
    /// Its choices.
    pub random: Random,
}

impl Testator {
    /// Until the work is over; then it says goodbye.
    pub fn run(mut self, world: &World) -> Result<(), Overdue> {
        while world.phase() == Phase::Begin {
            world.pause(TICK)?;
        }
        let mut number = 0;
        loop {
            let is_last = world.phase() != Phase::Work;
            // A will of its own for each attempt: a CONNECT without CONNACK may leave one, too.
            let hello = self.hello(world, number);
            number += 1;
            let Some((mut link, _)) = world.try_connect(&hello) else {
                world.pause(TICK)?;
                continue;
            };
            let era = link.era();
            match self.stay(world, &mut link) {
                Ok(()) => {
                    let says_so = is_last || self.random.chance(50);
                    world.leave(self.client, link, says_so);
                }
                Err(gone) => world.lost(self.client, era, &gone),
            }
            if is_last {
                return Ok(());
            }
            let pause = self.random.ms(0, 700);
            world.pause(pause)?;
        }
    }

    fn hello(&mut self, world: &World, number: u32) -> Hello {
        let can_wait = self.is_kept && self.version == Version::V5;
        let delay_s = match can_wait {
            true => DELAYS_S[self.random.below(3) as usize],
            false => 0,
        };
        let qos = match self.random.chance(50) {
            true => QoS::AtLeastOnce,
            false => QoS::ExactlyOnce,
        };
        let promise = Promise {
            stamp: Stamp {
                client: self.client,
                number,
                serial: number,
            },
            delay: Duration::from_secs(delay_s),
        };
        let topic = world.topic(&format!("wills/{}", self.client.0));
        let hello = match self.is_kept {
            true => Hello::kept(self.client, self.version),
            false => Hello::transient(self.client, self.version),
        };
        Hello {
            will: Some((topic.to_string(), qos, promise)),
            ..hello
        }
    }

    fn stay(&mut self, world: &World, link: &mut Link) -> Result<(), Gone> {
        // Half of them for long enough to see the next kill.
        let time = match self.random.chance(50) {
            true => self.random.ms(0, 300),
            false => Duration::from_secs(5),
        };
        let until = Instant::now() + time;
        while Instant::now() < until && world.phase() == Phase::Work {
            link.receive(TICK)?;
        }
        world.ping(self.client, link)?;
        match link.receive(ANSWER_DEADLINE)? {
            Some(Packet::PingResp) => {
                world.book.enter(Event::Ponged {
                    client: self.client,
                });
                Ok(())
            }
            Some(other) => Err(Gone::Violation(format!("{other:?} was not asked for"))),
            None => Err(Gone::Silent("PINGRESP")),
        }
    }
}
