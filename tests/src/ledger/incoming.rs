//! A subscriber's half of QoS 1 and 2: enters what comes, acknowledges it at once or later, knows repetitions at QoS 2.

use std::collections::{BTreeMap, VecDeque};

use ebbtide_protocol::{
    Packet, PacketId, QoS, ReasonCode,
    packet::{Ack, Publish},
};

use super::{
    book::{Client, Event, Stamp},
    link::{Gone, Link},
    world::World,
};

/// What a subscriber has to remember, across its connections.
pub struct Incoming {
    client: Client,
    /// QoS 2: between PUBLISH and PUBREL.
    unreleased: BTreeMap<PacketId, Option<Stamp>>,
    /// Not acknowledged yet, in the order of arrival [MQTT-4.6.0-2].
    owed: VecDeque<(PacketId, QoS, Option<Stamp>)>,
}

impl Incoming {
    /// Nothing came yet.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            unreleased: BTreeMap::new(),
            owed: VecDeque::new(),
        }
    }

    /// After CONNACK.
    pub fn resume(&mut self, session_present: bool) {
        self.owed.clear();
        if !session_present {
            self.unreleased.clear();
        }
    }

    /// Takes PUBLISH and PUBREL; other packets are nothing to it. Retained copies of older messages, and messages that
    /// are nobody's, are acknowledged but not entered.
    pub fn take(&mut self, world: &World, link: &mut Link, packet: Packet) -> Result<(), Gone> {
        match packet {
            Packet::Publish(publish) => self.publish(world, &publish),
            Packet::PubRel(ack) => {
                self.unreleased.remove(&ack.packet_id);
                link.send(&Packet::PubComp(Ack::new(
                    ack.packet_id,
                    ReasonCode::Success,
                )))
            }
            _ => Ok(()),
        }
    }

    /// Acknowledges all that came.
    pub fn acknowledge(&mut self, world: &World, link: &mut Link) -> Result<(), Gone> {
        while let Some((packet_id, qos, stamp)) = self.owed.pop_front() {
            let ack = Ack::new(packet_id, ReasonCode::Success);
            link.send(&match qos {
                QoS::ExactlyOnce => Packet::PubRec(ack),
                _ => Packet::PubAck(ack),
            })?;
            if let Some(stamp) = stamp {
                world.book.enter(Event::Acknowledged {
                    client: self.client,
                    stamp,
                });
            }
        }
        Ok(())
    }

    fn publish(&mut self, world: &World, publish: &Publish) -> Result<(), Gone> {
        let (Some(topic), Some(packet_id)) = (&publish.topic, publish.packet_id) else {
            return Err(Gone::Violation(format!("{publish:?} was not asked for")));
        };
        let stamp = Stamp::parse(&publish.payload).filter(|_| !publish.retain);
        self.owed.push_back((packet_id, publish.qos, stamp));
        let client = self.client;
        if publish.qos == QoS::ExactlyOnce
            && let Some(earlier) = self.unreleased.get(&packet_id)
        {
            if *earlier != stamp {
                world.book.enter(Event::Hidden { client, stamp });
            }
            return Ok(());
        }
        if publish.qos == QoS::ExactlyOnce {
            self.unreleased.insert(packet_id, stamp);
        }
        if let Some(stamp) = stamp {
            world.book.enter(Event::Received {
                client,
                stamp,
                topic: topic.as_str().into(),
                qos: publish.qos,
                dup: publish.dup,
            });
        }
        Ok(())
    }
}
