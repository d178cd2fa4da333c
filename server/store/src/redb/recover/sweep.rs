//! What recovery found to remove or to put aside: gathered while rows stream, done at the end, in one
//! transaction or in several.

use std::fmt::Write as _;

use redb::{Key, TableDefinition, TableHandle, Value, WriteTransaction};

use super::Result;
use crate::{
    RecoveryReport,
    redb::{
        RedbStore,
        encoding::{Block, RowError},
        intern::Interner,
        shape::Shape,
        table,
    },
};

/// Lines in the report; how many more there were is its last line.
const REPORTED_MAX: usize = 1000;

/// Rows that could not be decoded and were put aside.
#[derive(Clone, Debug, Default)]
pub(in crate::redb) struct BadRows {
    pub(in crate::redb) described: Vec<BadRow>,
    more: usize,
}

#[derive(Clone, Debug)]
pub(in crate::redb) struct BadRow {
    pub(in crate::redb) table: String,
    /// In hexadecimal.
    pub(in crate::redb) key: String,
    pub(in crate::redb) why: String,
}

impl BadRows {
    /// The key is as redb writes it.
    pub(in crate::redb) fn report(&mut self, table: &str, key: &[u8], why: &RowError) {
        if self.described.len() == REPORTED_MAX {
            self.more += 1;
            return;
        }
        let mut hex = String::new();
        for byte in key {
            write!(hex, "{byte:02x}").expect("writing to a string does not fail");
        }
        self.described.push(BadRow {
            table: table.to_owned(),
            key: hex,
            why: why.to_string(),
        });
    }

    fn take_in(&mut self, other: Self) {
        let room = REPORTED_MAX - self.described.len();
        self.more += other.more + other.described.len().saturating_sub(room);
        self.described
            .extend(other.described.into_iter().take(room));
    }

    fn lines(self) -> Vec<String> {
        let described = self.described.into_iter();
        let lines = described.map(|BadRow { table, key, why }| format!("{table} {key}: {why}"));
        let more = (self.more > 0).then(|| format!("and {} more rows", self.more));
        lines.chain(more).collect()
    }
}

#[derive(Default)]
pub(super) struct Sweep {
    removed: Vec<(Shape, Vec<u8>)>,
    aside: Vec<(Shape, Vec<u8>)>,
    reported: BadRows,
    /// What is left of blocks of which some flows belong to nobody.
    flows: Vec<((u64, u16), Block)>,
    /// Kept apart from `removed`, since there may be millions.
    messages: Vec<u64>,
    swept: u64,
}

impl Sweep {
    /// The migration has put rows aside before.
    pub(super) fn behind(reported: BadRows) -> Self {
        Self {
            reported,
            ..Self::default()
        }
    }

    /// Only these flows of a block belong to somebody.
    pub(super) fn keep_flows(&mut self, key: (u64, u16), block: Block) {
        self.flows.push((key, block));
    }

    /// The row belongs to nobody.
    pub(super) fn remove<'k, K: Key, V: Value>(
        &mut self,
        table: TableDefinition<'static, K, V>,
        key: K::SelfType<'k>,
    ) where
        Shape: From<TableDefinition<'static, K, V>>,
    {
        let key = K::as_bytes(&key).as_ref().to_vec();
        self.removed.push((table.into(), key));
    }

    /// Nobody waits for the message.
    pub(super) fn remove_message(&mut self, sequence: u64) {
        self.messages.push(sequence);
        self.swept += 1;
    }

    /// The row cannot be decoded.
    pub(super) fn put_aside<'k, K: Key, V: Value>(
        &mut self,
        table: TableDefinition<'static, K, V>,
        key: K::SelfType<'k>,
        why: &RowError,
    ) where
        Shape: From<TableDefinition<'static, K, V>>,
    {
        let key = K::as_bytes(&key).as_ref().to_vec();
        self.reported.report(table.name(), &key, why);
        self.aside.push((table.into(), key));
    }

    /// What another thread has gathered.
    pub(super) fn take_in(&mut self, other: Self) {
        self.removed.extend(other.removed);
        self.aside.extend(other.aside);
        self.reported.take_in(other.reported);
        self.flows.extend(other.flows);
        self.messages.extend(other.messages);
        self.swept += other.swept;
    }

    /// Does it all, durably. Without anything to do, nothing is written.
    ///
    /// What is done to a row depends on no other, but that sets go after the messages that name them. So it can be done in parts, and if
    /// one fails the next recovery has less to do. Nobody may hold a snapshot meanwhile: nothing would become free. What is put aside comes
    /// last and at once, for it is reported at the end.
    pub(super) fn finish(
        self,
        store: &RedbStore,
        interner: &mut Interner,
    ) -> Result<RecoveryReport> {
        let removed = self.removed.into_iter().map(Change::Remove);
        let flows = self.flows.into_iter();
        let flows = flows.map(|(key, block)| Change::Flows(key, block.encode()));
        let messages = self.messages.into_iter().map(Change::Message);
        let sets = interner.expire().into_iter().map(Change::Set);
        let mut changes = removed.chain(flows).chain(messages).chain(sets).peekable();
        let pace = store.sweep_pace();
        while changes.peek().is_some() {
            commit(store, |transaction| {
                make(transaction, changes.by_ref().take(pace.rows()))
            })?;
            pace.succeeded();
        }
        if !self.aside.is_empty() {
            commit(store, |transaction| put_aside(transaction, &self.aside))?;
        }
        Ok(RecoveryReport {
            put_aside: self.reported.lines(),
            swept: self.swept,
        })
    }
}

/// A row that goes, or stays with less in it.
enum Change {
    Remove((Shape, Vec<u8>)),
    Flows((u64, u16), Vec<u8>),
    Message(u64),
    Set(u64),
}

fn commit(store: &RedbStore, change: impl FnOnce(&WriteTransaction) -> Result<()>) -> Result<()> {
    let mut transaction = store.database().begin_write()?;
    transaction.set_durability(store.settings.durability)?;
    transaction.set_quick_repair(store.settings.quick_repair);
    change(&transaction)?;
    Ok(transaction.commit()?)
}

fn make(transaction: &WriteTransaction, changes: impl Iterator<Item = Change>) -> Result<()> {
    let mut messages = None;
    for change in changes {
        match change {
            Change::Remove((shape, key)) => drop(shape.take(transaction, &key)?),
            Change::Flows(key, block) => {
                let mut flows = transaction.open_table(table::FLOWS)?;
                flows.insert(key, block.as_slice())?;
            }
            // Their table stays open: there may be millions of them.
            Change::Message(sequence) => {
                let table = match messages.take() {
                    Some(table) => table,
                    None => transaction.open_table(table::MESSAGES)?,
                };
                messages.insert(table).remove(sequence)?;
            }
            Change::Set(set) => {
                transaction.open_table(table::SETS)?.remove(set)?;
            }
        }
    }
    Ok(())
}

fn put_aside(transaction: &WriteTransaction, rows: &[(Shape, Vec<u8>)]) -> Result<()> {
    for (shape, key) in rows {
        if let Some(row) = shape.take(transaction, key)? {
            transaction
                .open_table(table::QUARANTINE)?
                .insert((shape.name().as_bytes(), key.as_slice()), row.as_slice())?;
        }
    }
    Ok(())
}
