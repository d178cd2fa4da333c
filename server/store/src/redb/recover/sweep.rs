//! What recovery found to remove or to put aside: gathered while rows stream, done at the end in one transaction.

use std::fmt::Write as _;

use redb::{Key, TableDefinition, TableHandle, Value, WriteTransaction};

use super::Result;
use crate::{
    RecoveryReport,
    redb::{RedbStore, encoding::RowError, intern::Interner, table},
};

/// Lines in the report; how many more there were is its last line.
const REPORTED_MAX: usize = 1000;

#[derive(Default)]
pub(super) struct Sweep {
    removed: Vec<(Place, Vec<u8>)>,
    aside: Vec<(Place, Vec<u8>)>,
    /// Kept apart from `removed`, since there may be millions.
    messages: Vec<u64>,
    report: RecoveryReport,
}

/// A table by what its keys look like.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Number(TableDefinition<'static, u64, table::Bytes>),
    Text(TableDefinition<'static, table::Bytes, table::Bytes>),
    NumberAndText(TableDefinition<'static, (u64, table::Bytes), table::Bytes>),
    NumberAndId(TableDefinition<'static, (u64, u16), table::Bytes>),
    Inbound(TableDefinition<'static, (u64, u16), ()>),
}

macro_rules! place {
    ($($case:ident: $key:ty => $value:ty,)*) => {$(
        impl From<TableDefinition<'static, $key, $value>> for Place {
            fn from(table: TableDefinition<'static, $key, $value>) -> Self {
                Self::$case(table)
            }
        }
    )*};
}

place! {
    Number: u64 => table::Bytes,
    Text: table::Bytes => table::Bytes,
    NumberAndText: (u64, table::Bytes) => table::Bytes,
    NumberAndId: (u64, u16) => table::Bytes,
    Inbound: (u64, u16) => (),
}

impl Sweep {
    /// The row belongs to nobody.
    pub(super) fn remove<'k, K: Key, V: Value>(
        &mut self,
        table: TableDefinition<'static, K, V>,
        key: K::SelfType<'k>,
    ) where
        Place: From<TableDefinition<'static, K, V>>,
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
        Place: From<TableDefinition<'static, K, V>>,
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
        let mut transaction = store.database.begin_write()?;
        transaction.set_durability(store.settings.durability)?;
        transaction.set_quick_repair(store.settings.quick_repair);
        for (place, key) in &self.removed {
            place.take(&transaction, key)?;
        }
        for (place, key) in &self.aside {
            if let Some(row) = place.take(&transaction, key)? {
                transaction
                    .open_table(table::QUARANTINE)?
                    .insert((place.name().as_bytes(), key.as_slice()), row.as_slice())?;
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

impl Place {
    fn name(&self) -> &str {
        match self {
            Self::Number(table) => table.name(),
            Self::Text(table) => table.name(),
            Self::NumberAndText(table) => table.name(),
            Self::NumberAndId(table) => table.name(),
            Self::Inbound(table) => table.name(),
        }
    }

    /// Removes a row and gives it back.
    fn take(&self, transaction: &WriteTransaction, key: &[u8]) -> Result<Option<Vec<u8>>> {
        match self {
            Self::Number(table) => take(transaction, *table, key, <[u8]>::to_vec),
            Self::Text(table) => take(transaction, *table, key, <[u8]>::to_vec),
            Self::NumberAndText(table) => take(transaction, *table, key, <[u8]>::to_vec),
            Self::NumberAndId(table) => take(transaction, *table, key, <[u8]>::to_vec),
            Self::Inbound(table) => take(transaction, *table, key, |()| Vec::new()),
        }
    }
}

fn take<K: Key + 'static, V: Value + 'static>(
    transaction: &WriteTransaction,
    table: TableDefinition<'_, K, V>,
    key: &[u8],
    bytes: impl for<'v> Fn(V::SelfType<'v>) -> Vec<u8>,
) -> Result<Option<Vec<u8>>> {
    let mut table = transaction.open_table(table)?;
    let row = table.remove(K::from_bytes(key))?;
    Ok(row.map(|row| bytes(row.value())))
}
