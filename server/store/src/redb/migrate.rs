//! From the format of an older file to today's, one step after the other.
//!
//! Each step is one transaction that also writes the new number, so a crash leaves the file in one of the formats, whole,
//! and the next start goes on from there. A newer file is never touched.
//!
//! A row that changes its encoding alone needs nothing done as long as its old version byte is still decoded, but it needs a
//! number: an earlier program, which does not know the new byte, would put such rows aside instead of refusing the file.
//! `tests/migrate.rs` keeps a file of every format.

use redb::{Database, Durability, ReadableDatabase, WriteTransaction};

use super::table;

type Result<T> = std::result::Result<T, redb::Error>;

/// What has to be done to the tables.
type Step = fn(&WriteTransaction) -> Result<()>;

/// The first leads from format 1 to 2, and so on.
const STEPS: [Step; (table::FORMAT_VERSION - 1) as usize] =
    [add_groups, add_dropped, nothing, add_access];

/// Brings a file to [`table::FORMAT_VERSION`]. `false`: there is no way from that format.
pub(super) fn migrate(database: &Database, found: u64, durability: Durability) -> Result<bool> {
    if found == 0 || found > table::FORMAT_VERSION {
        return Ok(false);
    }
    for (step, next) in STEPS.into_iter().zip(2..).skip(found as usize - 1) {
        let mut transaction = database.begin_write()?;
        transaction.set_durability(durability)?;
        step(&transaction)?;
        write_format(&transaction, next)?;
        transaction.commit()?;
    }
    Ok(true)
}

/// The format that the file says it has.
pub(super) fn read_format(database: &Database) -> Result<Option<u64>> {
    let meta = database.begin_read()?.open_table(table::META)?;
    let row = meta.get(table::FORMAT)?;
    let bytes = row.and_then(|row| row.value().try_into().ok());
    Ok(bytes.map(u64::from_le_bytes))
}

/// Says it.
pub(super) fn write_format(transaction: &WriteTransaction, format: u64) -> Result<()> {
    let format = format.to_le_bytes();
    transaction
        .open_table(table::META)?
        .insert(table::FORMAT, format.as_slice())?;
    Ok(())
}

/// 2 knows groups of shared subscriptions; 1 had none.
fn add_groups(transaction: &WriteTransaction) -> Result<()> {
    transaction.open_table(table::GROUPS)?;
    Ok(())
}

/// 3 knows what sessions have lost.
fn add_dropped(transaction: &WriteTransaction) -> Result<()> {
    transaction.open_table(table::DROPPED)?;
    Ok(())
}

/// 4 has sessions of row version 2, which say what they may have sent; those of version 1 are still read.
fn nothing(_: &WriteTransaction) -> Result<()> {
    Ok(())
}

/// 5 knows who may do what, and wills of row version 2, which say whose they are; those of version 1 are still read.
fn add_access(transaction: &WriteTransaction) -> Result<()> {
    transaction.open_table(table::ACCESS)?;
    Ok(())
}
