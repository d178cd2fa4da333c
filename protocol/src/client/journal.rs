//! What an application has to store before the session may go on, and what waits until it has.
//!
//! Entries come in the order of the changes and are handed out in batches with ascending tickets. Nothing that depends
//! on an entry leaves before its ticket is committed, and what waits leaves in the order in which it came. Without
//! durability there are no entries, and nothing ever waits.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::{
    Error, Event, IncomingMessage, PublishHandle, Said, SubscriptionHandle, Use, inbound::Owed,
};
use crate::{ByteString, Packet, PacketId, ReasonCode, TopicFilter};

/// Names a batch of journal entries; ascending by one.
pub type Ticket = u32;

/// One change of the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalEntry {
    /// PUBLISH is about to leave for the first time, with this packet id.
    Sent {
        /// Which publish.
        handle: PublishHandle,
        /// Taken until the publish is finished, withdrawn or cancelled.
        packet_id: PacketId,
    },
    /// PUBREC came: only PUBREL is sent from now on.
    Released {
        /// Which publish.
        handle: PublishHandle,
    },
    /// Settled: nothing of it is needed any more.
    Finished {
        /// Which publish.
        handle: PublishHandle,
        /// How it went.
        result: Result<ReasonCode, Error>,
        /// As in [`Event::Acked`].
        diagnostics: Said,
    },
    /// It is as if it had never been sent; its packet id is void.
    Withdrawn {
        /// Which publish.
        handle: PublishHandle,
    },
    /// A QoS 1 or 2 message came.
    Received {
        /// QoS 2: from now on it is known, so that no repetition counts.
        packet_id: Option<PacketId>,
        /// The message.
        message: IncomingMessage,
        /// Who it is for, as in [`Event::Message`].
        subscriptions: Vec<SubscriptionHandle>,
    },
    /// PUBREL came: the packet id of a received message is free.
    Completed {
        /// Which.
        packet_id: PacketId,
    },
    /// No session is stored. The server may have one all the same, for a CONNECT is about to leave that may begin it; or it has refused that,
    /// and there is none.
    Unsure {
        /// Whether it may; void with `Restarted`.
        is_unsure: bool,
    },
    /// The server has a new, empty session. Subscriptions and received packet ids are void; what was sent and not
    /// released counts as unsent, unless `Finished` follows.
    Restarted {
        /// The name of the new session, if the server names its sessions.
        session_name: Option<ByteString>,
    },
    /// SUBSCRIBE is about to leave, or the subscription is to end.
    Subscribed {
        /// Subscription Identifier, the key of this subscription.
        identifier: u32,
        /// Its filter.
        filter: TopicFilter,
        /// How it was asked for.
        used: Use,
    },
    /// The subscription is no more.
    Unsubscribed {
        /// Subscription Identifier.
        identifier: u32,
    },
}

/// Entries to be stored together, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalBatch {
    /// For [`super::Client::handle_committed`].
    pub ticket: Ticket,
    /// Never empty.
    pub entries: Vec<JournalEntry>,
}

/// What waits for a commit.
#[derive(Debug)]
pub(super) enum Effect {
    Packet(Packet),
    Acknowledge(Owed),
    Event(Event),
}

/// Entries not handed out, and effects not let go.
#[derive(Debug)]
pub(super) struct Journal {
    is_on: bool,
    open: Vec<JournalEntry>,
    handed_out: Ticket,
    committed: Ticket,
    waiting: VecDeque<(Ticket, Effect)>,
}

impl Journal {
    /// Batches under way: while one is being committed the next one waits its turn, and all later entries become one.
    const UNDER_WAY_MAX: Ticket = 2;

    pub(super) fn new(is_on: bool) -> Self {
        Self {
            is_on,
            open: Vec::new(),
            handed_out: 0,
            committed: 0,
            waiting: VecDeque::new(),
        }
    }

    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    pub(super) fn write(&mut self, entry: JournalEntry) {
        if self.is_on {
            self.open.push(entry);
        }
    }

    /// Takes back what nobody has seen yet of a publish that is taken back.
    pub(super) fn unwrite(&mut self, cancelled: PublishHandle) {
        self.open.retain(|entry| match entry {
            JournalEntry::Sent { handle, .. } | JournalEntry::Withdrawn { handle } => {
                *handle != cancelled
            }
            _ => true,
        });
    }

    /// The ticket with which all that was written so far is committed.
    pub(super) fn ticket(&self) -> Ticket {
        self.handed_out + Ticket::from(!self.open.is_empty())
    }

    pub(super) fn has_committed(&self, ticket: Ticket) -> bool {
        ticket <= self.committed
    }

    pub(super) fn poll(&mut self) -> Option<JournalBatch> {
        if self.open.is_empty() || self.handed_out - self.committed >= Self::UNDER_WAY_MAX {
            return None;
        }
        self.handed_out += 1;
        Some(JournalBatch {
            ticket: self.handed_out,
            entries: core::mem::take(&mut self.open),
        })
    }

    /// This batch and all before are stored. A ticket that was never handed out changes nothing.
    pub(super) fn commit(&mut self, ticket: Ticket) {
        if ticket <= self.handed_out {
            self.committed = self.committed.max(ticket);
        }
    }

    /// Gives the effect back if nothing is in its way; else it waits for all that was written so far.
    pub(super) fn gate(&mut self, effect: Effect) -> Option<Effect> {
        let ticket = self.ticket();
        if self.has_committed(ticket) && self.waiting.is_empty() {
            return Some(effect);
        }
        self.waiting.push_back((ticket, effect));
        None
    }

    /// How many effects wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The next effect that waits no more.
    pub(super) fn let_go(&mut self) -> Option<Effect> {
        let (ticket, _) = self.waiting.front()?;
        if !self.has_committed(*ticket) {
            return None;
        }
        self.waiting.pop_front().map(|(_, effect)| effect)
    }

    /// The connection is gone: its packets go nowhere.
    pub(super) fn disconnected(&mut self) {
        for _ in 0..self.waiting.len() {
            if let Some(waiting) = self.waiting.pop_front()
                && let Effect::Event(_) = waiting.1
            {
                self.waiting.push_back(waiting);
            }
        }
    }
}
