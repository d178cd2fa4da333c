//! Sets and clears retained messages in topics of its own; after each start of the broker it first looks what is there.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use ebbtide_protocol::{
    Packet, PacketId, QoS, ReasonCode, Version,
    packet::{Ack, Publish},
};

use super::subscriber::subscribe;
use crate::ledger::{
    book::{Client, Event, Stamp},
    link::{ANSWER_DEADLINE, Gone, Link},
    outgoing::{Outgoing, Post},
    random::Random,
    world::{Hello, Overdue, Phase, World, topic_name},
};

const TOPICS: u64 = 6;
const WINDOW: usize = 4;
/// Sent after the SUBSCRIBE, so that it comes after all that is retained.
const SENTINEL: &[u8] = b"sentinel";

/// Whoever sets values.
pub struct Setter {
    /// Who it is.
    pub client: Client,
    /// The one that looks what is there.
    pub reader: Client,
    /// Which dialect.
    pub version: Version,
    /// Its choices.
    pub random: Random,
}

impl Setter {
    /// Until the work is over and everything was looked at once more.
    pub fn run(mut self, world: &World) -> Result<(), Overdue> {
        let hello = Hello::kept(self.client, self.version);
        let mut outgoing = Outgoing::new(self.client);
        let mut looked_at = 0;
        while world.phase() == Phase::Begin {
            world.pause(Duration::from_millis(1))?;
        }
        loop {
            // Before anything that was in flight is sent again: what is there now has survived.
            let restarts = world.restarts();
            if restarts > looked_at && self.look(world)? {
                looked_at = restarts;
            }
            if restarts > looked_at {
                continue;
            }
            let (mut link, session_present) = world.connect(&hello)?;
            if world.restarts() > restarts {
                continue;
            }
            let era = link.era();
            match self.set(world, &mut link, &mut outgoing, session_present) {
                Ok(()) => {
                    world.leave(self.client, link, true);
                    self.look(world)?;
                    return Ok(());
                }
                Err(gone) => world.lost(self.client, era, &gone),
            }
        }
    }

    fn set(
        &mut self,
        world: &World,
        link: &mut Link,
        outgoing: &mut Outgoing,
        session_present: bool,
    ) -> Result<(), Gone> {
        outgoing.resume(world, link, session_present)?;
        while world.phase() == Phase::Work {
            if outgoing.in_flight() < WINDOW {
                let which = self.random.below(TOPICS);
                let post = Post {
                    topic: self.topic(world, which),
                    // One for each topic: the standard orders only messages of one QoS.
                    qos: match which % 2 {
                        0 => QoS::AtLeastOnce,
                        _ => QoS::ExactlyOnce,
                    },
                    retain: true,
                    clears: self.random.chance(20),
                };
                outgoing.publish(world, link, post)?;
            }
            outgoing.take_for(world, link, self.random.ms(1, 40))?;
        }
        outgoing.complete(world, link)
    }

    /// Enters what each topic holds; false: the broker was killed meanwhile.
    fn look(&self, world: &World) -> Result<bool, Overdue> {
        let (mut link, _) = world.connect(&Hello::transient(self.reader, self.version))?;
        let era = link.era();
        let found = match self.read(world, &mut link) {
            Ok(found) => found,
            Err(gone) => {
                world.lost(self.reader, era, &gone);
                return Ok(false);
            }
        };
        world.leave(self.reader, link, true);
        for which in 0..TOPICS {
            let topic = self.topic(world, which);
            world.book.enter(Event::Found {
                client: self.client,
                stamp: found.get(&*topic).copied(),
                topic,
            });
        }
        Ok(true)
    }

    fn read(&self, world: &World, link: &mut Link) -> Result<BTreeMap<String, Stamp>, Gone> {
        let folder = format!("kept/{}", self.client.0);
        let all = world.topic(&format!("{folder}/#"));
        link.send(&subscribe(&[all], QoS::AtLeastOnce))?;
        link.send(&Packet::Publish(Box::new(Publish {
            dup: false,
            qos: QoS::AtLeastOnce,
            retain: false,
            topic: Some(topic_name(&world.topic(&format!("{folder}/sentinel")))),
            packet_id: Some(PacketId::MIN),
            topic_alias: None,
            subscription_identifiers: Vec::new(),
            properties: Default::default(),
            payload: SENTINEL.into(),
        })))?;
        let mut found = BTreeMap::new();
        loop {
            let packet = link.receive(ANSWER_DEADLINE)?;
            let Packet::Publish(publish) = packet.ok_or(Gone::Silent("retained messages"))? else {
                continue;
            };
            let (Some(topic), Some(packet_id)) = (&publish.topic, publish.packet_id) else {
                return Err(Gone::Violation(format!("{publish:?} was not asked for")));
            };
            link.send(&Packet::PubAck(Ack::new(packet_id, ReasonCode::Success)))?;
            if &*publish.payload == SENTINEL {
                return Ok(found);
            }
            match Stamp::parse(&publish.payload) {
                Some(stamp) if publish.retain => {
                    found.insert(topic.as_str().to_owned(), stamp);
                }
                _ => return Err(Gone::Violation(format!("{publish:?} is not retained"))),
            }
        }
    }

    fn topic(&self, world: &World, which: u64) -> Arc<str> {
        world.topic(&format!("kept/{}/{which}", self.client.0))
    }
}
