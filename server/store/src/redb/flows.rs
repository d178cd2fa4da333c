//! The flows of sessions while a batch is applied: their table, and the blocks that the batch touches.
//!
//! A block is read when it is touched first, changed in memory, and written once, at the end. A flow that begins and ends
//! within a batch never gets to the table.

use std::collections::{BTreeMap, btree_map::Entry};

use ebbtide_protocol::PacketId;
use redb::{ReadableTable, Table, WriteTransaction};

use super::{
    encoding::{Block, flow_key},
    table::{self, Bytes},
};
use crate::{FlowStage, Incarnation, Sequence};

type Result<T> = std::result::Result<T, redb::Error>;

/// The packet ids that are in use.
pub(super) struct Flows<'a> {
    table: Table<'a, (u64, u16), Bytes>,
    touched: BTreeMap<(u64, u16), Box<Touched>>,
}

#[derive(Default)]
struct Touched {
    block: Block,
    /// Its row is in the table.
    is_there: bool,
}

impl<'a> Flows<'a> {
    pub(super) fn open(transaction: &'a WriteTransaction) -> Result<Self> {
        Ok(Self {
            table: transaction.open_table(table::FLOWS)?,
            touched: BTreeMap::new(),
        })
    }

    /// Begins a flow, or moves it on. Replaces another one under the same id.
    pub(super) fn put(
        &mut self,
        session: Incarnation,
        packet_id: PacketId,
        sequence: Sequence,
        stage: FlowStage,
    ) -> Result<()> {
        let block = self.block(flow_key(session, packet_id))?;
        block.put(packet_id, sequence, stage);
        Ok(())
    }

    /// Ends the flow, if it is about this message.
    pub(super) fn end(
        &mut self,
        session: Incarnation,
        packet_id: PacketId,
        sequence: Sequence,
    ) -> Result<()> {
        let block = self.block(flow_key(session, packet_id))?;
        block.end(packet_id, sequence);
        Ok(())
    }

    /// Ends all of a session.
    pub(super) fn remove_session(&mut self, session: Incarnation) -> Result<()> {
        let blocks = (session.0, 0)..=(session.0, u16::MAX);
        let touched: Vec<_> = self
            .touched
            .range(blocks.clone())
            .map(|(key, _)| *key)
            .collect();
        for key in touched {
            self.touched.remove(&key);
        }
        self.table.retain_in(blocks, |_, _| false)?;
        Ok(())
    }

    /// Writes what the batch has changed.
    pub(super) fn finish(mut self) -> Result<()> {
        for (key, touched) in &self.touched {
            if !touched.block.is_empty() {
                self.table.insert(key, touched.block.encode().as_slice())?;
            } else if touched.is_there {
                self.table.remove(key)?;
            }
        }
        Ok(())
    }

    fn block(&mut self, key: (u64, u16)) -> Result<&mut Block> {
        let touched = match self.touched.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let touched = match self.table.get(key)? {
                    Some(row) => Touched {
                        block: Block::decode(key, row.value())?,
                        is_there: true,
                    },
                    None => Touched::default(),
                };
                entry.insert(Box::new(touched))
            }
        };
        Ok(&mut touched.block)
    }
}
