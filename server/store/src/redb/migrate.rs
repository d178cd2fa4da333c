//! From the format of an older file to today's, one step after the other.
//!
//! Each step is one transaction that also writes the new number, so a crash leaves the file in one of the formats, whole,
//! and the next start goes on from there. A newer file is never touched.
//!
//! A row that changes its encoding alone needs nothing done as long as its old version byte is still decoded, but it needs a
//! number: an earlier program, which does not know the new byte, would put such rows aside instead of refusing the file.
//! `tests/migrate.rs` keeps a file of every format.

use std::collections::BTreeMap;

use redb::{Database, Durability, ReadableDatabase, ReadableTable, Value, WriteTransaction};

use super::{
    encoding::{Block, decode_single_flow, flow_key},
    recover::BadRows,
    table,
};

type Result<T> = std::result::Result<T, redb::Error>;

/// What has to be done to the tables. Rows that cannot be decoded are put aside, as recovery does it.
type Step = fn(&WriteTransaction, &mut BadRows) -> Result<()>;

/// The first leads from format 1 to 2, and so on.
const STEPS: [Step; (table::FORMAT_VERSION - 1) as usize] =
    [add_groups, add_dropped, nothing, add_access, gather_flows];

/// Brings a file to [`table::FORMAT_VERSION`], and says what it has put aside. `None`: there is no way from that format.
pub(super) fn migrate(
    database: &Database,
    found: u64,
    durability: Durability,
) -> Result<Option<BadRows>> {
    if found == 0 || found > table::FORMAT_VERSION {
        return Ok(None);
    }
    let mut aside = BadRows::default();
    for (step, next) in STEPS.into_iter().zip(2..).skip(found as usize - 1) {
        let mut transaction = database.begin_write()?;
        transaction.set_durability(durability)?;
        step(&transaction, &mut aside)?;
        write_format(&transaction, next)?;
        transaction.commit()?;
    }
    Ok(Some(aside))
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
fn add_groups(transaction: &WriteTransaction, _: &mut BadRows) -> Result<()> {
    transaction.open_table(table::GROUPS)?;
    Ok(())
}

/// 3 knows what sessions have lost.
fn add_dropped(transaction: &WriteTransaction, _: &mut BadRows) -> Result<()> {
    transaction.open_table(table::DROPPED)?;
    Ok(())
}

/// 4 has sessions of row version 2, which say what they may have sent; those of version 1 are still read.
fn nothing(_: &WriteTransaction, _: &mut BadRows) -> Result<()> {
    Ok(())
}

/// 5 knows who may do what, and wills of row version 2, which say whose they are; those of version 1 are still read.
fn add_access(transaction: &WriteTransaction, _: &mut BadRows) -> Result<()> {
    transaction.open_table(table::ACCESS)?;
    Ok(())
}

/// 6 has the flows of 64 packet ids in a row; they had a row each.
fn gather_flows(transaction: &WriteTransaction, aside: &mut BadRows) -> Result<()> {
    let mut table = transaction.open_table(table::FLOWS)?;
    let mut quarantine = transaction.open_table(table::QUARANTINE)?;
    let mut blocks: BTreeMap<_, Block> = BTreeMap::new();
    for entry in table.range::<(u64, u16)>(..)? {
        let (key, row) = entry?;
        let key = key.value();
        match decode_single_flow(key, row.value()) {
            Ok(flow) => {
                let block = blocks.entry(flow_key(flow.session, flow.packet_id));
                block
                    .or_default()
                    .put(flow.packet_id, flow.sequence, flow.stage);
            }
            Err(why) => {
                let key = <(u64, u16)>::as_bytes(&key);
                aside.report("flows", key.as_ref(), &why);
                quarantine.insert((&b"flows"[..], key.as_ref()), row.value())?;
            }
        }
    }
    table.retain(|_, _| false)?;
    for (key, block) in blocks {
        table.insert(key, block.encode().as_slice())?;
    }
    Ok(())
}
