//! What must be true of each packet that a durable client sends: the store has what it stands for, no packet id is used
//! twice, and nothing is repeated without need. Watches both directions of one peer, over all its lives.

use std::collections::{BTreeMap, BTreeSet};

use ebbtide_protocol::{
    Packet, PacketId, QoS,
    packet::{Ack, Publish},
};

use super::store::{RowStage, Sequence, Store, number_of};

#[derive(Debug, Default)]
pub struct Wire {
    /// PUBLISHes that the server has not answered for good.
    in_flight: BTreeMap<PacketId, InFlight>,
    /// SUBSCRIBE and UNSUBSCRIBE without an answer.
    asked: Vec<PacketId>,
    /// How often each publish left, and how often it may.
    pub transmissions: BTreeMap<Sequence, Count>,
    /// QoS 1 messages that came on this connection: packet id and number.
    came: Vec<(PacketId, Sequence)>,
    /// The server said that it has no session, and the store does not know yet.
    pub is_unwitnessed: bool,
    pub holds: bool,
    /// Every packet is printed.
    pub is_told: bool,
    /// Refused for now, at least once: their order is not that of the others.
    pub withdrawn: BTreeSet<Sequence>,
    pub refusals: u64,
    /// QoS 2 messages that came without DUP.
    pub came_new: BTreeSet<Sequence>,
}

#[derive(Clone, Copy, Debug)]
struct InFlight {
    number: Sequence,
    is_released: bool,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    pub left: u32,
    /// Repetitions that a failure has given a reason for.
    pub excused: u32,
}

impl Wire {
    /// The peer sends a packet.
    pub fn sends(&mut self, packet: &Packet, store: &Store) -> Result<(), String> {
        if self.is_told {
            println!("        > {}", describe(packet));
        }
        match packet {
            Packet::Connect(_) if !store.has_session && !store.is_unsure => {
                Err("CONNECT before it was stored that there may be a session".into())
            }
            Packet::Publish(publish) if publish.qos > QoS::AtMostOnce => {
                self.publishes(publish, store)
            }
            Packet::PubRel(ack) => {
                let id = ack.packet_id;
                let is_sent = |row: &super::store::Row| row.stage == RowStage::Sent(id);
                if store.rows.values().any(is_sent) {
                    return Err(format!("PUBREL {id} before `released` was stored"));
                }
                Ok(())
            }
            Packet::PubAck(ack) => {
                let id = ack.packet_id;
                let place = self.came.iter().position(|(came, _)| *came == id);
                let Some(place) = place else {
                    return Err(format!("PUBACK {id} for a message of another connection"));
                };
                let (_, number) = self.came.remove(place);
                if !store.inbox.iter().any(|received| received.number == number) {
                    return Err(format!("PUBACK {id} before message {number} was stored"));
                }
                self.may_acknowledge()
            }
            Packet::PubRec(ack) if !store.inbound.contains(&ack.packet_id) => {
                Err(format!("PUBREC {} before it was stored", ack.packet_id))
            }
            Packet::PubRec(_) => self.may_acknowledge(),
            Packet::PubComp(ack) if store.inbound.contains(&ack.packet_id) => Err(format!(
                "PUBCOMP {} before `completed` was stored",
                ack.packet_id
            )),
            Packet::Subscribe(subscribe) => {
                let identifier = subscribe.subscription_identifier.unwrap_or(0);
                if !store.subscriptions.contains_key(&identifier) {
                    return Err(format!("SUBSCRIBE #{identifier} before it was stored"));
                }
                self.asks(subscribe.packet_id)
            }
            Packet::Unsubscribe(unsubscribe) => self.asks(unsubscribe.packet_id),
            _ => Ok(()),
        }
    }

    fn may_acknowledge(&self) -> Result<(), String> {
        if self.holds {
            return Err("an acknowledgement leaves while they are held".into());
        }
        Ok(())
    }

    fn asks(&mut self, id: PacketId) -> Result<(), String> {
        if self.in_flight.contains_key(&id) || self.asked.contains(&id) {
            return Err(format!("packet id {id} is used twice"));
        }
        self.asked.push(id);
        Ok(())
    }

    fn publishes(&mut self, publish: &Publish, store: &Store) -> Result<(), String> {
        let id = publish.packet_id.expect("QoS 1 and 2 have one");
        let number = number_of(&publish.payload);
        let stage = store.rows.get(&number).map(|row| row.stage);
        if stage != Some(RowStage::Sent(id)) {
            return Err(format!(
                "PUBLISH {number} as {id}, and the store has {stage:?}"
            ));
        }
        let earlier = self.in_flight.insert(
            id,
            InFlight {
                number,
                is_released: false,
            },
        );
        match earlier {
            Some(earlier) if earlier.number != number || earlier.is_released => {
                return Err(format!(
                    "packet id {id} of {} is used for {number}",
                    earlier.number
                ));
            }
            // [MQTT-3.3.1-1]
            Some(_) if !publish.dup => return Err(format!("PUBLISH {number} again without DUP")),
            _ if self.asked.contains(&id) => return Err(format!("packet id {id} is used twice")),
            _ => {}
        }
        let count = self.transmissions.entry(number).or_default();
        count.left += 1;
        if count.left > 1 + count.excused {
            return Err(format!("PUBLISH {number} is repeated for no reason"));
        }
        Ok(())
    }

    /// The peer gets a packet.
    pub fn gets(&mut self, packet: &Packet, store: &Store) {
        if self.is_told {
            println!("        < {}", describe(packet));
        }
        match packet {
            Packet::ConnAck(connack) if !connack.reason.is_error() && !store.knows(connack) => {
                self.in_flight.clear();
                self.is_unwitnessed = store.has_session;
            }
            Packet::Publish(publish) if publish.qos == QoS::AtLeastOnce => {
                let id = publish.packet_id.expect("QoS 1 has one");
                self.came.push((id, number_of(&publish.payload)));
            }
            Packet::Publish(publish) if publish.qos == QoS::ExactlyOnce && !publish.dup => {
                self.came_new.insert(number_of(&publish.payload));
            }
            Packet::PubAck(ack) => self.answered(ack),
            Packet::PubRec(ack) if ack.reason.is_error() => self.answered(ack),
            Packet::PubRec(ack) => {
                if let Some(flight) = self.in_flight.get_mut(&ack.packet_id) {
                    flight.is_released = true;
                }
            }
            Packet::PubComp(ack) => {
                self.in_flight.remove(&ack.packet_id);
            }
            Packet::SubAck(suback) => self.asked.retain(|id| *id != suback.packet_id),
            Packet::UnsubAck(unsuback) => self.asked.retain(|id| *id != unsuback.packet_id),
            _ => {}
        }
    }

    fn answered(&mut self, ack: &Ack) {
        if let Some(flight) = self.in_flight.remove(&ack.packet_id)
            && ack.reason.is_error()
        {
            excuse(&mut self.transmissions, flight.number);
            self.withdrawn.insert(flight.number);
            self.refusals += 1;
        }
    }

    /// What is in flight may be refused, and nobody be told: its order is not that of the others.
    pub fn excuse_order(&mut self) {
        let numbers = self.in_flight.values().map(|flight| flight.number);
        self.withdrawn.extend(numbers);
    }

    /// The peer knows that its connection is gone.
    pub fn loses_connection(&mut self) {
        for number in self.breaks() {
            excuse(&mut self.transmissions, number);
        }
    }

    /// What is in flight when the connection goes.
    fn breaks(&mut self) -> BTreeSet<Sequence> {
        self.came.clear();
        self.asked.clear();
        let flights = self.in_flight.values();
        flights
            .filter(|flight| !flight.is_released)
            .map(|flight| flight.number)
            .collect()
    }

    /// The peer has crashed: what its store calls sent may be sent again, also what was answered meanwhile.
    pub fn crashes(&mut self, store: &Store) {
        let mut numbers = self.breaks();
        for (sequence, row) in &store.rows {
            if let RowStage::Sent(packet_id) = row.stage {
                numbers.insert(*sequence);
                if let Some(flight) = self.in_flight.get_mut(&packet_id) {
                    // That PUBREC came is forgotten.
                    flight.is_released = false;
                }
            }
        }
        for number in numbers {
            excuse(&mut self.transmissions, number);
        }
    }
}

fn excuse(transmissions: &mut BTreeMap<Sequence, Count>, number: Sequence) {
    transmissions.entry(number).or_default().excused += 1;
}

/// A packet in a line.
fn describe(packet: &Packet) -> String {
    match packet {
        Packet::Publish(publish) => {
            let id = publish.packet_id.map_or(0, PacketId::get);
            let dup = if publish.dup { " dup" } else { "" };
            // That of the mark behind a snapshot is no number.
            let number = String::from_utf8_lossy(&publish.payload);
            let qos = publish.qos as u8;
            format!("PUBLISH {id} qos {qos} number {number}{dup}")
        }
        Packet::PubAck(ack) => format!("PUBACK {} {:?}", ack.packet_id, ack.reason),
        Packet::PubRec(ack) => format!("PUBREC {} {:?}", ack.packet_id, ack.reason),
        Packet::PubRel(ack) => format!("PUBREL {} {:?}", ack.packet_id, ack.reason),
        Packet::PubComp(ack) => format!("PUBCOMP {} {:?}", ack.packet_id, ack.reason),
        Packet::Connect(connect) => format!("CONNECT, clean start {}", connect.clean_start),
        Packet::ConnAck(connack) => format!(
            "CONNACK {:?}, session present {}",
            connack.reason, connack.session_present
        ),
        other => format!("{other:?}"),
    }
}
