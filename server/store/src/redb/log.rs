//! The log of messages while a batch is applied: its table, and the recipient sets that its rows name.
//!
//! New rows have the highest keys there are, so they gather and go behind the last one together, through one cursor:
//! that takes a third of what a descent for each takes, and leaves full pages. What is done to a single row sees all that
//! came before, also what has gathered. Nothing is left over but by [`Log::finish`].

use std::{
    collections::HashMap,
    ops::{Bound, Range},
};

use redb::{ReadableTable, Table, WriteTransaction};

use super::{
    encoding::{SetBytes, decode_queued_head, encode_queued},
    extent,
    intern::Interner,
    table::{self, Bytes},
};
use crate::{Incarnation, Queue, Sequence};

type Result<T> = std::result::Result<T, redb::Error>;

/// Bytes of rows that may gather.
const GATHERED_BYTES_MAX: usize = 256 * 1024;
/// Fewer rows are written one by one: a cursor writes the last page anew, with all that is in it.
const CURSOR_ROWS_MIN: usize = 8;

/// The messages and their recipient sets.
pub(super) struct Log<'a> {
    messages: Table<'a, u64, Bytes>,
    sets: Table<'a, u64, Bytes>,
    interner: &'a mut Interner,
    /// Rows that are not in the table yet: their keys, ascending, and where they are in `bytes`.
    gathered: Vec<(u64, Range<usize>)>,
    bytes: Vec<u8>,
    /// Bytes that the rows take more than before.
    grown: i64,
}

/// What has become of the log.
pub(super) struct Finished {
    /// Bytes that the rows take more than before.
    pub(super) grown: i64,
    /// The numbers of the recipient sets that are gone.
    pub(super) gone: Vec<u64>,
}

/// For messages of one session, or group.
pub(super) struct Search {
    owner: Incarnation,
    /// So many are still looked at.
    left: usize,
    /// Sets that were looked at, for neighbours share them: whether the owner is certainly not in them.
    sets: HashMap<u64, bool>,
}

impl Search {
    pub(super) fn new(owner: Incarnation, max: usize) -> Self {
        Self {
            owner,
            left: max,
            sets: HashMap::new(),
        }
    }
}

impl<'a> Log<'a> {
    pub(super) fn open(
        transaction: &'a WriteTransaction,
        interner: &'a mut Interner,
    ) -> Result<Self> {
        Ok(Self {
            messages: transaction.open_table(table::MESSAGES)?,
            sets: transaction.open_table(table::SETS)?,
            interner,
            gathered: Vec::new(),
            bytes: Vec::new(),
            grown: 0,
        })
    }

    /// Takes in a message, or replaces the one of that number.
    pub(super) fn put(&mut self, queue: &Queue) -> Result<()> {
        let set = self.interner.intern(&queue.recipients, &mut self.sets)?;
        let key = queue.sequence.0;
        if self.gathered.last().is_some_and(|(last, _)| *last >= key) {
            self.write()?;
        }
        let start = self.bytes.len();
        encode_queued(set, &queue.message, &mut self.bytes);
        self.gathered.push((key, start..self.bytes.len()));
        if self.bytes.len() >= GATHERED_BYTES_MAX {
            self.write()?;
        }
        Ok(())
    }

    /// Removes a message, if it is there.
    pub(super) fn remove(&mut self, sequence: Sequence) -> Result<()> {
        self.settle(sequence)?;
        if let Some(row) = self.messages.remove(sequence.0)? {
            self.grown -= extent::size(row.value());
            self.interner.release(decode_queued_head(row.value())?.set);
        }
        Ok(())
    }

    /// Whether one of these messages may be of whom is looked for.
    pub(super) fn may_have(&mut self, search: &mut Search, numbers: Range<u64>) -> Result<bool> {
        if !self.gathered.is_empty() {
            self.write()?;
        }
        for entry in self.messages.range(numbers)? {
            let (_, row) = entry?;
            if search.left == 0 {
                return Ok(true);
            }
            search.left -= 1;
            // What cannot be read is left to recovery as it is.
            let Ok(head) = decode_queued_head(row.value()) else {
                return Ok(true);
            };
            let is_without = match search.sets.get(&head.set) {
                Some(is_without) => *is_without,
                None => {
                    let set = self.sets.get(head.set)?;
                    let found = set.map(|set| SetBytes::new(set.value())?.find(search.owner));
                    let is_without = matches!(found, Some(Ok(None)));
                    search.sets.insert(head.set, is_without);
                    is_without
                }
            };
            if !is_without {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Writes what has gathered, and removes the sets that have been out of use for long.
    pub(super) fn finish(mut self) -> Result<Finished> {
        self.write()?;
        let gone = self.interner.expire();
        for unused in &gone {
            self.sets.remove(unused)?;
        }
        Ok(Finished {
            grown: self.grown,
            gone,
        })
    }

    /// Sees to it that the row of this number is in the table, if there is one.
    fn settle(&mut self, sequence: Sequence) -> Result<()> {
        let first = self.gathered.first();
        if first.is_some_and(|(first, _)| *first <= sequence.0) {
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<()> {
        let last = self.messages.last()?.map(|(key, _)| key.value());
        let mut behind = self.gathered.partition_point(|(key, _)| Some(*key) <= last);
        if self.gathered.len() - behind < CURSOR_ROWS_MIN {
            behind = self.gathered.len();
        }
        // A history may be applied again: then there are rows with these numbers, or greater ones.
        for (key, row) in &self.gathered[..behind] {
            let row = &self.bytes[row.clone()];
            self.grown += extent::size(row);
            if let Some(replaced) = self.messages.insert(key, row)? {
                self.grown -= extent::size(replaced.value());
                self.interner
                    .release(decode_queued_head(replaced.value())?.set);
            }
        }
        if behind < self.gathered.len() {
            let mut end = self.messages.upper_bound_mut(Bound::<u64>::Unbounded)?;
            for (key, row) in &self.gathered[behind..] {
                let row = &self.bytes[row.clone()];
                self.grown += extent::size(row);
                end.insert_before(key, row)?;
            }
            end.close()?;
        }
        self.gathered.clear();
        self.bytes.clear();
        Ok(())
    }
}
