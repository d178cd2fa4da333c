//! Operations, one after the other, on the tables of one write transaction.
//!
//! Each can be applied again without harm. The progress of a session and its flows are changed in memory and written once
//! per batch.

use std::collections::BTreeMap;

use redb::{ReadableTable, Table, WriteTransaction};

use super::{
    encoding::{
        access_key, decode_marks, decode_revision, encode_access, encode_dropped, encode_group,
        encode_marks, encode_retained, encode_session, encode_subscription, encode_will,
    },
    extent,
    flows::Flows,
    intern::Interner,
    log::{Finished, Log, Search},
    progress::Progress,
    table::{self, Bytes},
};
use crate::{
    Accept, FlowStage, Incarnation, Marks, Operation, RetainedChange, Revision,
    progress::LOOKED_AT_PER_RANGE,
};

type Result<T> = std::result::Result<T, redb::Error>;

/// A batch being applied.
pub(super) struct Batch<'a> {
    meta: Table<'a, Bytes, Bytes>,
    access: Table<'a, (u64, Bytes), Bytes>,
    sessions: Table<'a, u64, Bytes>,
    groups: Table<'a, u64, Bytes>,
    subscriptions: Table<'a, (u64, Bytes), Bytes>,
    inbound: Table<'a, (u64, u16), ()>,
    dropped: Table<'a, u64, Bytes>,
    wills: Table<'a, u64, Bytes>,
    retained: Table<'a, Bytes, Bytes>,
    log: Log<'a>,
    progress: Table<'a, u64, Bytes>,
    flows: Flows<'a>,
    /// Of the sessions that this batch touches, not yet in the table; with the [`Progress::steps`] that it had there.
    touched: BTreeMap<Incarnation, (Progress, u32)>,
    /// Bytes that retained messages take more than before the batch.
    grown: i64,
}

impl<'a> Batch<'a> {
    pub(super) fn open(
        transaction: &'a WriteTransaction,
        interner: &'a mut Interner,
    ) -> Result<Self> {
        Ok(Self {
            meta: transaction.open_table(table::META)?,
            access: transaction.open_table(table::ACCESS)?,
            sessions: transaction.open_table(table::SESSIONS)?,
            groups: transaction.open_table(table::GROUPS)?,
            subscriptions: transaction.open_table(table::SUBSCRIPTIONS)?,
            inbound: transaction.open_table(table::INBOUND)?,
            dropped: transaction.open_table(table::DROPPED)?,
            wills: transaction.open_table(table::WILLS)?,
            retained: transaction.open_table(table::RETAINED)?,
            log: Log::open(transaction, interner)?,
            progress: transaction.open_table(table::PROGRESS)?,
            flows: Flows::open(transaction)?,
            touched: BTreeMap::new(),
            grown: 0,
        })
    }

    pub(super) fn apply(&mut self, operation: &Operation) -> Result<()> {
        match operation {
            Operation::Reserve(marks) => self.reserve(marks)?,
            Operation::PutSession(row) => {
                let encoded = encode_session(row);
                self.sessions
                    .insert(row.incarnation.0, encoded.as_slice())?;
            }
            Operation::RemoveSession(session) => self.remove_session(*session)?,
            Operation::PutSubscription {
                session,
                subscription,
            } => {
                let key = (session.0, subscription.filter.as_str().as_bytes());
                let encoded = encode_subscription(subscription);
                self.subscriptions.insert(key, encoded.as_slice())?;
            }
            Operation::RemoveSubscription { session, filter } => {
                let key = (session.0, filter.as_str().as_bytes());
                self.subscriptions.remove(key)?;
            }
            Operation::PutGroup(row) => {
                let filter = encode_group(row);
                self.groups.insert(row.group.0, filter.as_slice())?;
            }
            Operation::RemoveGroup(group) => {
                self.groups.remove(group.0)?;
                self.touched.remove(group);
                self.progress.remove(group.0)?;
            }
            Operation::MoveShared {
                sequence,
                from,
                cursor,
                to,
                copy,
                packet_id,
            } => {
                self.progress_of(*from)?.done(*sequence, *cursor);
                self.log.put(copy)?;
                self.flows
                    .put(*to, *packet_id, copy.sequence, FlowStage::Sent)?;
            }
            Operation::Accept(accept) => self.accept(accept)?,
            &Operation::Sent {
                session,
                sequence,
                packet_id,
            } => {
                self.flows
                    .put(session, packet_id, sequence, FlowStage::Sent)?;
            }
            &Operation::Released {
                session,
                sequence,
                packet_id,
            } => {
                self.flows
                    .put(session, packet_id, sequence, FlowStage::Released)?;
            }
            &Operation::Done {
                session,
                sequence,
                packet_id,
                cursor,
            } => {
                self.progress_of(session)?.done(sequence, cursor);
                if let Some(packet_id) = packet_id {
                    self.flows.end(session, packet_id, sequence)?;
                }
            }
            Operation::RemoveMessage(sequence) => self.log.remove(*sequence)?,
            Operation::ReleaseInbound { session, packet_id } => {
                self.inbound.remove((session.0, packet_id.get()))?;
            }
            Operation::PutDropped(row) => {
                let encoded = encode_dropped(row);
                self.dropped.insert(row.session.0, encoded.as_slice())?;
            }
            Operation::RemoveDropped(session) => {
                self.dropped.remove(session.0)?;
            }
            Operation::PutAccess(row) => {
                let encoded = encode_access(row);
                let name = row.name();
                self.access.insert(access_key(&name), encoded.as_slice())?;
            }
            Operation::RemoveAccess(name) => {
                self.access.remove(access_key(name))?;
            }
            Operation::PutWill(row) => {
                let encoded = encode_will(row);
                self.wills.insert(row.session.0, encoded.as_slice())?;
            }
            Operation::RemoveWill(session) => {
                self.wills.remove(session.0)?;
            }
            Operation::FireWill { session, accept } => {
                self.wills.remove(session.0)?;
                self.accept(accept)?;
            }
        }
        Ok(())
    }

    /// Writes what was held back, and says what the batch has done to the file.
    pub(super) fn finish(mut self) -> Result<Finished> {
        for (session, (progress, steps)) in &mut self.touched {
            if progress.steps() > *steps {
                let max = LOOKED_AT_PER_RANGE * progress.ranges.len();
                let mut search = Search::new(*session, max);
                progress.join(|gap| self.log.may_have(&mut search, gap))?;
            }
            let row = progress.encode();
            self.progress.insert(session.0, row.as_slice())?;
        }
        self.flows.finish()?;
        let mut finished = self.log.finish()?;
        finished.grown += self.grown;
        Ok(finished)
    }

    fn reserve(&mut self, marks: &Marks) -> Result<()> {
        let stored = match self.meta.get(table::MARKS)? {
            Some(row) => decode_marks(row.value())?,
            None => Marks::default(),
        };
        let raised = Marks {
            sequence: stored.sequence.max(marks.sequence),
            revision: stored.revision.max(marks.revision),
            incarnation: stored.incarnation.max(marks.incarnation),
        };
        self.meta
            .insert(table::MARKS, encode_marks(&raised).as_slice())?;
        Ok(())
    }

    fn remove_session(&mut self, session: Incarnation) -> Result<()> {
        let number = session.0;
        self.sessions.remove(number)?;
        self.touched.remove(&session);
        self.progress.remove(number)?;
        self.dropped.remove(number)?;
        let ids = (number, 0)..=(number, u16::MAX);
        self.flows.remove_session(session)?;
        self.inbound.retain_in(ids, |_, ()| false)?;
        const FIRST: &[u8] = &[];
        // No session has the last number: marks would have had to pass it.
        let all = (number, FIRST)..(number.saturating_add(1), FIRST);
        self.subscriptions.retain_in(all, |_, _| false)?;
        Ok(())
    }

    fn accept(&mut self, accept: &Accept) -> Result<()> {
        if let Some(queue) = &accept.queued {
            self.log.put(queue)?;
        }
        if let Some((session, packet_id)) = accept.inbound {
            self.inbound.insert((session.0, packet_id.get()), ())?;
        }
        match &accept.retained {
            None => {}
            Some(RetainedChange::Set(row)) => {
                let topic = row.message.topic.as_str().as_bytes();
                if self.revision(topic)?.is_none_or(|old| old < row.revision) {
                    let encoded = encode_retained(row);
                    let replaced = self.retained.insert(topic, encoded.as_slice())?;
                    self.grown += extent::size(&encoded);
                    self.grown -= replaced.map_or(0, |row| extent::size(row.value()));
                }
            }
            Some(RetainedChange::Clear { topic, revision }) => {
                let topic = topic.as_str().as_bytes();
                if self.revision(topic)?.is_some_and(|old| old < *revision) {
                    let removed = self.retained.remove(topic)?;
                    self.grown -= removed.map_or(0, |row| extent::size(row.value()));
                }
            }
        }
        Ok(())
    }

    fn revision(&self, topic: &[u8]) -> Result<Option<Revision>> {
        match self.retained.get(topic)? {
            Some(row) => Ok(Some(decode_revision(row.value())?)),
            None => Ok(None),
        }
    }

    fn progress_of(&mut self, session: Incarnation) -> Result<&mut Progress> {
        use std::collections::btree_map::Entry;
        let (progress, _) = match self.touched.entry(session) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let progress = match self.progress.get(session.0)? {
                    Some(row) => Progress::decode(row.value())?,
                    None => Progress::default(),
                };
                let steps = progress.steps();
                entry.insert((progress, steps))
            }
        };
        Ok(progress)
    }
}
