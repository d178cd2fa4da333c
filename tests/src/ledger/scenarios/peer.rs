//! A client for scripts: says one thing at a time, keeps what comes, and acknowledges as it is told.

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use ebbtide_protocol::{
    Packet, PacketId, QoS, ReasonCode, Version,
    packet::{Ack, Connect, Publish, Will},
};

use crate::ledger::{
    actors::subscriber::subscribe,
    link::{self, ANSWER_DEADLINE, Link},
    world::topic_name,
};

/// How far a subscriber goes with what comes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answers {
    /// It reads and says nothing.
    Nothing,
    /// PUBACK or PUBREC.
    Received,
    /// Everything.
    Everything,
}

/// What a client remembers when its connection is gone.
#[derive(Default)]
pub struct Memory {
    /// Payloads, repetitions under a QoS 2 packet id in use left out.
    pub texts: Vec<String>,
    unreleased: BTreeSet<PacketId>,
}

/// One connection of a client.
pub struct Peer {
    link: Link,
    answers: Answers,
}

impl Peer {
    /// Connects; gives Session Present too.
    pub fn connect(address: SocketAddr, connect: Connect) -> Result<(Self, bool)> {
        let stream = Link::dial(address).context("nobody listens")?;
        let (link, connack) = Link::connect(stream, connect, 0)?;
        let answers = Answers::Everything;
        Ok((Self { link, answers }, connack.session_present))
    }

    /// From now on it goes this far.
    pub fn answer(&mut self, answers: Answers) {
        self.answers = answers;
    }

    /// SUBSCRIBE, and its SUBACK.
    pub fn subscribe(&mut self, memory: &mut Memory, filter: &str, qos: QoS) -> Result<()> {
        self.link.send(&subscribe(&[filter.into()], qos))?;
        self.wait(
            memory,
            "SUBACK",
            |packet| matches!(packet, Packet::SubAck(suback) if !suback.reasons[0].is_error()),
        )
    }

    /// PUBLISH.
    pub fn send(
        &mut self,
        packet_id: u16,
        topic: &str,
        text: &str,
        qos: QoS,
        dup: bool,
    ) -> Result<()> {
        Ok(self.link.send(&Packet::Publish(Box::new(Publish {
            dup,
            qos,
            retain: false,
            topic: Some(topic_name(topic)),
            packet_id: PacketId::new(packet_id),
            topic_alias: None,
            subscription_identifiers: Vec::new(),
            properties: Default::default(),
            payload: text.to_owned().into(),
        })))?)
    }

    /// PUBLISH at QoS 1, and its PUBACK.
    pub fn publish(&mut self, packet_id: u16, topic: &str, text: &str) -> Result<()> {
        self.send(packet_id, topic, text, QoS::AtLeastOnce, false)?;
        self.wait_for_ack(packet_id, "PUBACK", |packet| match packet {
            Packet::PubAck(ack) => Some(ack),
            _ => None,
        })
    }

    /// PUBLISH at QoS 2, to its end.
    pub fn publish_once(&mut self, packet_id: u16, topic: &str, text: &str) -> Result<()> {
        self.send(packet_id, topic, text, QoS::ExactlyOnce, false)?;
        self.pubrec(packet_id)?;
        self.release(packet_id)
    }

    /// Waits for PUBREC.
    pub fn pubrec(&mut self, packet_id: u16) -> Result<()> {
        self.wait_for_ack(packet_id, "PUBREC", |packet| match packet {
            Packet::PubRec(ack) => Some(ack),
            _ => None,
        })
    }

    /// PUBREL, and its PUBCOMP.
    pub fn release(&mut self, packet_id: u16) -> Result<()> {
        let id = PacketId::new(packet_id).context("a packet id")?;
        self.link
            .send(&Packet::PubRel(Ack::new(id, ReasonCode::Success)))?;
        self.wait_for_ack(packet_id, "PUBCOMP", |packet| match packet {
            Packet::PubComp(ack) => Some(ack),
            _ => None,
        })
    }

    /// Takes what comes until this text has come.
    pub fn take_until(&mut self, memory: &mut Memory, text: &str) -> Result<()> {
        while memory.texts.last().is_none_or(|last| last != text) {
            let packet = self.link.receive(ANSWER_DEADLINE)?;
            let packet = packet.with_context(|| {
                format!("`{text}` does not come; what came is {:?}", memory.texts)
            })?;
            self.take(memory, packet)?;
        }
        Ok(())
    }

    /// Takes what comes until nothing has come for that long.
    pub fn take_for(&mut self, memory: &mut Memory, quiet: Duration) -> Result<()> {
        while let Some(packet) = self.link.receive(quiet)? {
            self.take(memory, packet)?;
        }
        Ok(())
    }

    /// DISCONNECT 0x00, until the broker has closed.
    pub fn disconnect(self) -> Result<()> {
        ensure!(
            self.link.disconnect(),
            "DISCONNECT is not answered by a close"
        );
        Ok(())
    }

    fn wait_for_ack(
        &mut self,
        packet_id: u16,
        name: &'static str,
        pick: impl Fn(&Packet) -> Option<&Ack>,
    ) -> Result<()> {
        self.wait(&mut Memory::default(), name, |packet| {
            pick(packet).is_some_and(|ack| ack.packet_id.get() == packet_id)
        })
    }

    fn wait(
        &mut self,
        memory: &mut Memory,
        name: &str,
        is_it: impl Fn(&Packet) -> bool,
    ) -> Result<()> {
        loop {
            let Some(packet) = self.link.receive(ANSWER_DEADLINE)? else {
                bail!("no {name}");
            };
            if is_it(&packet) {
                return Ok(());
            }
            self.take(memory, packet)?;
        }
    }

    fn take(&mut self, memory: &mut Memory, packet: Packet) -> Result<()> {
        match packet {
            Packet::Publish(publish) => {
                let id = publish.packet_id.context("QoS 0 was not asked for")?;
                let is_exact = publish.qos == QoS::ExactlyOnce;
                if !is_exact || memory.unreleased.insert(id) {
                    let text = std::str::from_utf8(&publish.payload)?;
                    memory.texts.push(text.to_owned());
                }
                if self.answers >= Answers::Received {
                    let ack = Ack::new(id, ReasonCode::Success);
                    self.link.send(&match is_exact {
                        true => Packet::PubRec(ack),
                        false => Packet::PubAck(ack),
                    })?;
                }
            }
            Packet::PubRel(ack) => {
                memory.unreleased.remove(&ack.packet_id);
                if self.answers >= Answers::Everything {
                    let ack = Ack::new(ack.packet_id, ReasonCode::Success);
                    self.link.send(&Packet::PubComp(ack))?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// A session that is kept, in either version.
pub fn kept(version: Version, client_id: &str) -> Connect {
    link::connect(version, client_id, false, u32::MAX)
}

/// A session that ends with its connection, whatever there was before.
pub fn transient(version: Version, client_id: &str) -> Connect {
    link::connect(version, client_id, true, 0)
}

/// A CONNECT with a will.
pub fn with_will(
    mut connect: Connect,
    topic: &str,
    text: &str,
    retain: bool,
    delay_interval: u32,
) -> Connect {
    connect.will = Some(Will {
        topic: topic_name(topic),
        payload: text.to_owned().into(),
        qos: QoS::ExactlyOnce,
        retain,
        delay_interval,
        properties: Default::default(),
    });
    connect
}
