//! The session of a durable client: handed in before the start, stored change by change, and never ahead of its store.
//!
//! Whoever drives a durable client stores the batches of [`Client::poll_journal`] in their order, each as a whole, and
//! says so; what depends on a batch leaves then and not before. A crash between two batches is a crash between two
//! steps of the protocol.

use super::{
    Client, Delivery, Error, JournalBatch, OutgoingMessage, PublishHandle, Stage,
    SubscriptionHandle, Ticket, Use, journal::Effect,
};
use crate::{PacketId, TopicFilter};

impl Client {
    /// Before the start: a publish that an earlier run had sent. In the order in which they were sent.
    ///
    /// # Errors
    /// [`Error::PacketIdInUse`] when another one has this packet id.
    pub fn restore_outgoing(
        &mut self,
        message: OutgoingMessage,
        delivery: Delivery,
        packet_id: PacketId,
        stage: Stage,
    ) -> Result<PublishHandle, Error> {
        if !self.ids.reserve(packet_id) {
            return Err(Error::PacketIdInUse);
        }
        Ok(self.outbound.restore(message, delivery, packet_id, stage))
    }

    /// Before the start: a QoS 2 packet id that was received and not completed.
    pub fn restore_incoming(&mut self, packet_id: PacketId) {
        self.inbound.restore(packet_id);
    }

    /// Before the start: a subscription, ascending by identifier. Its handle has the same number.
    pub fn restore_subscription(
        &mut self,
        identifier: u32,
        filter: TopicFilter,
        used: Use,
    ) -> SubscriptionHandle {
        self.subscriptions.restore(identifier, filter, used);
        let handle = SubscriptionHandle(identifier);
        if used.ending {
            self.unsubscribe(handle);
        }
        handle
    }

    /// The next entries to store. Two batches may be under way; what changes meanwhile becomes the next.
    pub fn poll_journal(&mut self) -> Option<JournalBatch> {
        self.subscriptions.note_endings(&mut self.journal);
        self.journal.poll()
    }

    /// This batch is stored, and all before it.
    pub fn handle_committed(&mut self, ticket: Ticket) {
        self.journal.commit(ticket);
        while let Some(effect) = self.journal.let_go() {
            self.let_go(effect);
        }
    }

    /// While it holds, no PUBACK or PUBREC leaves: there is no room for more messages than the server may send anyway.
    pub fn hold_acknowledgements(&mut self, holds: bool) {
        self.holds = holds;
        while !self.holds
            && let Some(owed) = self.held.pop_front()
        {
            self.acknowledge(owed);
        }
    }

    /// How many more publishes keep the window full; none without a connection.
    #[must_use]
    pub fn wanted(&self) -> usize {
        let limits = self.limits.as_ref();
        limits.map_or(0, |limits| self.outbound.wanted(limits))
    }

    /// Takes a publish back. `false` if it may have left, or is settled; else nothing more is heard of it.
    pub fn cancel(&mut self, handle: PublishHandle) -> bool {
        self.outbound
            .cancel(handle, &mut self.ids, &mut self.journal)
    }

    /// Lets it go, once nothing is in its way.
    pub(super) fn gate(&mut self, effect: Effect) {
        if let Some(effect) = self.journal.gate(effect) {
            self.let_go(effect);
        }
    }

    pub(super) fn let_go(&mut self, effect: Effect) {
        match effect {
            Effect::Packet(packet) => self.control.push_back(packet),
            Effect::Acknowledge(owed) if self.holds => self.held.push_back(owed),
            Effect::Acknowledge(owed) => self.acknowledge(owed),
            Effect::Event(event) => self.push_event(event),
        }
    }
}
