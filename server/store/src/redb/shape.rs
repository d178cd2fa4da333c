//! Any table by what its keys look like: for what treats all rows alike, such as setting a row aside, or copying all of
//! them.
//!
//! A [`Key`] is what a row is found by, without redb's own encoding of it. Rows stay the bytes that they are.

use redb::{
    ReadTransaction, ReadableTable, ReadableTableMetadata, TableDefinition, TableHandle, Value,
    WriteTransaction,
};
use serde::{Deserialize, Serialize};

use super::{
    chunk::Chunk,
    encoding::{Blob, RowError},
    table,
};

type Result<T> = std::result::Result<T, redb::Error>;

/// Looks at one row.
pub(super) type Visit<'a, E> = dyn FnMut(Key<'_>, &[u8]) -> std::result::Result<(), E> + 'a;

/// The key of a row of any table. Part of the backup format: cases are only ever appended.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) enum Key<'a> {
    Number(u64),
    #[serde(borrow)]
    Text(Blob<'a>),
    NumberAndText(u64, Blob<'a>),
    NumberAndId(u64, u16),
    Texts(Blob<'a>, Blob<'a>),
}

/// A table.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    Number(TableDefinition<'static, u64, table::Bytes>),
    Text(TableDefinition<'static, table::Bytes, table::Bytes>),
    NumberAndText(TableDefinition<'static, (u64, table::Bytes), table::Bytes>),
    NumberAndId(TableDefinition<'static, (u64, u16), table::Bytes>),
    Inbound(TableDefinition<'static, (u64, u16), ()>),
    Texts(TableDefinition<'static, (table::Bytes, table::Bytes), table::Bytes>),
}

/// Every table of the file; what others are held against comes before them.
pub(super) const ALL: [Shape; 14] = [
    Shape::Text(table::META),
    Shape::NumberAndText(table::ACCESS),
    Shape::Number(table::SESSIONS),
    Shape::Number(table::GROUPS),
    Shape::NumberAndText(table::SUBSCRIPTIONS),
    Shape::Inbound(table::INBOUND),
    Shape::Number(table::DROPPED),
    Shape::Number(table::WILLS),
    Shape::Text(table::RETAINED),
    Shape::Number(table::PROGRESS),
    Shape::Number(table::SETS),
    Shape::Number(table::MESSAGES),
    Shape::NumberAndId(table::FLOWS),
    Shape::Texts(table::QUARANTINE),
];

macro_rules! from_definition {
    ($($case:ident: $key:ty => $value:ty,)*) => {$(
        impl From<TableDefinition<'static, $key, $value>> for Shape {
            fn from(table: TableDefinition<'static, $key, $value>) -> Self {
                Self::$case(table)
            }
        }
    )*};
}

from_definition! {
    Number: u64 => table::Bytes,
    Text: table::Bytes => table::Bytes,
    NumberAndText: (u64, table::Bytes) => table::Bytes,
    NumberAndId: (u64, u16) => table::Bytes,
    Inbound: (u64, u16) => (),
    Texts: (table::Bytes, table::Bytes) => table::Bytes,
}

/// The same for a table of any shape.
macro_rules! with {
    ($shape:expr, $table:ident => $body:expr) => {
        match $shape {
            Shape::Number($table) => $body,
            Shape::Text($table) => $body,
            Shape::NumberAndText($table) => $body,
            Shape::NumberAndId($table) => $body,
            Shape::Inbound($table) => $body,
            Shape::Texts($table) => $body,
        }
    };
}

impl Shape {
    /// The table of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        ALL.into_iter().find(|shape| shape.name() == name)
    }

    pub(super) fn name(&self) -> &str {
        with!(self, table => table.name())
    }

    /// The number of its rows.
    pub(super) fn len(&self, snapshot: &ReadTransaction) -> Result<u64> {
        with!(*self, table => Ok(snapshot.open_table(table)?.len()?))
    }

    /// Shows every row, in the order of the keys.
    pub(super) fn scan<E: From<redb::Error>>(
        &self,
        snapshot: &ReadTransaction,
        visit: &mut Visit<'_, E>,
    ) -> std::result::Result<(), E> {
        with!(*self, table => scan(snapshot, table, visit))
    }

    /// Writes the rows of a chunk.
    pub(super) fn fill(&self, transaction: &WriteTransaction, chunk: &Chunk) -> Result<()> {
        with!(*self, table => fill(transaction, table, chunk))
    }

    /// Makes the table.
    pub(super) fn create(&self, transaction: &WriteTransaction) -> Result<()> {
        with!(*self, table => transaction.open_table(table).map(drop)?);
        Ok(())
    }

    /// Removes a row and gives it back. The key is as redb writes it.
    pub(super) fn take(
        &self,
        transaction: &WriteTransaction,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>> {
        with!(*self, table => take(transaction, table, key))
    }
}

/// A type of keys.
pub(super) trait KeyShape: redb::Key + 'static {
    fn open(key: Self::SelfType<'_>) -> Key<'_>;
    fn close(key: Key<'_>) -> Option<Self::SelfType<'_>>;
}

impl KeyShape for u64 {
    fn open(key: Self::SelfType<'_>) -> Key<'_> {
        Key::Number(key)
    }
    fn close(key: Key<'_>) -> Option<Self::SelfType<'_>> {
        match key {
            Key::Number(number) => Some(number),
            _ => None,
        }
    }
}

impl KeyShape for table::Bytes {
    fn open(key: Self::SelfType<'_>) -> Key<'_> {
        Key::Text(Blob(key))
    }
    fn close(key: Key<'_>) -> Option<Self::SelfType<'_>> {
        match key {
            Key::Text(Blob(text)) => Some(text),
            _ => None,
        }
    }
}

impl KeyShape for (u64, table::Bytes) {
    fn open(key: Self::SelfType<'_>) -> Key<'_> {
        Key::NumberAndText(key.0, Blob(key.1))
    }
    fn close(key: Key<'_>) -> Option<Self::SelfType<'_>> {
        match key {
            Key::NumberAndText(number, Blob(text)) => Some((number, text)),
            _ => None,
        }
    }
}

impl KeyShape for (u64, u16) {
    fn open(key: Self::SelfType<'_>) -> Key<'_> {
        Key::NumberAndId(key.0, key.1)
    }
    fn close(key: Key<'_>) -> Option<Self::SelfType<'_>> {
        match key {
            Key::NumberAndId(number, id) => Some((number, id)),
            _ => None,
        }
    }
}

impl KeyShape for (table::Bytes, table::Bytes) {
    fn open(key: Self::SelfType<'_>) -> Key<'_> {
        Key::Texts(Blob(key.0), Blob(key.1))
    }
    fn close(key: Key<'_>) -> Option<Self::SelfType<'_>> {
        match key {
            Key::Texts(Blob(first), Blob(second)) => Some((first, second)),
            _ => None,
        }
    }
}

/// A type of rows.
pub(super) trait RowShape: Value + 'static {
    fn bytes<'a>(row: &'a Self::SelfType<'_>) -> &'a [u8];
    fn row(bytes: &[u8]) -> Self::SelfType<'_>;
}

impl RowShape for table::Bytes {
    fn bytes<'a>(row: &'a Self::SelfType<'_>) -> &'a [u8] {
        row
    }
    fn row(bytes: &[u8]) -> Self::SelfType<'_> {
        bytes
    }
}

impl RowShape for () {
    fn bytes<'a>((): &'a Self::SelfType<'_>) -> &'a [u8] {
        &[]
    }
    fn row(_: &[u8]) -> Self::SelfType<'_> {}
}

fn scan<K: KeyShape, V: RowShape, E: From<redb::Error>>(
    snapshot: &ReadTransaction,
    table: TableDefinition<'static, K, V>,
    visit: &mut Visit<'_, E>,
) -> std::result::Result<(), E> {
    let table = snapshot.open_table(table).map_err(redb::Error::from)?;
    for entry in table.iter().map_err(redb::Error::from)? {
        let (key, row) = entry.map_err(redb::Error::from)?;
        visit(K::open(key.value()), V::bytes(&row.value()))?;
    }
    Ok(())
}

fn fill<K: KeyShape, V: RowShape>(
    transaction: &WriteTransaction,
    table: TableDefinition<'static, K, V>,
    chunk: &Chunk,
) -> Result<()> {
    let mut table = transaction.open_table(table)?;
    for entry in chunk.rows() {
        let (key, row) = entry?;
        let key = K::close(key).ok_or(RowError::Invalid("the key is one of another table"))?;
        table.insert(key, V::row(row))?;
    }
    Ok(())
}

fn take<K: KeyShape, V: RowShape>(
    transaction: &WriteTransaction,
    table: TableDefinition<'static, K, V>,
    key: &[u8],
) -> Result<Option<Vec<u8>>> {
    let mut table = transaction.open_table(table)?;
    let row = table.remove(K::from_bytes(key))?;
    Ok(row.map(|row| V::bytes(&row.value()).to_vec()))
}
