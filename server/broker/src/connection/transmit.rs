//! What leaves: signs of life at once, replies when their commit is there, messages in their order. Only messages wait for
//! room in the client's Receive Maximum [MQTT-3.3.4-10, MQTT-4.9.0-3].

use bytes::{Bytes, BytesMut};
use ebbtide_protocol::{
    Packet, PacketId, Version,
    codec::{PublishRef, encode, encode_publish, encode_publish_head, publish_len},
};

use super::{
    Connection, Phase, aliases::ALIAS_BYTES, open::Open, outbound::Staged, replies::Replies,
};
use crate::{
    Fate, Now,
    fates::TopicKey,
    route::mailbox::Delivery,
    shared::Shared,
    stats::{DropReason, Traffic},
};

/// A payload that is larger is not copied whole: it goes out in parts, and what is left of it is shared with all who get it. A smaller one
/// is not worth a turn of its own.
const WHOLE_BYTES_MAX: usize = 16 * 1024;

/// What one look gives.
struct Look<'a> {
    output: &'a mut BytesMut,
    /// So long `output` may become.
    limit: usize,
    /// See [`Connection::partial`].
    partial: &'a mut Option<Box<Bytes>>,
    sent: Traffic,
}

impl Look<'_> {
    /// Whether another packet may begin.
    fn has_room(&self) -> bool {
        self.output.len() < self.limit
    }

    fn encode(&mut self, packet: &Packet, version: Version) {
        encode(packet, version, self.output);
        self.sent.packets += 1;
    }

    fn encode_publish(&mut self, publish: &PublishRef<'_>, payload: &Bytes, version: Version) {
        if payload.len() <= WHOLE_BYTES_MAX {
            encode_publish(publish, version, self.output);
        } else {
            encode_publish_head(publish, version, self.output);
            *self.partial = Some(Box::new(payload.clone()));
            self.go_on();
        }
        self.sent.packets += 1;
        self.sent.publishes += 1;
        self.sent.payload_bytes += payload.len() as u64;
    }

    /// With the packet that has begun, as far as there is room: if some of it is left, there is none for anything else.
    fn go_on(&mut self) {
        let Some(rest) = self.partial else { return };
        let room = self.limit.saturating_sub(self.output.len());
        let part = rest.split_to(room.min(rest.len()));
        self.output.extend_from_slice(&part);
        if rest.is_empty() {
            *self.partial = None;
        }
    }
}

impl Connection {
    /// How many bytes one call of [`Connection::poll_transmit`] appends at most, but for the head and a small payload of the last packet.
    pub const TRANSMIT_BYTES: usize = 64 * 1024;

    /// Appends what is to be written to `output`: all there is, or as much as one call may. Returns `false` when it added nothing;
    /// [`Connection::wants_turn`] says whether it only had to stop looking.
    pub fn poll_transmit(&mut self, output: &mut BytesMut, now: Now) -> bool {
        self.seen = now;
        let before = output.len();
        let limit = before + Self::TRANSMIT_BYTES;
        let version = self.decoder.version().unwrap_or_default();
        let mut look = Look {
            output,
            limit,
            partial: &mut self.partial,
            sent: Traffic::default(),
        };
        look.go_on();
        // Nothing may come into the midst of a packet, not even the last one.
        if look.partial.is_none() {
            if let Some(challenge) = self.challenge.take() {
                look.encode(&challenge, version);
            }
            if let Phase::Open(open) = &mut self.phase {
                (open.outbound.steps, open.outbound.is_cut_short) = (0, false);
                // CONNACK is the first of the replies, and everything else comes after it [MQTT-3.2.0-1].
                open.transmit_replies(&mut self.replies, &self.shared, &mut look);
                if open.is_acknowledged {
                    while self.pings > 0 && look.has_room() {
                        look.encode(&Packet::PingResp, version);
                        self.pings -= 1;
                    }
                    open.transmit_messages(&self.replies, &self.shared, &mut look, now);
                    self.questions.extend(open.question(&self.shared));
                }
            }
            if look.partial.is_none()
                && let Some(farewell) = self.farewell.take()
            {
                look.encode(&farewell, version);
            }
        }
        let mut sent = look.sent;
        sent.bytes = (output.len() - before) as u64;
        self.note_reading(now);
        self.shared.counters.sent.add(sent);
        self.count();
        if output.len() < limit {
            self.await_commit();
        }
        output.len() > before
    }

    /// Whether [`Connection::poll_transmit`] is to be called again, once others have had their turn, though nothing has happened.
    #[must_use]
    pub fn wants_turn(&self) -> bool {
        matches!(&self.phase, Phase::Open(open) if open.outbound.is_cut_short)
    }

    /// Whether it waits for a commit that has failed, or stands behind one [MQTT3-4.8.0-2].
    pub(super) fn waits_in_vain(&self) -> bool {
        let journal = &self.shared.journal;
        journal.is_broken()
            && self
                .waits_for()
                .is_some_and(|ticket| !journal.is_durable(ticket))
    }

    /// Asks to be woken by the commit that the next output waits for. It may have come since that output was looked at, and
    /// then nobody else would wake this connection.
    fn await_commit(&mut self) {
        let Some(ticket) = self.waits_for() else {
            return;
        };
        let journal = &self.shared.journal;
        if journal.is_durable(ticket) {
            self.waker.wake_by_ref();
        } else if journal.is_durable(self.awaited) {
            self.awaited = ticket;
            journal.wake_when_durable(ticket, &self.waker);
        }
    }

    fn waits_for(&self) -> Option<crate::Ticket> {
        let Phase::Open(open) = &self.phase else {
            return None;
        };
        self.replies
            .waits_for()
            .into_iter()
            .chain(open.outbound.waits_for())
            .chain(self.is_ahead_of_disk().then(|| self.shared.journal.last()))
            .min()
    }
}

impl Open {
    fn transmit_replies(&mut self, replies: &mut Replies, shared: &Shared, look: &mut Look<'_>) {
        while look.has_room() {
            let Some(reply) = replies.pop(&shared.journal) else {
                break;
            };
            if reply.settles {
                self.settle();
            }
            let Some(mut packet) = reply.packet else {
                continue;
            };
            self.is_acknowledged |= matches!(packet, Packet::ConnAck(_));
            let fits = self.tolerance.fits(&mut packet, self.version);
            debug_assert!(fits, "a smaller one is not asked for: {packet:?}");
            if fits {
                look.encode(&packet, self.version);
            }
        }
    }

    fn transmit_messages(
        &mut self,
        replies: &Replies,
        shared: &Shared,
        look: &mut Look<'_>,
        now: Now,
    ) {
        loop {
            self.stage(shared, |reply| replies.is_sent(reply), now);
            let mut is_at_end = true;
            while look.has_room()
                && let Some(staged) = self.outbound.next_staged(&shared.journal)
            {
                is_at_end = false;
                if let Some(end) = staged.marks
                    && !self.outbound.ends.close(end)
                {
                    continue;
                }
                if staged.has_expired(now) {
                    let topic = TopicKey::of(&staged.delivery.message.topic);
                    self.session.fates.note(topic, Fate::Expired, now.wall);
                    shared.counters.dropped(DropReason::Expired);
                    continue;
                }
                self.encode(&staged, look, now);
            }
            if is_at_end || !look.has_room() {
                break;
            }
        }
    }

    fn encode(&mut self, staged: &Staged, look: &mut Look<'_>, now: Now) {
        let mut publish = publish_ref(&staged.delivery, staged.packet_id, now);
        let maximum = self.tolerance.maximum_packet_size;
        // It fits without an alias; with one, the length of all properties may take a byte more.
        let has_room = maximum == u32::MAX
            || publish_len(&publish, self.version) + ALIAS_BYTES + 4 <= maximum as usize;
        if has_room
            && staged.marks.is_none()
            && let Some((alias, is_known)) =
                self.outgoing_aliases.assign(&staged.delivery.message.topic)
        {
            publish.topic_alias = Some(alias);
            if is_known {
                publish.topic = "";
            }
        }
        look.encode_publish(&publish, &staged.delivery.message.payload, self.version);
    }
}

/// A delivery as a PUBLISH packet. What is left of its lifetime is told [MQTT-3.3.2-6], never more than there was: a turn may have begun
/// before the message was accepted.
pub(super) fn publish_ref(
    delivery: &Delivery,
    packet_id: Option<PacketId>,
    now: Now,
) -> PublishRef<'_> {
    let message = &*delivery.message;
    let lifetime_s = message.properties.message_expiry_interval;
    let left_s = lifetime_s.zip(message.expires_at());
    let left_s = left_s.map(|(lifetime_s, expires_at)| {
        let left_ms = expires_at.0.saturating_sub(now.wall.0);
        u32::try_from(left_ms.div_ceil(1000)).map_or(lifetime_s, |left_s| lifetime_s.min(left_s))
    });
    PublishRef {
        dup: delivery.dup,
        qos: delivery.qos,
        retain: delivery.retain,
        topic: message.topic.as_str(),
        packet_id,
        topic_alias: None,
        message_expiry_interval: left_s,
        subscription_identifiers: &delivery.subscription_identifiers,
        properties: &message.properties,
        payload: &message.payload,
    }
}
