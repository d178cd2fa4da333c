//! A publisher's half of QoS 1 and 2: numbers what it sends, enters what is accepted, sends again what was not.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use ebbtide_protocol::{
    Packet, PacketId, QoS, ReasonCode,
    packet::{Ack, Publish},
};

use super::{
    book::{Client, Event, Stamp},
    link::{ANSWER_DEADLINE, Gone, Link},
    world::{World, topic_name},
};

/// What a publisher has to remember, across its connections.
pub struct Outgoing {
    client: Client,
    next_number: u32,
    next_serial: u32,
    in_flight: VecDeque<Flight>,
}

#[derive(Clone)]
struct Flight {
    packet_id: PacketId,
    number: u32,
    /// Of the last sending.
    serial: u32,
    post: Post,
    /// QoS 2: PUBREC has come.
    is_accepted: bool,
}

/// What to publish.
#[derive(Clone)]
pub struct Post {
    /// Where.
    pub topic: Arc<str>,
    /// 1 or 2.
    pub qos: QoS,
    /// The RETAIN flag.
    pub retain: bool,
    /// Without payload: together with RETAIN it clears.
    pub clears: bool,
}

impl Outgoing {
    /// Nothing was sent yet.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            next_number: 0,
            next_serial: 0,
            in_flight: VecDeque::new(),
        }
    }

    /// How many messages are not done.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Sends a new message.
    pub fn publish(&mut self, world: &World, link: &mut Link, post: Post) -> Result<(), Gone> {
        let flight = Flight {
            packet_id: self.free_packet_id(),
            number: self.next_number,
            serial: 0,
            post,
            is_accepted: false,
        };
        self.next_number += 1;
        self.in_flight.push_back(flight);
        self.send(world, link, self.in_flight.len() - 1, false)
    }

    /// After CONNACK: everything that is not done is sent again, in order [MQTT-4.4.0-1]. Without a session it is
    /// forgotten: whether it was accepted will never be known.
    pub fn resume(
        &mut self,
        world: &World,
        link: &mut Link,
        session_present: bool,
    ) -> Result<(), Gone> {
        if !session_present {
            self.in_flight.clear();
        }
        for at in 0..self.in_flight.len() {
            if self.in_flight[at].is_accepted {
                let packet_id = self.in_flight[at].packet_id;
                link.send(&Packet::PubRel(Ack::new(packet_id, ReasonCode::Success)))?;
            } else {
                self.send(world, link, at, true)?;
            }
        }
        Ok(())
    }

    /// Takes PUBACK, PUBREC and PUBCOMP; other packets are nothing to it.
    pub fn take(&mut self, world: &World, link: &mut Link, packet: &Packet) -> Result<(), Gone> {
        let (ack, expected) = match packet {
            Packet::PubAck(ack) => (ack, QoS::AtLeastOnce),
            Packet::PubRec(ack) | Packet::PubComp(ack) => (ack, QoS::ExactlyOnce),
            _ => return Ok(()),
        };
        let found = self
            .in_flight
            .iter()
            .position(|flight| flight.packet_id == ack.packet_id && flight.post.qos == expected);
        let Some(at) = found else {
            return Err(Gone::Violation(format!("{packet:?} for nothing in flight")));
        };
        let flight = &mut self.in_flight[at];
        // A PUBREL that was sent again may find its id gone: PUBCOMP then says so, and all is well.
        if ack.reason.is_error() && !matches!(packet, Packet::PubComp(_)) {
            return Err(Gone::Violation(format!("a publish was refused: {ack:?}")));
        }
        if !flight.is_accepted {
            if matches!(packet, Packet::PubComp(_)) {
                return Err(Gone::Violation("PUBCOMP before PUBREC".into()));
            }
            flight.is_accepted = true;
            let stamp = Stamp {
                client: self.client,
                number: flight.number,
                serial: flight.serial,
            };
            world.book.enter(Event::Accepted { stamp });
        }
        if matches!(packet, Packet::PubRec(_)) {
            return link.send(&Packet::PubRel(Ack::new(
                ack.packet_id,
                ReasonCode::Success,
            )));
        }
        self.in_flight.remove(at);
        Ok(())
    }

    /// Takes what comes for some time.
    pub fn take_for(&mut self, world: &World, link: &mut Link, time: Duration) -> Result<(), Gone> {
        let deadline = Instant::now() + time;
        while let Some(packet) = link.receive(deadline.saturating_duration_since(Instant::now()))? {
            self.take(world, link, &packet)?;
        }
        Ok(())
    }

    /// Waits until all is done.
    pub fn complete(&mut self, world: &World, link: &mut Link) -> Result<(), Gone> {
        while self.in_flight() > 0 {
            let packet = link.receive(ANSWER_DEADLINE)?;
            let packet = packet.ok_or(Gone::Silent("acknowledgement"))?;
            self.take(world, link, &packet)?;
        }
        Ok(())
    }

    fn send(&mut self, world: &World, link: &mut Link, at: usize, dup: bool) -> Result<(), Gone> {
        let serial = self.next_serial;
        self.next_serial += 1;
        self.in_flight[at].serial = serial;
        let Flight {
            packet_id,
            number,
            post,
            ..
        } = self.in_flight[at].clone();
        let stamp = Stamp {
            client: self.client,
            number,
            serial,
        };
        world.book.enter(Event::Sending {
            stamp,
            topic: Arc::clone(&post.topic),
            qos: post.qos,
            retain: post.retain,
            clears: post.clears,
        });
        let payload = match post.clears {
            true => Bytes::new(),
            false => stamp.to_string().into(),
        };
        link.send(&Packet::Publish(Box::new(Publish {
            dup,
            qos: post.qos,
            retain: post.retain,
            topic: Some(topic_name(&post.topic)),
            packet_id: Some(packet_id),
            topic_alias: None,
            subscription_identifiers: Vec::new(),
            properties: Default::default(),
            payload,
        })))
    }

    /// The lowest, so that an id is used again at once: what a broker still holds against it then shows.
    fn free_packet_id(&self) -> PacketId {
        let is_free = |id: &PacketId| self.in_flight.iter().all(|flight| flight.packet_id != *id);
        let mut ids = (1..=u16::MAX).filter_map(PacketId::new);
        ids.find(is_free).expect("a few messages are in flight")
    }
}
