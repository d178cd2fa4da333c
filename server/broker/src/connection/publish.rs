//! A client publishes: PUBLISH and PUBREL.

use ebbtide_protocol::{
    Packet, PacketId, QoS, ReasonCode, TopicName, Violation,
    packet::{Ack, Publish},
};
use ebbtide_store::{Message, Operation};

use super::{
    fault::{Close, Refusal},
    open::Open,
    replies::Replies,
};
use crate::{
    Limit, Now, durability,
    numbers::Exhausted,
    own,
    presence::Absence,
    route::{self, Crowded, Incoming, Published, Refused, Source},
    shared::Shared,
    stats::DropReason,
    trim,
};

impl Open {
    /// All that a PUBLISH goes through, in this order. Gives the queues that it has crowded.
    pub fn handle_publish(
        &mut self,
        publish: Publish,
        shared: &Shared,
        replies: &mut Replies,
        now: Now,
    ) -> Result<Vec<Crowded>, Close> {
        let topic = self.incoming_aliases.resolve(
            publish.topic,
            publish.topic_alias,
            self.limits.topic_alias_maximum,
        )?;
        let (qos, packet_id) = (publish.qos, publish.packet_id);
        if let Some(packet_id) = packet_id {
            if qos == QoS::ExactlyOnce && self.is_inbound(packet_id) {
                self.accept_again(packet_id, shared, replies);
                return Ok(Vec::new());
            }
            self.begin_exchange()?;
        } else if let Some(inside) = &mut self.inside {
            inside.count();
        }
        let is_cleared = self.inside.is_some() && publish.retain && publish.payload.is_empty();
        let absence = match &shared.presence {
            Some(presence) if is_cleared => presence.absence(&topic),
            _ => None,
        };
        if let Some(refusal) = self.objection(&topic, publish.retain, absence.as_ref(), shared) {
            self.refuse(qos, packet_id, refusal, replies);
            return Ok(Vec::new());
        }
        let message = Message {
            topic,
            payload: publish.payload,
            qos,
            retain: publish.retain,
            accepted_at: now.wall,
            properties: publish.properties.into(),
        };
        let incoming = self.incoming(message, packet_id);
        match route::publish(shared, incoming, now) {
            Ok(published) => Ok(self.taken_in(qos, packet_id, published, shared, replies)),
            Err(refused) => {
                self.not_taken_in(qos, packet_id, refused, shared, replies)?;
                Ok(Vec::new())
            }
        }
    }

    /// PUBREL: the publisher will not send this id again for the same message [MQTT-4.3.3-12]; what has become of the message
    /// does not matter [MQTT-4.3.3-13].
    pub fn handle_pubrel(&mut self, ack: &Ack, shared: &Shared, replies: &mut Replies) {
        let packet_id = ack.packet_id;
        let is_kept = self.session.kept;
        let (reason, ticket) = if self.session.inbound.remove(&packet_id) {
            let session = self.session.incarnation;
            let release = Operation::ReleaseInbound { session, packet_id };
            let released = is_kept.then(|| shared.journal.submit(release));
            (ReasonCode::Success, durability::pubcomp(released))
        } else {
            // Released before, or never seen: PUBCOMP all the same [MQTT-4.3.3-11].
            let ticket = durability::pubcomp_of_unknown(is_kept, shared.journal.last());
            (ReasonCode::PacketIdentifierNotFound, ticket)
        };
        let pubcomp = Packet::PubComp(Ack::new(packet_id, reason));
        replies.push_acknowledgement(ticket, pubcomp, true, None);
    }

    /// A repetition of what has been accepted [MQTT-4.3.3-10].
    fn accept_again(&self, packet_id: PacketId, shared: &Shared, replies: &mut Replies) {
        let ticket = durability::repeated_pubrec(self.session.kept, shared.journal.last());
        let pubrec = Ack::new(packet_id, ReasonCode::Success);
        replies.push(ticket, Packet::PubRec(pubrec));
    }

    /// One more that is to be answered [MQTT-3.3.4-7]; 3.1.1 knows no such limit: there the connection is read more slowly.
    fn begin_exchange(&mut self) -> Result<(), Close> {
        self.unsettled += 1;
        let has_limit = self.version.has_properties();
        if has_limit && self.unsettled > u32::from(self.limits.receive_maximum) {
            return Err(Violation::ReceiveMaximumExceeded.into());
        }
        Ok(())
    }

    /// Why nobody, or not this client, may publish to this topic. `absence`: it is the presence of a client that is gone, and cleared.
    fn objection(
        &mut self,
        topic: &TopicName,
        retain: bool,
        absence: Option<&Absence<'_>>,
        shared: &Shared,
    ) -> Option<Refusal> {
        if absence.is_none()
            && let Some(of_all) = refusal(topic, shared)
        {
            return Some(of_all);
        }
        let denied = self.may_not_publish(topic, retain, shared)?;
        shared.counters.dropped(DropReason::Denied);
        Some(denied)
    }

    /// What is routed: the message and whose it is.
    fn incoming(&self, message: Message, packet_id: Option<PacketId>) -> Incoming {
        let is_inbound = message.qos == QoS::ExactlyOnce && self.session.kept;
        Incoming {
            message: if message.retain {
                trim::message(message)
            } else {
                message
            },
            source: Source::Client {
                session: self.session.incarnation,
                inbound: packet_id.filter(|_| is_inbound),
            },
        }
    }

    /// Its subscribers have it, and the journal. The acknowledgement waits for the commit; at QoS 0 only the bytes do.
    fn taken_in(
        &mut self,
        qos: QoS,
        packet_id: Option<PacketId>,
        mut published: Published,
        shared: &Shared,
        replies: &mut Replies,
    ) -> Vec<Crowded> {
        self.steps += published.steps;
        let crowded = std::mem::take(&mut published.crowded);
        replies.release(&shared.journal);
        match (packet_id, published.ticket) {
            (Some(packet_id), _) => self.acknowledge(qos, packet_id, published, replies),
            (None, Some(ticket)) => replies.push_silence(ticket, published.message),
            (None, None) => {}
        }
        crowded
    }

    /// Nobody has got it: some limit of the broker as a whole is reached.
    fn not_taken_in(
        &mut self,
        qos: QoS,
        packet_id: Option<PacketId>,
        refused: Refused,
        shared: &Shared,
        replies: &mut Replies,
    ) -> Result<(), Close> {
        let (dropped, why) = match refused {
            Refused::Exhausted => return Err(Exhausted.into()),
            Refused::Quota(why) => (DropReason::Refused, why),
            Refused::NoRoom(no_room) => (DropReason::NoRoom, no_room.why()),
        };
        shared.counters.dropped(dropped);
        self.over_quota(qos, packet_id, why, replies)
    }

    /// What the QoS demands [MQTT-3.3.4-1, MQTT-4.3.2-4, MQTT-4.3.3-8], with the packet id of the publish [MQTT-2.2.1-5]. At
    /// QoS 1 the id is not noted: it may come again at once [MQTT-4.3.2-5].
    fn acknowledge(
        &mut self,
        qos: QoS,
        packet_id: PacketId,
        published: Published,
        replies: &mut Replies,
    ) {
        let reason = if published.matched {
            ReasonCode::Success
        } else {
            ReasonCode::NoMatchingSubscribers
        };
        let ticket = durability::acknowledgement(published.ticket);
        let message = published.message;
        let ack = Ack::new(packet_id, reason);
        if qos == QoS::ExactlyOnce {
            self.session.inbound.insert(packet_id);
            replies.push_acknowledgement(ticket, Packet::PubRec(ack), false, Some(message));
        } else {
            replies.push_acknowledgement(ticket, Packet::PubAck(ack), true, Some(message));
        }
    }

    /// A limit in all is reached, or the disk is full. Who cannot be told by a reason code is not told a lie either: before 5.0
    /// the connection ends without an acknowledgement [MQTT3-4.8.0-2].
    fn over_quota(
        &mut self,
        qos: QoS,
        packet_id: Option<PacketId>,
        why: &'static str,
        replies: &mut Replies,
    ) -> Result<(), Close> {
        let reason = ReasonCode::QuotaExceeded;
        if packet_id.is_some() && !self.version.has_reason_codes() {
            return Err(Close::new(reason, why));
        }
        self.refuse(qos, packet_id, Refusal { reason, why }, replies);
        Ok(())
    }

    /// Answers a publish that is not accepted. At QoS 2 nothing is noted, so its id is free again [MQTT-4.3.3-9]. Before
    /// 5.0 it can only be acknowledged all the same [MQTT3-3.3.5-2].
    fn refuse(
        &mut self,
        qos: QoS,
        packet_id: Option<PacketId>,
        refusal: Refusal,
        replies: &mut Replies,
    ) {
        let Some(packet_id) = packet_id else {
            if let Some(inside) = &mut self.inside {
                inside.refuse(refusal.reason);
            }
            return;
        };
        let ack = Ack {
            reason_string: self.tolerance.reason_string(refusal.why),
            ..Ack::new(packet_id, refusal.reason)
        };
        let ticket = durability::refusal();
        if qos == QoS::AtLeastOnce {
            replies.push_acknowledgement(ticket, Packet::PubAck(ack), true, None);
        } else {
            // Without reason codes the client goes on with PUBREL.
            let settles = self.version.has_reason_codes();
            replies.push_acknowledgement(ticket, Packet::PubRec(ack), settles, None);
        }
    }
}

/// Why nothing may be published to this topic.
pub(super) fn refusal(topic: &TopicName, shared: &Shared) -> Option<Refusal> {
    let limits = shared.limits();
    let name = topic.as_str();
    let hits = &shared.counters.limits;
    if name.len() > limits.topic_bytes_max {
        hits.hit(Limit::TopicBytesMax);
        return Some(Refusal {
            reason: ReasonCode::TopicNameInvalid,
            why: "the topic is longer than topic_bytes_max",
        });
    }
    if topic.levels().count() > limits.topic_levels_max {
        hits.hit(Limit::TopicLevelsMax);
        return Some(Refusal {
            reason: ReasonCode::TopicNameInvalid,
            why: "the topic has more levels than topic_levels_max",
        });
    }
    let presence = shared.presence.as_ref();
    if presence.is_some_and(|presence| presence.contains(topic)) {
        return Some(Refusal {
            reason: ReasonCode::NotAuthorized,
            why: "the broker itself keeps presence in this topic",
        });
    }
    own::is_own(topic).then_some(Refusal {
        reason: ReasonCode::NotAuthorized,
        why: "topics below $SYS/ and $ebbtide/ are the broker's own",
    })
}
