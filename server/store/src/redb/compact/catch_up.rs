//! Bringing a copy up to a later snapshot: the rows that have been touched are copied again, or removed.

use std::{
    borrow::Borrow,
    ops::RangeBounds,
    time::{Duration, Instant},
};

use redb::{Database, Key, ReadTransaction, TableDefinition, Value, WriteTransaction};

use super::touched::{Owned, Touched};
use crate::redb::{stamp, table};

type Result<T> = std::result::Result<T, redb::Error>;

/// Makes what was touched in the copy as it is in the snapshot, durably. The stamp goes along: to whoever opens it again, the copy is
/// the store that it was made of. Gives how long the rows took, without the wait for the disk at the end.
pub(super) fn catch_up(
    copy: &Database,
    snapshot: &ReadTransaction,
    touched: &Touched,
) -> Result<Duration> {
    let started = Instant::now();
    let transaction = copy.begin_write()?;
    let both = Both {
        from: snapshot,
        to: &transaction,
    };
    stamp::copy(snapshot, &transaction)?;
    let marks = touched.marks.then_some(table::MARKS..=table::MARKS);
    both.copy(table::META, marks)?;
    both.owned(touched)?;
    let topics = touched.topics.iter();
    both.copy(table::RETAINED, topics.map(|topic| &**topic..=&**topic))?;
    let range = |(start, end)| start..end;
    both.copy(table::SETS, touched.sets.iter().map(range))?;
    both.copy(table::MESSAGES, touched.messages.iter().map(range))?;
    let taken = started.elapsed();
    transaction.commit()?;
    Ok(taken)
}

struct Both<'a> {
    from: &'a ReadTransaction,
    to: &'a WriteTransaction,
}

impl Both<'_> {
    /// What belongs to sessions and groups.
    fn owned(&self, touched: &Touched) -> Result<()> {
        const FIRST: &[u8] = &[];
        let one = |table| touched.owners(table).map(|owner| owner..=owner);
        self.copy(table::SESSIONS, one(Owned::Sessions))?;
        self.copy(table::GROUPS, one(Owned::Groups))?;
        self.copy(table::DROPPED, one(Owned::Dropped))?;
        self.copy(table::WILLS, one(Owned::Wills))?;
        self.copy(table::PROGRESS, one(Owned::Progress))?;
        let ids = |table| {
            let owners = touched.owners(table);
            owners.map(|owner| (owner, 0)..=(owner, u16::MAX))
        };
        self.copy(table::INBOUND, ids(Owned::Inbound))?;
        self.copy(table::FLOWS, ids(Owned::Flows))?;
        // No session has the last number: marks would have had to pass it.
        let named = |table| {
            let owners = touched.owners(table);
            owners.map(|owner| (owner, FIRST)..(owner.saturating_add(1), FIRST))
        };
        self.copy(table::ACCESS, named(Owned::Access))?;
        self.copy(table::SUBSCRIPTIONS, named(Owned::Subscriptions))
    }

    /// The rows of the ranges are those of the snapshot afterwards.
    fn copy<'k, K, V, Q>(
        &self,
        table: TableDefinition<'static, K, V>,
        ranges: impl IntoIterator<Item = impl RangeBounds<Q> + Clone + 'k>,
    ) -> Result<()>
    where
        K: Key + 'static,
        V: Value + 'static,
        Q: Borrow<K::SelfType<'k>> + 'k,
    {
        let mut ranges = ranges.into_iter().peekable();
        if ranges.peek().is_none() {
            return Ok(());
        }
        let from = self.from.open_table(table)?;
        let mut to = self.to.open_table(table)?;
        for range in ranges {
            to.retain_in(range.clone(), |_, _| false)?;
            for entry in from.range(range)? {
                let (key, row) = entry?;
                to.insert(key.value(), row.value())?;
            }
        }
        Ok(())
    }
}
