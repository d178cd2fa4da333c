//! Bringing a copy up to a later snapshot: the rows that have been touched are copied again, or removed.

use std::{borrow::Borrow, ops::RangeBounds};

use redb::{Database, Key, ReadTransaction, TableDefinition, Value, WriteTransaction};

use super::touched::{Owned, Touched};
use crate::redb::{stamp, table};

type Result<T> = std::result::Result<T, redb::Error>;

/// Makes what was touched in the copy as it is in the snapshot, durably. The stamp goes along: to whoever opens it again, the copy is
/// the store that it was made of.
pub(super) fn catch_up(
    copy: &Database,
    snapshot: &ReadTransaction,
    touched: &Touched,
) -> Result<()> {
    let transaction = copy.begin_write()?;
    let both = Both {
        from: snapshot,
        to: &transaction,
    };
    stamp::copy(snapshot, &transaction)?;
    if touched.marks {
        both.copy(table::META, table::MARKS..=table::MARKS)?;
    }
    for &(table, owner) in &touched.owned {
        both.owned(table, owner)?;
    }
    for topic in &touched.topics {
        both.copy(table::RETAINED, &**topic..=&**topic)?;
    }
    for &(start, end) in touched.sets.as_slice() {
        both.copy(table::SETS, start..end)?;
    }
    for &(start, end) in touched.messages.as_slice() {
        both.copy(table::MESSAGES, start..end)?;
    }
    transaction.commit()?;
    Ok(())
}

struct Both<'a> {
    from: &'a ReadTransaction,
    to: &'a WriteTransaction,
}

impl Both<'_> {
    fn owned(&self, table: Owned, owner: u64) -> Result<()> {
        const FIRST: &[u8] = &[];
        let one = owner..=owner;
        let ids = (owner, 0)..=(owner, u16::MAX);
        match table {
            Owned::Sessions => self.copy(table::SESSIONS, one),
            Owned::Groups => self.copy(table::GROUPS, one),
            Owned::Dropped => self.copy(table::DROPPED, one),
            Owned::Wills => self.copy(table::WILLS, one),
            Owned::Progress => self.copy(table::PROGRESS, one),
            Owned::Inbound => self.copy(table::INBOUND, ids),
            Owned::Flows => self.copy(table::FLOWS, ids),
            Owned::Access => {
                let all = (owner, FIRST)..(owner + 1, FIRST);
                self.copy(table::ACCESS, all)
            }
            Owned::Subscriptions => {
                // No session has the last number: marks would have had to pass it.
                let all = (owner, FIRST)..(owner.saturating_add(1), FIRST);
                self.copy(table::SUBSCRIPTIONS, all)
            }
        }
    }

    /// The rows of the range are those of the snapshot afterwards.
    fn copy<'k, K, V, Q>(
        &self,
        table: TableDefinition<'static, K, V>,
        range: impl RangeBounds<Q> + Clone + 'k,
    ) -> Result<()>
    where
        K: Key + 'static,
        V: Value + 'static,
        Q: Borrow<K::SelfType<'k>> + 'k,
    {
        let from = self.from.open_table(table)?;
        let mut to = self.to.open_table(table)?;
        to.retain_in(range.clone(), |_, _| false)?;
        for entry in from.range(range)? {
            let (key, row) = entry?;
            to.insert(key.value(), row.value())?;
        }
        Ok(())
    }
}
