//! What somebody outside wants of a session that this connection owns.

use ebbtide_protocol::ReasonCode;
use ebbtide_store::{Sequence, WallTime};

use super::{Connection, Phase, fault::Close, open::Open, outbound::Outbound};
use crate::{
    Now,
    command::{Command, Outcome, deleted},
    durability,
    inspect::{
        known,
        queue::{self, Held},
        subscriptions,
    },
    route::{
        mailbox::{Mail, Unsent},
        overflow,
    },
    shared::Shared,
    stats::DropReason,
};

impl Connection {
    /// Carries out what waits. A connection that ends drops the rest, and whoever asked is told.
    pub(super) fn handle_commands(&mut self, now: Now) {
        let Phase::Open(open) = &mut self.phase else {
            return;
        };
        for (command, reply) in open.control.take_commands() {
            let Phase::Open(open) = &mut self.phase else {
                return;
            };
            let shared = &*self.shared;
            let outcome = match command {
                Command::Subscriptions { after, count } => {
                    let part = subscriptions(&open.session, after.as_deref(), count);
                    Outcome::Subscriptions(part)
                }
                Command::Queue { offset, count } => {
                    let held = Some(open.outbound.held());
                    Outcome::Queue(queue::part(&open.session, held, shared, offset, count))
                }
                Command::Why { topic } => Outcome::Known(known(&open.session, &topic, shared)),
                Command::Purge { up_to, count } => Outcome::Purged {
                    count: open.purge(shared, up_to, count, now.wall),
                    ticket: durability::outcome(shared.journal.last()),
                },
                Command::Disconnect => {
                    self.fail(administrative(), now);
                    Outcome::Disconnected
                }
                Command::Delete => {
                    // So it ends with its connection, and its will does not wait.
                    open.session.session_expiry_interval = 0;
                    let client_id = open.session.client_id.clone();
                    self.fail(administrative(), now);
                    self.shared.tell(now, || deleted(client_id));
                    Outcome::Deleted(durability::outcome(self.shared.journal.last()))
                }
            };
            reply.tell(outcome);
        }
    }

    /// Shows how much there is of its session.
    pub(super) fn count(&self) {
        if let Phase::Open(open) = &self.phase {
            open.session.count(open.outbound.unsent());
        }
    }
}

fn administrative() -> Close {
    let why = "an operator has ended the connection";
    Close::new(ReasonCode::AdministrativeAction, why)
}

impl Open {
    /// Drops what waits and has no packet id.
    fn purge(&mut self, shared: &Shared, up_to: Sequence, count: usize, at: WallTime) -> u64 {
        let (sequences, unkept) = self.outbound.purge(up_to);
        let unsent = self.outbound.lowest();
        let taken: Vec<_> = sequences.into_iter().map(|number| (number, None)).collect();
        self.session.lose(shared, &taken, unsent, at);
        for _ in 0..unkept {
            overflow::record(shared, &self.session.mailbox, DropReason::Purged, at);
        }
        let waiting = self.session.purge(shared, up_to, count, unsent, at);
        taken.len() as u64 + unkept + waiting
    }
}

impl Outbound {
    /// What the store keeps and is not in an exchange.
    pub fn unsent(&self) -> Unsent {
        let mut unsent = Unsent {
            messages: self.unread().count(),
            bytes: 0,
        };
        for mail in &self.mail {
            // What is a group's waits for no client in particular.
            if let Mail::Message(delivery) = mail
                && delivery.sequence.is_some()
                && delivery.lease.is_none()
            {
                unsent.messages += 1;
                unsent.bytes += delivery.kept_bytes();
            }
        }
        unsent
    }

    /// What it has taken from the mailbox and not begun to send.
    pub fn held(&self) -> Held<'_> {
        Held {
            mail: Box::new(self.mail.iter()),
            unread: self.unread().collect(),
        }
    }

    /// Takes out what has not been begun to send, up to this number: the numbers of what is kept, and how many are not. What
    /// is being read, and what is a group's, stays.
    pub fn purge(&mut self, up_to: Sequence) -> (Vec<Sequence>, u64) {
        let (mut sequences, mut unkept) = (Vec::new(), 0);
        self.mail.retain(|mail| {
            let Mail::Message(delivery) = mail else {
                return true;
            };
            match delivery.sequence {
                Some(sequence) if sequence <= up_to => sequences.push(sequence),
                None if delivery.is_unkept() => unkept += 1,
                _ => return true,
            }
            false
        });
        self.unread.retain(|sequence| {
            let is_kept = *sequence > up_to;
            sequences.extend((!is_kept).then_some(*sequence));
            is_kept
        });
        (sequences, unkept)
    }
}
