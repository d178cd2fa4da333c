//! What commits have changed since a copy was begun: which rows, not what is in them. So it stays small while messages pass by
//! the million, and copying these rows again from a later snapshot is all that brings a copy up to date.

use std::collections::BTreeSet;

use crate::{
    Accept, AccessName, Incarnation, Operation, RetainedChange, Sequence, ranges::Ranges,
    redb::encoding::access_key,
};

/// Sessions, groups and topics in one; more are not kept in memory.
const ENTRIES_MAX: usize = 1_000_000;

/// A table whose rows belong to sessions or groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::redb) enum Owned {
    /// Its owner is the kind.
    Access,
    Sessions,
    Groups,
    Subscriptions,
    Inbound,
    Dropped,
    Wills,
    Progress,
    Flows,
}

/// Rows that have changed.
#[derive(Debug, Default)]
pub(in crate::redb) struct Touched {
    pub(super) marks: bool,
    /// All rows of that owner in that table.
    owned: BTreeSet<(Owned, u64)>,
    pub(super) topics: BTreeSet<Box<[u8]>>,
    pub(super) messages: Ranges,
    pub(in crate::redb) sets: Ranges,
}

impl Touched {
    /// There is more than is kept in memory.
    pub(in crate::redb) fn is_too_much(&self) -> bool {
        let ranges = self.messages.len() + self.sets.len();
        self.owned.len() + self.topics.len() + ranges > ENTRIES_MAX
    }

    /// Those whose rows in that table have changed.
    pub(super) fn owners(&self, table: Owned) -> impl Iterator<Item = u64> {
        let all = (table, 0)..=(table, u64::MAX);
        self.owned.range(all).map(|(_, owner)| *owner)
    }

    /// Takes in what the operation changes. Recipient sets are the interner's, and come from the commit.
    pub(in crate::redb) fn record(&mut self, operation: &Operation) {
        match operation {
            Operation::Reserve(_) => self.marks = true,
            Operation::PutSession(row) => self.owned(Owned::Sessions, row.incarnation),
            Operation::RemoveSession(session) => {
                for table in [
                    Owned::Sessions,
                    Owned::Subscriptions,
                    Owned::Inbound,
                    Owned::Dropped,
                    Owned::Progress,
                    Owned::Flows,
                ] {
                    self.owned(table, *session);
                }
            }
            Operation::PutSubscription { session, .. }
            | Operation::RemoveSubscription { session, .. } => {
                self.owned(Owned::Subscriptions, *session);
            }
            Operation::PutGroup(row) => self.owned(Owned::Groups, row.group),
            Operation::RemoveGroup(group) => {
                self.owned(Owned::Groups, *group);
                self.owned(Owned::Progress, *group);
            }
            Operation::MoveShared { from, to, copy, .. } => {
                self.message(copy.sequence);
                self.owned(Owned::Progress, *from);
                self.owned(Owned::Flows, *to);
            }
            Operation::Accept(accept) => self.accept(accept),
            Operation::Sent { session, .. } | Operation::Released { session, .. } => {
                self.owned(Owned::Flows, *session);
            }
            Operation::Done {
                session, packet_id, ..
            } => {
                self.owned(Owned::Progress, *session);
                if packet_id.is_some() {
                    self.owned(Owned::Flows, *session);
                }
            }
            Operation::RemoveMessage(sequence) => self.message(*sequence),
            Operation::ReleaseInbound { session, .. } => self.owned(Owned::Inbound, *session),
            Operation::PutDropped(row) => self.owned(Owned::Dropped, row.session),
            Operation::RemoveDropped(session) => self.owned(Owned::Dropped, *session),
            Operation::PutAccess(row) => self.access(&row.name()),
            Operation::RemoveAccess(name) => self.access(name),
            Operation::PutWill(row) => self.owned(Owned::Wills, row.session),
            Operation::RemoveWill(session) => self.owned(Owned::Wills, *session),
            Operation::FireWill { session, accept } => {
                self.owned(Owned::Wills, *session);
                self.accept(accept);
            }
        }
    }

    fn accept(&mut self, accept: &Accept) {
        if let Some(queue) = &accept.queued {
            self.message(queue.sequence);
        }
        if let Some((session, _)) = accept.inbound {
            self.owned(Owned::Inbound, session);
        }
        let topic = match &accept.retained {
            Some(RetainedChange::Set(row)) => &row.message.topic,
            Some(RetainedChange::Clear { topic, .. }) => topic,
            None => return,
        };
        let topic = topic.as_str().as_bytes();
        if !self.topics.contains(topic) {
            self.topics.insert(topic.into());
        }
    }

    fn access(&mut self, name: &AccessName) {
        let (kind, _) = access_key(name);
        self.owned(Owned::Access, Incarnation(kind));
    }

    fn owned(&mut self, table: Owned, owner: Incarnation) {
        self.owned.insert((table, owner.0));
    }

    fn message(&mut self, sequence: Sequence) {
        self.messages.insert(sequence.0);
    }
}
