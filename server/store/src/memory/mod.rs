//! A store that keeps everything in memory: the model that the conformance suite compares others with, what tests run on,
//! and what a broker with `--ephemeral` runs on, for months.
//!
//! It is written to be obviously right: sets and maps, one lock, no interning. But what a session is done with takes no more than what
//! it waits for, and no operation costs more than what it is about. Nothing survives the process, but [`Store::recover`] gives back what was
//! committed, so that a test can restart a broker on it.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    ops::{Range, RangeInclusive},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ebbtide_protocol::{PacketId, TopicFilter, TopicName};

use crate::{
    Accept, AccessName, AccessRow, DroppedRow, FlowRow, FlowStage, GroupRow, Incarnation, Marks,
    Message, Operation, Part, Queue, Queued, Recipient, RecipientSet, RecoveryReport,
    RetainedChange, RetainedRow, Row, Sequence, SessionRow, Store, StoreError, SubscriptionRow,
    WillRow,
    progress::{LOOKED_AT_PER_RANGE, Progress, RANGES_STEP},
};

/// The store in memory. Clones share their content.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<State>>);

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    // Operations cannot panic half-way, so a lock poisoned by a panicking visitor guards a whole state.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn commit(&self, batch: &[Operation]) -> Result<(), StoreError> {
        let mut state = self.state();
        for operation in batch {
            state.apply(operation);
        }
        Ok(())
    }

    fn read_part(
        &self,
        session: Incarnation,
        sequences: &[Sequence],
        bytes_max: usize,
    ) -> Result<Part, StoreError> {
        let state = self.state();
        Part::read(sequences, bytes_max, |sequence| {
            Ok(state.queued(session, sequence))
        })
    }

    fn recover(&self, visit: &mut dyn FnMut(Row)) -> Result<RecoveryReport, StoreError> {
        let mut state = self.state();
        let swept = state.sweep();
        state.rows(visit);
        Ok(RecoveryReport {
            put_aside: Vec::new(),
            swept,
        })
    }
}

#[derive(Clone, Debug, Default)]
struct State {
    marks: Marks,
    access: BTreeMap<AccessName, AccessRow>,
    sessions: BTreeMap<Incarnation, SessionRow>,
    groups: BTreeMap<Incarnation, GroupRow>,
    /// None of them empty: by session, for they end with it.
    subscriptions: BTreeMap<Incarnation, BTreeMap<TopicFilter, SubscriptionRow>>,
    inbound: BTreeSet<(Incarnation, PacketId)>,
    dropped: BTreeMap<Incarnation, DroppedRow>,
    wills: BTreeMap<Incarnation, WillRow>,
    retained: BTreeMap<TopicName, RetainedRow>,
    messages: BTreeMap<Sequence, (Arc<Message>, RecipientSet)>,
    done: BTreeMap<Incarnation, Done>,
    flows: BTreeMap<(Incarnation, PacketId), (Sequence, FlowStage)>,
}

/// What a session is done with.
#[derive(Clone, Debug)]
struct Done {
    progress: Progress,
    /// With so many ranges they are joined. Only with twice as many as were left then, however often they become fewer in between: each of
    /// them is looked at, and most acknowledgements are to find nothing to do.
    join_at: usize,
}

impl Default for Done {
    fn default() -> Self {
        Self {
            progress: Progress::default(),
            join_at: RANGES_STEP,
        }
    }
}

/// Every packet id of a session.
fn ids_of(session: Incarnation) -> RangeInclusive<(Incarnation, PacketId)> {
    (session, PacketId::MIN)..=(session, PacketId::MAX)
}

impl State {
    fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Reserve(marks) => {
                self.marks.sequence = self.marks.sequence.max(marks.sequence);
                self.marks.revision = self.marks.revision.max(marks.revision);
                self.marks.incarnation = self.marks.incarnation.max(marks.incarnation);
            }
            Operation::PutSession(row) => {
                self.sessions.insert(row.incarnation, row.clone());
            }
            Operation::RemoveSession(gone) => {
                self.sessions.remove(gone);
                self.done.remove(gone);
                self.subscriptions.remove(gone);
                self.dropped.remove(gone);
                let ids = ids_of(*gone);
                let flows: Vec<_> = self.flows.range(ids.clone()).map(|(id, _)| *id).collect();
                for id in flows {
                    self.flows.remove(&id);
                }
                let inbound: Vec<_> = self.inbound.range(ids).copied().collect();
                for id in inbound {
                    self.inbound.remove(&id);
                }
            }
            Operation::PutSubscription {
                session,
                subscription,
            } => {
                let filter = subscription.filter.clone();
                let subscriptions = self.subscriptions.entry(*session).or_default();
                subscriptions.insert(filter, subscription.clone());
            }
            Operation::RemoveSubscription { session, filter } => {
                if let Some(subscriptions) = self.subscriptions.get_mut(session) {
                    subscriptions.remove(filter);
                    if subscriptions.is_empty() {
                        self.subscriptions.remove(session);
                    }
                }
            }
            Operation::PutGroup(row) => {
                self.groups.insert(row.group, row.clone());
            }
            Operation::RemoveGroup(gone) => {
                self.groups.remove(gone);
                self.done.remove(gone);
            }
            Operation::MoveShared {
                sequence,
                from,
                cursor,
                to,
                copy,
                packet_id,
            } => {
                self.done(*from, *sequence, None, *cursor);
                self.queue(copy);
                let flow = (copy.sequence, FlowStage::Sent);
                self.flows.insert((*to, *packet_id), flow);
            }
            Operation::Accept(accept) => self.accept(accept),
            &Operation::Sent {
                session,
                sequence,
                packet_id,
            } => {
                let flow = (sequence, FlowStage::Sent);
                self.flows.insert((session, packet_id), flow);
            }
            &Operation::Released {
                session,
                sequence,
                packet_id,
            } => {
                let flow = (sequence, FlowStage::Released);
                self.flows.insert((session, packet_id), flow);
            }
            &Operation::Done {
                session,
                sequence,
                packet_id,
                cursor,
            } => self.done(session, sequence, packet_id, cursor),
            Operation::RemoveMessage(sequence) => {
                self.messages.remove(sequence);
            }
            Operation::ReleaseInbound { session, packet_id } => {
                self.inbound.remove(&(*session, *packet_id));
            }
            Operation::PutDropped(row) => {
                self.dropped.insert(row.session, *row);
            }
            Operation::RemoveDropped(session) => {
                self.dropped.remove(session);
            }
            Operation::PutAccess(row) => {
                self.access.insert(row.name(), AccessRow::clone(row));
            }
            Operation::RemoveAccess(name) => {
                self.access.remove(name);
            }
            Operation::PutWill(row) => {
                self.wills.insert(row.session, (**row).clone());
            }
            Operation::RemoveWill(session) => {
                self.wills.remove(session);
            }
            Operation::FireWill { session, accept } => {
                self.wills.remove(session);
                self.accept(accept);
            }
        }
    }

    fn accept(&mut self, accept: &Accept) {
        if let Some(queue) = &accept.queued {
            self.queue(queue);
        }
        if let Some(publisher) = accept.inbound {
            self.inbound.insert(publisher);
        }
        match &accept.retained {
            None => {}
            Some(RetainedChange::Set(row)) => {
                let topic = &row.message.topic;
                let stored = self.retained.get(topic);
                if stored.is_none_or(|stored| stored.revision < row.revision) {
                    self.retained.insert(topic.clone(), row.clone());
                }
            }
            Some(RetainedChange::Clear { topic, revision }) => {
                let stored = self.retained.get(topic);
                if stored.is_some_and(|stored| stored.revision < *revision) {
                    self.retained.remove(topic);
                }
            }
        }
    }

    fn queue(&mut self, queue: &Queue) {
        let entry = (queue.message.clone(), queue.recipients.clone());
        self.messages.insert(queue.sequence, entry);
    }

    fn done(
        &mut self,
        session: Incarnation,
        sequence: Sequence,
        packet_id: Option<PacketId>,
        cursor: Sequence,
    ) {
        let Done { progress, join_at } = self.done.entry(session).or_default();
        progress.done(sequence, cursor);
        if progress.ranges.len() >= *join_at {
            let is_its = |(_, to): &(_, RecipientSet)| to.iter().any(|to| to.session == session);
            let mut left = LOOKED_AT_PER_RANGE * progress.ranges.len();
            let mut may_be_its = |message: &_| {
                let is_left = left > 0;
                left -= usize::from(is_left);
                !is_left || is_its(message)
            };
            let waits = |gap: Range<u64>| {
                let gap = Sequence(gap.start)..Sequence(gap.end);
                let mut between = self.messages.range(gap).map(|(_, message)| message);
                Ok::<_, Infallible>(between.any(&mut may_be_its))
            };
            let Ok(()) = progress.join(waits);
            *join_at = RANGES_STEP.max(2 * progress.ranges.len());
        }
        // The id may carry another message by now, when a history is applied again.
        if let Some(packet_id) = packet_id
            && let Some((of, _)) = self.flows.get(&(session, packet_id))
            && *of == sequence
        {
            self.flows.remove(&(session, packet_id));
        }
    }

    fn is_done(&self, session: Incarnation, sequence: Sequence) -> bool {
        let done = self.done.get(&session);
        done.is_some_and(|done| done.progress.is_done(sequence))
    }

    /// Whether it may wait for messages: a session, or a group.
    fn owns(&self, number: Incarnation) -> bool {
        self.sessions.contains_key(&number) || self.groups.contains_key(&number)
    }

    fn waits(&self, recipient: &Recipient, sequence: Sequence) -> bool {
        let session = recipient.session;
        self.owns(session) && !self.is_done(session, sequence)
    }

    fn queued(&self, session: Incarnation, sequence: Sequence) -> Option<Queued> {
        let (message, recipients) = self.messages.get(&sequence)?;
        let recipient = recipients.iter().find(|r| r.session == session)?;
        self.waits(recipient, sequence).then(|| Queued {
            sequence,
            message: Arc::clone(message),
            recipient: recipient.clone(),
        })
    }

    /// Removes what no session owns; gives the number of messages that nobody waits for.
    fn sweep(&mut self) -> u64 {
        let sessions = &self.sessions;
        let kept = |session: &Incarnation| sessions.contains_key(session);
        self.subscriptions.retain(|session, _| kept(session));
        self.inbound.retain(|(session, _)| kept(session));
        self.dropped.retain(|session, _| kept(session));
        let groups = &self.groups;
        self.done
            .retain(|owner, _| kept(owner) || groups.contains_key(owner));
        let mut flows = std::mem::take(&mut self.flows);
        flows.retain(|(session, _), (sequence, _)| {
            self.sessions.contains_key(session) && !self.is_done(*session, *sequence)
        });
        self.flows = flows;
        let before = self.messages.len();
        let mut messages = std::mem::take(&mut self.messages);
        messages.retain(|sequence, (_, to)| to.iter().any(|to| self.waits(to, *sequence)));
        self.messages = messages;
        (before - self.messages.len()) as u64
    }

    fn rows(&self, visit: &mut dyn FnMut(Row)) {
        visit(Row::Marks(self.marks));
        for row in self.access.values() {
            visit(Row::Access(Box::new(row.clone())));
        }
        for row in self.sessions.values() {
            visit(Row::Session(row.clone()));
        }
        for row in self.groups.values() {
            visit(Row::Group(row.clone()));
        }
        for (session, subscriptions) in &self.subscriptions {
            for row in subscriptions.values() {
                visit(Row::Subscription {
                    session: *session,
                    subscription: row.clone(),
                });
            }
        }
        for &(session, packet_id) in &self.inbound {
            visit(Row::Inbound { session, packet_id });
        }
        for row in self.dropped.values() {
            visit(Row::Dropped(*row));
        }
        for row in self.wills.values() {
            visit(Row::Will(Box::new(row.clone())));
        }
        let flow = |(&(session, packet_id), &(sequence, stage))| FlowRow {
            session,
            sequence,
            packet_id,
            stage,
        };
        let mut flows: Vec<FlowRow> = self.flows.iter().map(flow).collect();
        flows.sort_by_key(|flow| (flow.session, flow.sequence));
        for row in flows {
            visit(Row::Flow(row));
        }
        for row in self.retained.values() {
            visit(Row::Retained(row.clone()));
        }
        for (&sequence, (message, recipients)) in &self.messages {
            let waiting = recipients.iter().filter(|to| self.waits(to, sequence));
            visit(Row::Queued {
                sequence,
                expires_at: message.expires_at(),
                size_bytes: message.content_bytes(),
                recipients: waiting.cloned().collect(),
            });
        }
    }
}

#[cfg(test)]
mod tests;
