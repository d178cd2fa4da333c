//! What recovery found to remove or to put aside: gathered while rows stream, done at the end in one transaction.

use std::fmt::Write as _;

use redb::{Key, TableDefinition, TableHandle, Value};

use super::Result;
use crate::{
    RecoveryReport,
    redb::{RedbStore, encoding::RowError, intern::Interner, shape::Shape, table},
};

/// Lines in the report; how many more there were is its last line.
const REPORTED_MAX: usize = 1000;

#[derive(Default)]
pub(super) struct Sweep {
    removed: Vec<(Shape, Vec<u8>)>,
    aside: Vec<(Shape, Vec<u8>)>,
    /// Kept apart from `removed`, since there may be millions.
    messages: Vec<u64>,
    report: RecoveryReport,
}

impl Sweep {
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
        self.report.swept += 1;
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
        if self.aside.len() < REPORTED_MAX {
            let mut line = format!("{} ", table.name());
            for byte in &key {
                write!(line, "{byte:02x}").expect("writing to a string does not fail");
            }
            write!(line, ": {why}").expect("writing to a string does not fail");
            self.report.put_aside.push(line);
        }
        self.aside.push((table.into(), key));
    }

    /// Does it all, durably. Without anything to do, nothing is written.
    pub(super) fn finish(
        mut self,
        store: &RedbStore,
        interner: &mut Interner,
    ) -> Result<RecoveryReport> {
        if self.aside.len() > REPORTED_MAX {
            let more = self.aside.len() - REPORTED_MAX;
            self.report.put_aside.push(format!("and {more} more rows"));
        }
        let sets = interner.expire();
        let idle = self.removed.is_empty() && self.aside.is_empty() && self.messages.is_empty();
        if idle && sets.is_empty() {
            return Ok(self.report);
        }
        let mut transaction = store.database().begin_write()?;
        transaction.set_durability(store.settings.durability)?;
        transaction.set_quick_repair(store.settings.quick_repair);
        for (shape, key) in &self.removed {
            shape.take(&transaction, key)?;
        }
        for (shape, key) in &self.aside {
            if let Some(row) = shape.take(&transaction, key)? {
                transaction
                    .open_table(table::QUARANTINE)?
                    .insert((shape.name().as_bytes(), key.as_slice()), row.as_slice())?;
            }
        }
        {
            let mut messages = transaction.open_table(table::MESSAGES)?;
            for sequence in self.messages {
                messages.remove(sequence)?;
            }
            let mut table = transaction.open_table(table::SETS)?;
            for set in sets {
                table.remove(set)?;
            }
        }
        transaction.commit()?;
        Ok(self.report)
    }
}
