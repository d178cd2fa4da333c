//! Publishes at QoS 1 and 2, with several messages in flight, into topics of its own.

use std::time::Duration;

use ebbtide_protocol::{QoS, Version};

use crate::ledger::{
    book::Client,
    link::{Gone, Link},
    outgoing::{Outgoing, Post},
    random::Random,
    world::{Hello, Overdue, Phase, World},
};

/// How many messages are in flight at most: no broker asks for less by default.
const WINDOW: usize = 10;

/// A publisher.
pub struct Publisher {
    /// Who it is.
    pub client: Client,
    /// Which dialect.
    pub version: Version,
    /// Whether it goes on with what was in flight, or begins anew with each connection.
    pub is_kept: bool,
    /// Its choices.
    pub random: Random,
}

impl Publisher {
    /// Until all it sent is acknowledged, once the work is over.
    pub fn run(mut self, world: &World) -> Result<(), Overdue> {
        let hello = match self.is_kept {
            true => Hello::kept(self.client, self.version),
            false => Hello::transient(self.client, self.version),
        };
        let mut outgoing = Outgoing::new(self.client);
        while world.phase() == Phase::Begin {
            world.pause(Duration::from_millis(1))?;
        }
        loop {
            let (mut link, session_present) = world.connect(&hello)?;
            let era = link.era();
            match self.publish(world, &mut link, &mut outgoing, session_present) {
                Ok(()) => {
                    world.leave(self.client, link, true);
                    return Ok(());
                }
                Err(gone) => world.lost(self.client, era, &gone),
            }
        }
    }

    fn publish(
        &mut self,
        world: &World,
        link: &mut Link,
        outgoing: &mut Outgoing,
        session_present: bool,
    ) -> Result<(), Gone> {
        outgoing.resume(world, link, session_present)?;
        while world.phase() == Phase::Work {
            // Bursts now and then; else about as fast as a disk with a slow fsync goes along with.
            let burst = match self.random.chance(10) {
                true => self.random.below(WINDOW as u64),
                false => 1,
            };
            for _ in 0..burst {
                if outgoing.in_flight() < WINDOW {
                    let post = self.post(world);
                    outgoing.publish(world, link, post)?;
                }
            }
            outgoing.take_for(world, link, self.random.ms(1, 20))?;
        }
        outgoing.complete(world, link)
    }

    /// A topic for each QoS, and one for both mixed: order must hold in each.
    fn post(&mut self, world: &World) -> Post {
        let kind = ["one", "two", "mixed"][self.random.below(3) as usize];
        let qos = match kind {
            "one" => QoS::AtLeastOnce,
            "two" => QoS::ExactlyOnce,
            _ if self.random.chance(50) => QoS::AtLeastOnce,
            _ => QoS::ExactlyOnce,
        };
        Post {
            topic: world.topic(&format!("log/{}/{kind}", self.client.0)),
            qos,
            retain: false,
            clears: false,
        }
    }
}
