//! Replies in the order of what they answer, each held back until its commit.

use std::{collections::VecDeque, sync::Arc};

use ebbtide_protocol::Packet;
use ebbtide_store::Message;

use crate::{
    Durability,
    journal::{Journal, Ticket},
    trim,
};

/// A reply that waits for its turn.
#[derive(Debug)]
pub(super) struct Reply {
    ticket: Ticket,
    /// `None`: nothing is said, only counted (a retained QoS 0 publish on its way to the disk).
    pub packet: Option<Packet>,
    /// It gives the client back one of its Receive Maximum.
    pub settles: bool,
    /// Bytes of what it answers, as far as that is kept meanwhile.
    bytes: usize,
    /// The publish that it answers, until that is durable: see [`crate::route::Published::message`].
    message: Option<Arc<Message>>,
}

#[derive(Debug, Default)]
pub(super) struct Replies {
    durability: Durability,
    queue: VecDeque<Reply>,
    /// So many at the front have let their message go.
    released: usize,
    /// Bytes that wait with the replies.
    uncommitted_bytes: usize,
    /// How many replies have been pushed, and how many have left.
    pushed: u64,
    sent: u64,
}

impl Replies {
    pub fn set_durability(&mut self, durability: Durability) {
        self.durability = durability;
    }

    /// The number of the reply that is pushed next.
    pub fn next(&self) -> u64 {
        self.pushed + 1
    }

    /// Gives the reply's number, for [`Replies::is_sent`].
    pub fn push(&mut self, ticket: Ticket, packet: Packet) -> u64 {
        self.push_counted(ticket, packet, 0)
    }

    /// The answer to a request of so many bytes.
    pub fn push_counted(&mut self, ticket: Ticket, packet: Packet, bytes: usize) -> u64 {
        self.push_reply(Reply {
            ticket,
            packet: Some(packet),
            settles: false,
            bytes,
            message: None,
        })
    }

    /// The answer to a publish; with `settles` it ends that exchange. `message`: what is to be kept of it.
    pub fn push_acknowledgement(
        &mut self,
        ticket: Ticket,
        packet: Packet,
        settles: bool,
        message: Option<Arc<Message>>,
    ) {
        self.push_reply(Reply {
            ticket,
            packet: Some(packet),
            settles,
            bytes: message.as_ref().map_or(0, |message| message.size_bytes()),
            message,
        });
    }

    /// A publish at QoS 0 has something for the disk: nobody is told, but the bytes count.
    pub fn push_silence(&mut self, ticket: Ticket, message: Arc<Message>) {
        self.push_reply(Reply {
            ticket,
            packet: None,
            settles: false,
            bytes: message.size_bytes(),
            message: Some(message),
        });
    }

    fn push_reply(&mut self, mut reply: Reply) -> u64 {
        reply.ticket = self.durability.wait(reply.ticket);
        self.uncommitted_bytes += reply.bytes;
        trim::push(&mut self.queue, reply);
        self.pushed += 1;
        self.pushed
    }

    /// The next reply that may leave.
    pub fn pop(&mut self, journal: &Journal) -> Option<Reply> {
        if !journal.is_durable(self.queue.front()?.ticket) {
            return None;
        }
        let reply = self.queue.pop_front()?;
        self.released = self.released.saturating_sub(1);
        self.uncommitted_bytes -= reply.bytes;
        self.sent += 1;
        let is_rare = matches!(reply.packet, Some(Packet::ConnAck(_) | Packet::SubAck(_)));
        if is_rare && self.queue.is_empty() {
            // Most clients come, subscribe and ask for nothing else.
            self.queue = VecDeque::new();
        }
        Some(reply)
    }

    /// Lets go of what is durable, also if its reply cannot leave because the client reads nothing.
    pub fn release(&mut self, journal: &Journal) {
        while let Some(reply) = self.queue.get_mut(self.released)
            && journal.is_durable(reply.ticket)
        {
            reply.message = None;
            self.released += 1;
        }
    }

    /// The commit that the next reply waits for.
    pub fn waits_for(&self) -> Option<Ticket> {
        self.queue.front().map(|reply| reply.ticket)
    }

    pub fn is_sent(&self, number: u64) -> bool {
        self.sent >= number
    }

    pub fn uncommitted_bytes(&self) -> usize {
        self.uncommitted_bytes
    }

    pub fn len(&self) -> usize {
        self.queue.len()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ebbtide_protocol::{PacketId, QoS, ReasonCode, TopicName, packet::Ack};
    use ebbtide_store::{Incarnation, Operation, Properties, WallTime};

    use super::*;

    /// A client that publishes and reads no answer holds the memory of what has not been committed, and of nothing else.
    #[test]
    fn a_reply_that_cannot_leave_holds_its_message_until_the_commit() {
        let message = Arc::new(Message {
            topic: TopicName::new("t").expect("valid"),
            payload: Bytes::new(),
            qos: QoS::AtLeastOnce,
            retain: false,
            accepted_at: WallTime(1),
            properties: Properties::default(),
        });
        let (journal, mut replies) = (Journal::default(), Replies::default());
        let publish = |replies: &mut Replies| {
            let ticket = journal.submit(Operation::RemoveDropped(Incarnation(1)));
            let puback = Packet::PubAck(Ack::new(PacketId::MIN, ReasonCode::Success));
            replies.push_acknowledgement(ticket, puback, true, Some(Arc::clone(&message)));
        };
        let holds = |replies: &mut Replies| {
            replies.release(&journal);
            Arc::strong_count(&message) - 1
        };
        publish(&mut replies);
        publish(&mut replies);
        assert_eq!(holds(&mut replies), 2);
        journal.finish(journal.take().expect("operations"));
        assert_eq!(holds(&mut replies), 0);
        publish(&mut replies);
        assert_eq!(holds(&mut replies), 1);
        // Replies leave from the front: the one behind them is found all the same.
        assert!(replies.pop(&journal).is_some());
        assert!(replies.pop(&journal).is_some());
        publish(&mut replies);
        assert_eq!(holds(&mut replies), 2);
        journal.finish(journal.take().expect("operations"));
        assert_eq!(holds(&mut replies), 0);
        assert_eq!(replies.len(), 2);
    }
}
