//! What each packet from the server does, before and after CONNACK.

use super::{
    Client, Event, IncomingMessage, Millis, inbound::Received, lifecycle::Phase, machine::Queued,
};
use crate::{Packet, ReasonCode, packet::Publish};

impl Client {
    /// A packet arrived.
    pub fn handle_packet(&mut self, now: Millis, packet: Packet) {
        if let Some(keep_alive) = &mut self.keep_alive {
            keep_alive.received(now);
        }
        if let Err(reason) = self.accept(now, packet) {
            self.fail(now, reason);
        }
    }

    fn accept(&mut self, now: Millis, packet: Packet) -> Result<(), ReasonCode> {
        match (&self.phase, packet) {
            (Phase::Handshake { .. }, Packet::ConnAck(connack)) => {
                return self.handle_connack(now, &connack);
            }
            (Phase::Handshake { .. } | Phase::Online { .. }, Packet::Auth(auth)) => {
                // [MQTT-4.12.0-6]
                if self.options.connect.authentication_method.is_none() {
                    return Err(ReasonCode::ProtocolError);
                }
                self.push_event(Event::Auth(*auth));
            }
            (Phase::Handshake { .. } | Phase::Online { .. }, Packet::Disconnect(disconnect)) => {
                self.handle_disconnect(now, &disconnect);
            }
            (Phase::Handshake { .. }, _) => return Err(ReasonCode::ProtocolError),
            (Phase::Online { .. }, packet) => return self.accept_online(now, packet),
            // The connection is over; this was on its way.
            (Phase::Idle | Phase::Waiting { .. } | Phase::Opening { .. } | Phase::Closed, _) => {}
        }
        Ok(())
    }

    fn accept_online(&mut self, now: Millis, packet: Packet) -> Result<(), ReasonCode> {
        match packet {
            Packet::Publish(publish) => return self.accept_publish(now, *publish),
            Packet::PubAck(ack) => {
                let settled = self.outbound.puback(&ack, &mut self.ids);
                self.push_settled(settled);
            }
            Packet::PubRec(ack) => {
                let (answer, settled) = self.outbound.pubrec(&ack, &mut self.ids);
                self.push_settled(settled);
                if let Some(answer) = answer {
                    self.push_control(answer)?;
                }
            }
            Packet::PubRel(ack) => {
                let answer = self.inbound.pubrel(&ack);
                self.push_control(answer)?;
            }
            Packet::PubComp(ack) => {
                let settled = self.outbound.pubcomp(&ack, &mut self.ids);
                self.push_settled(settled);
            }
            Packet::SubAck(suback) => {
                let changes = self.subscriptions.suback(&suback, &mut self.ids);
                self.push_changes(changes);
            }
            Packet::UnsubAck(unsuback) => {
                if let Some(handle) = self.subscriptions.unsuback(&unsuback, &mut self.ids) {
                    self.push_event(Event::Unsubscribed { handle });
                }
            }
            Packet::PingResp => {
                if let Some(keep_alive) = &mut self.keep_alive {
                    self.subscriptions.ponged(now, keep_alive.answered());
                }
            }
            // What only a client sends, or a second CONNACK.
            Packet::Connect(_)
            | Packet::ConnAck(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_)
            | Packet::PingReq
            | Packet::Disconnect(_)
            | Packet::Auth(_) => return Err(ReasonCode::ProtocolError),
        }
        Ok(())
    }

    fn accept_publish(&mut self, now: Millis, publish: Publish) -> Result<(), ReasonCode> {
        let (topic, owed) = match self.inbound.publish(&publish)? {
            Received::New(topic, owed) => (topic, owed),
            Received::Duplicate(answer) => return self.push_control(answer),
        };
        let Some(limits) = &self.limits else {
            return Ok(());
        };
        let subscriptions = self.subscriptions.recipients(now, &publish, &topic, limits);
        let message = IncomingMessage {
            topic,
            payload: publish.payload,
            qos: publish.qos,
            retain: publish.retain,
            dup: publish.dup,
            properties: publish.properties,
        };
        self.events.push_back(Queued {
            event: Event::Message {
                message,
                subscriptions,
            },
            owed,
        });
        Ok(())
    }
}
