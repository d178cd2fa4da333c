//! Comes and goes with and without a clean start, with sessions that are kept and such that are not: for Session Present.

use std::time::{Duration, Instant};

use ebbtide_protocol::Version;

use crate::ledger::{
    book::Client,
    link::{Gone, Link},
    random::Random,
    world::{Hello, Overdue, Phase, World},
};

const TICK: Duration = Duration::from_millis(10);

/// Whoever does not know whether to stay.
pub struct Visitor {
    /// Who it is.
    pub client: Client,
    /// Which dialect.
    pub version: Version,
    /// Its choices.
    pub random: Random,
}

impl Visitor {
    /// Until the work is over.
    pub fn run(mut self, world: &World) -> Result<(), Overdue> {
        while world.phase() == Phase::Begin {
            world.pause(TICK)?;
        }
        while world.phase() == Phase::Work {
            let mut hello = match self.random.chance(70) {
                true => Hello::kept(self.client, self.version),
                false => Hello::transient(self.client, self.version),
            };
            // Before 5.0 it is the same as whether the session is kept.
            if self.version == Version::V5 {
                hello.clean_start = self.random.chance(30);
            }
            // Each attempt chooses anew.
            if let Some((mut link, _)) = world.try_connect(&hello) {
                let era = link.era();
                match self.stay(world, &mut link) {
                    Ok(()) => world.leave(self.client, link, self.random.chance(50)),
                    Err(gone) => world.lost(self.client, era, &gone),
                }
            }
            let pause = self.random.ms(1, 100);
            world.pause(pause)?;
        }
        Ok(())
    }

    fn stay(&mut self, world: &World, link: &mut Link) -> Result<(), Gone> {
        let until = Instant::now() + self.random.ms(0, 200);
        while Instant::now() < until && world.phase() == Phase::Work {
            if let Some(packet) = link.receive(TICK)? {
                return Err(Gone::Violation(format!("{packet:?} was not asked for")));
            }
        }
        Ok(())
    }
}
