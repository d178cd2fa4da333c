//! The messages that one session is to get, as they stand in line: under way, taken out by its connection, waiting.

use std::sync::Arc;

use ebbtide_protocol::{PacketId, QoS, TopicFilter};
use ebbtide_store::{FlowStage, Incarnation, Message, Sequence};

use crate::{
    journal::Ticket,
    route::mailbox::{Delivery, Mail},
    session::Session,
    shared::Shared,
};

/// Some of the messages that a session is to get.
#[derive(Debug)]
pub struct QueuePart {
    /// How many there are in all.
    pub total: u64,
    /// The next first.
    pub entries: Vec<QueueEntry>,
    /// Those that are stored can be read once this is durable.
    pub readable_after: Ticket,
}

/// One message in line.
#[derive(Debug)]
pub struct QueueEntry {
    /// Its place, from 0.
    pub position: u64,
    /// Sent and not acknowledged: its packet id, and whether only PUBCOMP is still to come.
    pub exchange: Option<(PacketId, bool)>,
    /// The shared subscription that it is held of.
    pub shared: Option<TopicFilter>,
    /// The message, or where it is.
    pub content: QueuedContent,
}

/// What is known of a message in line.
#[derive(Debug)]
pub enum QueuedContent {
    /// It is in memory, and goes out at this QoS.
    Message(Arc<Message>, QoS),
    /// The store has it, for this session or group: ask its `read_part`.
    Stored(Incarnation, Sequence),
    /// It was sent, and is nowhere else than with the client.
    Sent(QoS),
}

/// What a connection holds that is not in the mailbox.
pub(crate) struct Held<'a> {
    pub mail: Box<dyn Iterator<Item = &'a Mail> + 'a>,
    /// To be read from the store.
    pub unread: Vec<Sequence>,
}

/// So many of them, with the first ones left out. `held` is what the session's connection has taken from the mailbox.
pub(crate) fn part(
    session: &Session,
    held: Option<Held<'_>>,
    shared: &Shared,
    offset: usize,
    count: usize,
) -> QueuePart {
    let mut line = Line {
        session: session.incarnation,
        position: 0,
        offset,
        count,
        entries: Vec::new(),
    };
    for (packet_id, flow) in session.flows.in_order() {
        let exchange = Some((packet_id, flow.stage == FlowStage::Released));
        let own = flow.sequence.map(|at| (session.incarnation, at));
        let group = flow.lease.as_ref().map(|lease| lease.group());
        let of_group = flow.lease.as_ref().and_then(|lease| lease.sequence());
        let stored = own.or(group.map(|group| group.number).zip(of_group));
        let content = match stored {
            Some((owner, sequence)) => QueuedContent::Stored(owner, sequence),
            None => QueuedContent::Sent(flow.qos),
        };
        line.add(exchange, group.map(|group| group.filter.clone()), || {
            content
        });
    }
    if let Some(held) = held {
        for mail in held.mail {
            line.add_mail(mail);
        }
        line.add_stored(held.unread.iter().copied(), held.unread.len());
    }
    session.mailbox.look(|leased, queue, spilled| {
        for mail in leased.into_iter().flatten().chain(queue) {
            line.add_mail(mail);
        }
        let skipped = line.offset.saturating_sub(line.position).min(spilled.len());
        line.position += skipped;
        let rest = spilled.len() - skipped;
        line.add_stored(spilled.iter_from(skipped), rest);
    });
    let stored = line.entries.iter().filter_map(|entry| match entry.content {
        QueuedContent::Stored(_, sequence) => Some(sequence),
        QueuedContent::Message(..) | QueuedContent::Sent(_) => None,
    });
    let readable_after = shared.journal.ticket_of(stored);
    QueuePart {
        total: line.position as u64,
        entries: line.entries,
        readable_after,
    }
}

struct Line {
    session: Incarnation,
    /// Of the next message.
    position: usize,
    offset: usize,
    count: usize,
    entries: Vec<QueueEntry>,
}

impl Line {
    fn add(
        &mut self,
        exchange: Option<(PacketId, bool)>,
        shared: Option<TopicFilter>,
        content: impl FnOnce() -> QueuedContent,
    ) {
        if self.position >= self.offset && self.entries.len() < self.count {
            self.entries.push(QueueEntry {
                position: self.position as u64,
                exchange,
                shared,
                content: content(),
            });
        }
        self.position += 1;
    }

    fn add_mail(&mut self, mail: &Mail) {
        match mail {
            Mail::Message(delivery) => {
                let shared = delivery.lease.as_ref().map(|lease| lease.group());
                let shared = shared.map(|group| group.filter.clone());
                self.add(None, shared, || content_of(delivery));
            }
            Mail::Unread(lease) => {
                let group = lease.group();
                if let Some(sequence) = lease.sequence() {
                    let stored = QueuedContent::Stored(group.number, sequence);
                    self.add(None, Some(group.filter.clone()), || stored);
                }
            }
            // The flows have it; retained messages that are not looked up yet have no number, nor has the mark of their end.
            Mail::Resend(..) | Mail::Snapshot(_) | Mail::End(_) => {}
        }
    }

    fn add_stored(&mut self, sequences: impl Iterator<Item = Sequence>, len: usize) {
        let end = self.position + len;
        for sequence in sequences {
            if self.entries.len() >= self.count {
                break;
            }
            let stored = QueuedContent::Stored(self.session, sequence);
            self.add(None, None, || stored);
        }
        self.position = end;
    }
}

fn content_of(delivery: &Delivery) -> QueuedContent {
    QueuedContent::Message(Arc::clone(&delivery.message), delivery.qos)
}
