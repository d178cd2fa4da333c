//! Publishes on their way to the server: waiting, sent, and (QoS 2) released.
//!
//! Everything leaves in the order it was published, resends first, never more unacknowledged than the server's Receive
//! Maximum. What is in flight survives the connection; what becomes of it depends on whether the server kept the session.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{Error, Limits, packet_ids::PacketIds};
use crate::{
    Packet, PacketId, QoS, ReasonCode, TopicName,
    packet::{Ack, MessageProperties, Publish},
};

/// Names a publish from its submission to its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublishHandle(pub(super) u64);

/// A message that the application wants published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// Where.
    pub topic: TopicName,
    /// Its content.
    pub payload: Bytes,
    /// Delivery guarantee.
    pub qos: QoS,
    /// Whether the server keeps it for later subscribers.
    pub retain: bool,
    /// Passed on to the subscribers; 3.1.1 has none.
    pub properties: MessageProperties,
}

impl OutgoingMessage {
    fn size(&self) -> usize {
        self.topic.as_str().len() + self.payload.len()
    }

    /// A PUBLISH of it; shares the payload.
    pub(super) fn to_publish(&self, packet_id: Option<PacketId>, dup: bool) -> Publish {
        Publish {
            dup,
            qos: self.qos,
            retain: self.retain,
            topic: Some(self.topic.clone()),
            packet_id,
            topic_alias: None,
            subscription_identifiers: Vec::new(),
            properties: self.properties.clone(),
            payload: self.payload.clone(),
        }
    }
}

/// An outcome to report.
pub(super) type Settled = (PublishHandle, Result<ReasonCode, Error>);

#[derive(Debug)]
struct Waiting {
    handle: PublishHandle,
    message: OutgoingMessage,
}

#[derive(Debug)]
struct Sent {
    handle: PublishHandle,
    message: OutgoingMessage,
    packet_id: PacketId,
    on_this_connection: bool,
}

#[derive(Debug)]
struct Released {
    handle: PublishHandle,
    packet_id: PacketId,
    on_this_connection: bool,
    counts: bool,
}

/// The three stages, each in order.
#[derive(Debug)]
pub(super) struct Outbound {
    waiting: VecDeque<Waiting>,
    sent: VecDeque<Sent>,
    released: VecDeque<Released>,
    /// Where in `sent` the messages begin that must be sent again on this connection.
    resend_at: usize,
    /// Publishes of this connection that count against the server's Receive Maximum.
    unacknowledged: usize,
    bytes: usize,
    next_handle: u64,
    messages_max: usize,
    bytes_max: usize,
}

impl Outbound {
    pub(super) fn new(messages_max: usize, bytes_max: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            sent: VecDeque::new(),
            released: VecDeque::new(),
            resend_at: 0,
            unacknowledged: 0,
            bytes: 0,
            next_handle: 1,
            messages_max,
            bytes_max,
        }
    }

    /// Publishes that are not settled yet.
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.sent.len() + self.released.len()
    }

    /// Takes a message in, if there is room.
    pub(super) fn push(&mut self, message: OutgoingMessage) -> Result<PublishHandle, Error> {
        let bytes = self.bytes + message.size();
        if self.len() >= self.messages_max || bytes > self.bytes_max {
            return Err(Error::QueueFull);
        }
        self.bytes = bytes;
        let handle = PublishHandle(self.next_handle);
        self.next_handle += 1;
        self.waiting.push_back(Waiting { handle, message });
        Ok(handle)
    }

    /// A connection begins. With the session kept, what is in flight goes out again in its order [MQTT-4.4.0-1, MQTT-4.6.0-1]. Without
    /// it, QoS 1 starts over as new; QoS 2 is settled if the server had it, and unknown if it had not said so.
    pub(super) fn connected(&mut self, session_present: bool, ids: &mut PacketIds) -> Vec<Settled> {
        self.unacknowledged = 0;
        self.resend_at = 0;
        let mut settled = Vec::new();
        if session_present {
            for sent in &mut self.sent {
                sent.on_this_connection = false;
            }
            for released in &mut self.released {
                released.on_this_connection = false;
                released.counts = false;
            }
            return settled;
        }
        for released in self.released.drain(..) {
            ids.free(released.packet_id);
            settled.push((released.handle, Ok(ReasonCode::Success)));
        }
        while let Some(sent) = self.sent.pop_back() {
            ids.free(sent.packet_id);
            if sent.message.qos == QoS::ExactlyOnce {
                self.bytes -= sent.message.size();
                settled.push((sent.handle, Err(Error::OutcomeUnknown)));
            } else {
                self.waiting.push_front(Waiting {
                    handle: sent.handle,
                    message: sent.message,
                });
            }
        }
        settled
    }

    /// The next packet to send, if the server's Receive Maximum leaves room for it [MQTT-3.3.4-7]; with it or instead
    /// of it an outcome.
    pub(super) fn poll(
        &mut self,
        limits: &Limits,
        ids: &mut PacketIds,
    ) -> Option<(Option<Packet>, Option<Settled>)> {
        if let Some(released) = self.released.iter_mut().find(|r| !r.on_this_connection) {
            released.on_this_connection = true;
            let ack = Ack::new(released.packet_id, ReasonCode::Success);
            return Some((Some(Packet::PubRel(ack)), None));
        }
        let room = self.unacknowledged < usize::from(limits.receive_maximum.get());
        if let Some(sent) = self.sent.get_mut(self.resend_at) {
            if !room {
                return None;
            }
            if let Some(error) = limits.refusal(&sent.message) {
                // The server resumed the session, but takes less than before.
                let sent = self.sent.remove(self.resend_at)?;
                self.bytes -= sent.message.size();
                ids.free(sent.packet_id);
                return Some((None, Some((sent.handle, Err(error)))));
            }
            sent.on_this_connection = true;
            self.resend_at += 1;
            self.unacknowledged += 1;
            // [MQTT-3.3.1-1]
            let publish = sent.message.to_publish(Some(sent.packet_id), true);
            return Some((Some(Packet::Publish(Box::new(publish))), None));
        }
        let next = self.waiting.front()?;
        if let Some(error) = limits.refusal(&next.message) {
            return Some((None, Some(self.settle_front(Err(error)))));
        }
        if next.message.qos == QoS::AtMostOnce {
            let publish = next.message.to_publish(None, false);
            let settled = self.settle_front(Ok(ReasonCode::Success));
            return Some((Some(Packet::Publish(Box::new(publish))), Some(settled)));
        }
        if !room {
            return None;
        }
        let packet_id = ids.take()?;
        let Waiting { handle, message } = self.waiting.pop_front()?;
        let publish = message.to_publish(Some(packet_id), false);
        self.sent.push_back(Sent {
            handle,
            message,
            packet_id,
            on_this_connection: true,
        });
        self.resend_at = self.sent.len();
        self.unacknowledged += 1;
        Some((Some(Packet::Publish(Box::new(publish))), None))
    }

    fn settle_front(&mut self, result: Result<ReasonCode, Error>) -> Settled {
        let waiting = self
            .waiting
            .pop_front()
            .expect("the caller has looked at it");
        self.bytes -= waiting.message.size();
        (waiting.handle, result)
    }

    fn take_sent(&mut self, packet_id: PacketId, qos: QoS) -> Option<Sent> {
        let place = self.sent.iter().position(|s| s.packet_id == packet_id)?;
        if self.sent[place].message.qos != qos || !self.sent[place].on_this_connection {
            return None;
        }
        if place < self.resend_at {
            self.resend_at -= 1;
        }
        let sent = self.sent.remove(place)?;
        self.bytes -= sent.message.size();
        Some(sent)
    }

    fn acknowledged(&mut self) {
        self.unacknowledged = self.unacknowledged.saturating_sub(1);
    }

    /// PUBACK: done. What was not asked for is ignored.
    pub(super) fn puback(&mut self, ack: &Ack, ids: &mut PacketIds) -> Option<Settled> {
        let sent = self.take_sent(ack.packet_id, QoS::AtLeastOnce)?;
        self.acknowledged();
        ids.free(ack.packet_id);
        Some((sent.handle, outcome(ack.reason)))
    }

    /// PUBREC: release it [MQTT-4.3.3-4], or done when it failed [MQTT-4.4.0-2]. Answers an unknown one in kind.
    pub(super) fn pubrec(
        &mut self,
        ack: &Ack,
        ids: &mut PacketIds,
    ) -> (Option<Packet>, Option<Settled>) {
        let Some(sent) = self.take_sent(ack.packet_id, QoS::ExactlyOnce) else {
            let known = self.released.iter().any(|r| r.packet_id == ack.packet_id);
            let reason = if known {
                ReasonCode::Success
            } else {
                ReasonCode::PacketIdentifierNotFound
            };
            let answer =
                (!ack.reason.is_error()).then(|| Packet::PubRel(Ack::new(ack.packet_id, reason)));
            return (answer, None);
        };
        if ack.reason.is_error() {
            self.acknowledged();
            ids.free(ack.packet_id);
            return (None, Some((sent.handle, outcome(ack.reason))));
        }
        self.released.push_back(Released {
            handle: sent.handle,
            packet_id: ack.packet_id,
            on_this_connection: true,
            counts: true,
        });
        let release = Ack::new(ack.packet_id, ReasonCode::Success);
        (Some(Packet::PubRel(release)), None)
    }

    /// PUBCOMP: done.
    pub(super) fn pubcomp(&mut self, ack: &Ack, ids: &mut PacketIds) -> Option<Settled> {
        let place = self
            .released
            .iter()
            .position(|r| r.packet_id == ack.packet_id)?;
        let released = self.released.remove(place)?;
        if released.counts {
            self.acknowledged();
        }
        ids.free(ack.packet_id);
        // 0x92 means that the server finished it on an earlier connection.
        Some((released.handle, Ok(ReasonCode::Success)))
    }

    /// Gives up what waits at QoS 0.
    pub(super) fn drop_qos0(&mut self) -> Vec<Settled> {
        let (dropped, kept) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition::<VecDeque<_>, _>(|w| w.message.qos == QoS::AtMostOnce);
        self.waiting = kept;
        dropped
            .into_iter()
            .map(|waiting| {
                self.bytes -= waiting.message.size();
                (waiting.handle, Err(Error::Offline))
            })
            .collect()
    }

    /// Gives up everything: the client is closed.
    pub(super) fn drain(&mut self) -> Vec<Settled> {
        self.bytes = 0;
        self.resend_at = 0;
        let released = self.released.drain(..).map(|r| r.handle);
        let sent = self.sent.drain(..).map(|s| s.handle);
        let waiting = self.waiting.drain(..).map(|w| w.handle);
        released
            .chain(sent)
            .chain(waiting)
            .map(|handle| (handle, Err(Error::Closed)))
            .collect()
    }
}

fn outcome(reason: ReasonCode) -> Result<ReasonCode, Error> {
    if reason.is_error() {
        Err(Error::Refused(reason))
    } else {
        Ok(reason)
    }
}
