//! A session: what a client is owed and owes, apart from any connection.
//!
//! It is a plain value with one owner. What others put in for it goes to its mailbox.

pub(crate) mod flows;
mod purge;
mod subscriptions;

use std::sync::Arc;

use ebbtide_protocol::{ByteString, PacketId, TopicFilter, version::SESSION_NEVER_EXPIRES};
use ebbtide_store::{
    Incarnation, Operation, Sequence, SessionRow, SubscriptionRow, WallTime, access::Claims,
};
use rustc_hash::FxHashSet;

pub(crate) use self::subscriptions::{Subscribed, Subscriptions};
use crate::{
    Monotonic, Now,
    fates::Fates,
    journal::Ticket,
    route::{
        group::Group,
        index::Subscriber,
        mailbox::{Mailbox, Unsent},
    },
    rules::Rights,
    session::flows::Flows,
    shared::Shared,
    work,
};

/// What a subscription takes besides its filter, and what a level of it takes in the index, bytes, roughly.
const SUBSCRIPTION_BYTES: usize = 256;
const LEVEL_BYTES: usize = 512;

#[derive(Debug)]
pub(crate) struct Session {
    pub incarnation: Incarnation,
    pub client_id: ByteString,
    pub user: Option<ByteString>,
    pub session_expiry_interval: u32,
    /// It has rows in the store.
    pub kept: bool,
    pub subscriptions: Subscriptions,
    /// Memory that they take.
    pub subscription_bytes: usize,
    /// Counts the SUBSCRIBEs of this life of the session in memory.
    pub generation: u64,
    /// The highest Subscription Identifier so far: a message that waits may carry any up to here.
    pub identifier_max: u32,
    pub mailbox: Arc<Mailbox>,
    /// Exchanges with this client as a subscriber.
    pub flows: Flows,
    /// QoS 2 packet ids of this client as a publisher, not yet released.
    pub inbound: FxHashSet<PacketId>,
    /// What waits up to here may have been sent before the broker crashed, so it is sent with DUP.
    pub maybe_sent: Sequence,
    /// While it is away: when it ends.
    pub expires_at: Option<Monotonic>,
    /// While it is away: since when.
    pub disconnected_at: Option<WallTime>,
    /// What became of messages that its connections took from the mailbox.
    pub fates: Fates,
    /// What its client may do, since it was here; `None`: anything, or it has not been here yet.
    pub rights: Option<Box<Rights>>,
}

impl Session {
    pub fn new(
        shared: &Shared,
        incarnation: Incarnation,
        client_id: ByteString,
        user: Option<ByteString>,
        session_expiry_interval: u32,
    ) -> Self {
        let kept = session_expiry_interval > 0;
        Self {
            incarnation,
            mailbox: Arc::new(shared.new_mailbox(incarnation, client_id.clone(), kept)),
            client_id,
            user,
            session_expiry_interval,
            kept,
            subscriptions: Subscriptions::default(),
            subscription_bytes: 0,
            generation: 0,
            identifier_max: 0,
            flows: Flows::default(),
            inbound: FxHashSet::default(),
            maybe_sent: Sequence(0),
            expires_at: None,
            disconnected_at: None,
            fates: Fates::default(),
            rights: None,
        }
    }

    /// What rules may ask for of its client.
    pub fn claims(&self) -> Claims {
        let rights = self.rights.as_ref();
        rights.map_or_else(Vec::new, |rights| rights.subject().claims.clone())
    }

    /// Shows how much there is of it. `unsent` is with its connection.
    pub fn count(&self, unsent: Unsent) {
        let gauges = &self.mailbox.gauges;
        gauges.set(self.subscriptions.len(), self.flows.len(), unsent);
    }

    /// Its row. `disconnected_at` is `None` while a connection owns it.
    pub fn row(&self, disconnected_at: Option<WallTime>) -> SessionRow {
        SessionRow {
            incarnation: self.incarnation,
            client_id: self.client_id.clone(),
            user: self.user.clone(),
            session_expiry_interval: self.session_expiry_interval,
            disconnected_at,
            next_packet_id: self.flows.mark(),
            maybe_sent: self.maybe_sent,
        }
    }

    /// Whether it has been away for too long.
    pub fn is_expired(&self, now: Now) -> bool {
        self.expires_at.is_some_and(|at| at <= now.monotonic)
    }

    /// When it ends if nobody returns; `None`: never.
    pub fn expires_after_ms(&self) -> Option<u64> {
        (self.session_expiry_interval != SESSION_NEVER_EXPIRES)
            .then(|| u64::from(self.session_expiry_interval) * 1000)
    }

    /// Reserves packet ids ahead, so that a crash does not bring back those it has used. For a kept session.
    pub fn raise_packet_id_mark(&mut self, shared: &Shared) {
        if self.flows.raise_mark() {
            shared.journal.submit(Operation::PutSession(self.row(None)));
        }
    }

    /// Adds a subscription or replaces the one with the same filter.
    pub fn subscribe(&mut self, subscribed: Subscribed) {
        let bytes = subscription_bytes(&subscribed.row.filter);
        if self.subscriptions.insert(subscribed).is_none() {
            self.subscription_bytes += bytes;
        }
    }

    /// Takes a subscription out.
    pub fn unsubscribe(&mut self, filter: &TopicFilter) -> Option<Subscribed> {
        let subscribed = self.subscriptions.remove(filter)?;
        self.subscription_bytes -= subscription_bytes(filter);
        Some(subscribed)
    }

    /// As the index has it.
    pub fn subscriber(&self, row: &SubscriptionRow) -> Subscriber {
        Subscriber {
            mailbox: Arc::clone(&self.mailbox),
            options: row.options,
            identifier: row.identifier,
        }
    }

    /// The message is done for this client: acknowledged, expired or dropped.
    /// `unsent` is the lowest number that its owner has taken from the mailbox and not sent.
    pub fn done(
        &mut self,
        shared: &Shared,
        sequence: Sequence,
        packet_id: Option<PacketId>,
        unsent: impl FnOnce() -> Option<Sequence>,
    ) {
        let mailbox = &self.mailbox;
        let cursor = self.flows.cursor(sequence, || {
            mailbox.lowest().into_iter().chain(unsent()).min()
        });
        shared
            .journal
            .done(self.incarnation, sequence, packet_id, cursor);
    }

    /// The groups that it is a member of, the oldest first.
    pub fn groups(&self) -> Vec<Arc<Group>> {
        let subscribed = self.subscriptions.iter();
        let mut groups: Vec<_> = subscribed
            .filter_map(|subscribed| subscribed.group.clone())
            .collect();
        groups.sort_unstable_by_key(|group| group.number);
        groups
    }

    /// How much work it is to end it, but for what goes on later.
    pub fn steps_to_end(&self) -> usize {
        let filters = self.subscriptions.filters();
        filters.map(|filter| work::levels(filter.as_str())).sum()
    }

    /// Removes it with everything that waits for it. Retained messages are none of its own [MQTT3-3.1.2-7].
    pub fn end(mut self, shared: &Shared) -> Option<Ticket> {
        let mut ended = Vec::new();
        let subscriptions: Vec<_> = self.subscriptions.iter().collect();
        let mut left = &subscriptions[..];
        // In parts, for nobody can publish meanwhile.
        while !left.is_empty() {
            let (part, rest) = left.split_at(work::part(left, |subscribed| {
                work::levels(subscribed.row.filter.as_str())
            }));
            left = rest;
            let mut index = shared.index.write();
            for subscribed in part {
                match &subscribed.group {
                    None => {
                        let pattern = subscribed.row.filter.pattern();
                        index.remove(pattern, self.incarnation);
                    }
                    Some(group) => ended.extend(index.leave(group, self.incarnation)),
                }
            }
        }
        for group in ended {
            group.end(shared);
        }
        // Behind the index lock nobody can push any more.
        let mut waiting = self.mailbox.drain();
        let under_way = self.flows.drain();
        shared.journal.end_exchanges(&under_way);
        waiting.extend(under_way);
        shared.abandon(waiting);
        self.kept.then(|| {
            let removed = Operation::RemoveSession(self.incarnation);
            let ticket = shared.journal.submit(removed);
            let ended = &shared.registry.ended;
            ended.remember(&self.client_id, ticket, &shared.journal);
            ticket
        })
    }
}

/// Memory that a subscription to this filter takes, roughly.
pub(crate) fn subscription_bytes(filter: &TopicFilter) -> usize {
    let text = filter.as_str();
    SUBSCRIPTION_BYTES + 2 * text.len() + LEVEL_BYTES * text.split('/').count()
}
