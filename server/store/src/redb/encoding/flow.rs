//! Flows of a session: a row for each block of 64 packet ids, of which at least one is in use.
//!
//! Ids are given out one after the other, and numbers mostly grow with them, so a flow in a full block takes two bytes and
//! seldom more. The key of a row is the session and the first id of the block.

use ebbtide_protocol::PacketId;
use serde::{Deserialize, Serialize};

use super::{RowError, decode, encode};
use crate::{FlowRow, FlowStage, Incarnation, Sequence};

const BLOCK_VERSION: u8 = 2;
/// A row for each flow, up to format 5.
const SINGLE_VERSION: u8 = 1;

/// Packet ids in a block: as many as a word has bits.
const BLOCK_IDS: u16 = 64;

/// The flows of one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::redb) struct Block {
    /// A bit for each id in use.
    used: u64,
    /// A bit for each of them that is at [`FlowStage::Released`].
    released: u64,
    /// Zero where none is in use.
    sequences: [u64; BLOCK_IDS as usize],
}

/// Each number as its distance from the one before, the first from zero: mostly one.
#[derive(Serialize, Deserialize)]
struct Row {
    used: u64,
    released: u64,
    distances: Vec<i64>,
}

#[derive(Serialize, Deserialize)]
struct Single {
    sequence: Sequence,
    released: bool,
}

/// The key of the row that a flow is in.
pub(in crate::redb) fn flow_key(session: Incarnation, packet_id: PacketId) -> (u64, u16) {
    (session.0, packet_id.get() / BLOCK_IDS * BLOCK_IDS)
}

/// The ids of the block that begins there; there is no id zero.
pub(in crate::redb) fn flow_ids(first: u16) -> std::ops::RangeInclusive<u16> {
    first.max(1)..=first.saturating_add(BLOCK_IDS - 1)
}

impl Default for Block {
    fn default() -> Self {
        Self {
            used: 0,
            released: 0,
            sequences: [0; BLOCK_IDS as usize],
        }
    }
}

impl Block {
    pub(in crate::redb) fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Begins a flow, or moves it on. Replaces another one under the same id.
    pub(in crate::redb) fn put(
        &mut self,
        packet_id: PacketId,
        sequence: Sequence,
        stage: FlowStage,
    ) {
        let (at, bit) = place(packet_id);
        self.used |= bit;
        match stage {
            FlowStage::Sent => self.released &= !bit,
            FlowStage::Released => self.released |= bit,
        }
        self.sequences[at] = sequence.0;
    }

    /// Ends the flow if it is still about this message: the id may carry another one by now, when a history is applied
    /// again.
    pub(in crate::redb) fn end(&mut self, packet_id: PacketId, sequence: Sequence) {
        let (at, bit) = place(packet_id);
        if self.used & bit != 0 && self.sequences[at] == sequence.0 {
            self.used &= !bit;
            self.released &= !bit;
            self.sequences[at] = 0;
        }
    }

    /// Its flows in the order of their ids, if this is the key of its row.
    pub(in crate::redb) fn flows(&self, key: (u64, u16)) -> impl Iterator<Item = FlowRow> {
        let (session, first) = key;
        (0..BLOCK_IDS).filter_map(move |at| {
            let bit = 1 << at;
            let packet_id = PacketId::new(first + at)?;
            (self.used & bit != 0).then_some(FlowRow {
                session: Incarnation(session),
                sequence: Sequence(self.sequences[usize::from(at)]),
                packet_id,
                stage: match self.released & bit {
                    0 => FlowStage::Sent,
                    _ => FlowStage::Released,
                },
            })
        })
    }

    pub(in crate::redb) fn encode(&self) -> Vec<u8> {
        let mut before = 0;
        let distance = |at| {
            let sequence: u64 = self.sequences[usize::from(at)];
            let distance = sequence.wrapping_sub(before).cast_signed();
            before = sequence;
            distance
        };
        let in_use = (0..BLOCK_IDS).filter(|at| self.used & (1 << at) != 0);
        let row = Row {
            used: self.used,
            released: self.released,
            distances: in_use.map(distance).collect(),
        };
        encode(BLOCK_VERSION, &row)
    }

    pub(in crate::redb) fn decode(key: (u64, u16), row: &[u8]) -> Result<Self, RowError> {
        let row: Row = decode(BLOCK_VERSION, row)?;
        if !key.1.is_multiple_of(BLOCK_IDS) {
            return Err(RowError::Invalid("no block begins with that packet id"));
        }
        if key.1 == 0 && row.used & 1 != 0 {
            return Err(RowError::Invalid("the packet id is zero"));
        }
        if row.used == 0 || row.released & !row.used != 0 {
            return Err(RowError::Invalid("it is of flows that are not there"));
        }
        if row.distances.len() != row.used.count_ones() as usize {
            return Err(RowError::Invalid("flows and numbers are not as many"));
        }
        let mut block = Self {
            used: row.used,
            released: row.released,
            ..Self::default()
        };
        let in_use = (0..BLOCK_IDS).filter(|at| row.used & (1 << at) != 0);
        let mut before: u64 = 0;
        for (at, distance) in in_use.zip(row.distances) {
            before = before.wrapping_add_signed(distance);
            block.sequences[usize::from(at)] = before;
        }
        Ok(block)
    }
}

/// A row of one flow, as it was up to format 5; session and packet id are the key.
pub(in crate::redb) fn decode_single_flow(
    key: (u64, u16),
    row: &[u8],
) -> Result<FlowRow, RowError> {
    let flow: Single = decode(SINGLE_VERSION, row)?;
    Ok(FlowRow {
        session: Incarnation(key.0),
        sequence: flow.sequence,
        packet_id: PacketId::new(key.1).ok_or(RowError::Invalid("the packet id is zero"))?,
        stage: match flow.released {
            true => FlowStage::Released,
            false => FlowStage::Sent,
        },
    })
}

/// Where in its block an id is.
fn place(packet_id: PacketId) -> (usize, u64) {
    let at = packet_id.get() % BLOCK_IDS;
    (usize::from(at), 1 << at)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn id(id: u16) -> PacketId {
        PacketId::new(id).expect("above zero")
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            rng_seed: proptest::test_runner::RngSeed::Fixed(13),
            ..ProptestConfig::default()
        })]

        #[test]
        fn like_a_plain_map(
            block in 0_u16..1024,
            steps in prop::collection::vec((0_u16..64, prop_oneof![0..4_u64, any::<u64>()], 0..4), 0..80)
        ) {
            let first = block * BLOCK_IDS;
            let mut block = Block::default();
            let mut map = BTreeMap::new();
            for (at, sequence, kind) in steps {
                let Some(id) = PacketId::new(first + at) else { continue };
                prop_assert_eq!(flow_key(Incarnation(5), id), (5, first));
                let stage = if kind == 1 { FlowStage::Released } else { FlowStage::Sent };
                if kind > 1 {
                    block.end(id, Sequence(sequence));
                    if map.get(&id).is_some_and(|(known, _)| *known == sequence) {
                        map.remove(&id);
                    }
                } else {
                    block.put(id, Sequence(sequence), stage);
                    map.insert(id, (sequence, stage));
                }
                let found: Vec<_> = block
                    .flows((5, first))
                    .map(|flow| (flow.packet_id, (flow.sequence.0, flow.stage)))
                    .collect();
                prop_assert_eq!(found, map.clone().into_iter().collect::<Vec<_>>());
                prop_assert_eq!(block.is_empty(), map.is_empty());
                if !block.is_empty() {
                    prop_assert_eq!(&Block::decode((5, first), &block.encode()), &Ok(block.clone()));
                }
            }
        }
    }

    #[test]
    fn a_full_block_takes_two_bytes_for_a_flow() {
        let mut block = Block::default();
        for at in 0..BLOCK_IDS {
            let sequence = Sequence(1_000_000 + u64::from(at));
            block.put(id(640 + at), sequence, FlowStage::Sent);
        }
        assert!(block.encode().len() <= 2 * usize::from(BLOCK_IDS));
    }

    #[test]
    fn rows_that_make_no_sense_are_refused() {
        let refused = |first, used, released, count| {
            let distances = vec![1; count];
            let row = Row {
                used,
                released,
                distances,
            };
            Block::decode((1, first), &encode(BLOCK_VERSION, &row)).expect_err("is refused")
        };
        let whys = [
            (refused(64, 0, 0, 0), "it is of flows that are not there"),
            (refused(64, 2, 6, 1), "it is of flows that are not there"),
            (refused(64, 2, 0, 2), "flows and numbers are not as many"),
            (refused(64, 6, 0, 1), "flows and numbers are not as many"),
            (refused(65, 2, 0, 1), "no block begins with that packet id"),
            (refused(0, 1, 0, 1), "the packet id is zero"),
        ];
        for (found, why) in whys {
            assert_eq!(found, RowError::Invalid(why));
        }
    }
}
