//! Recipient sets are kept once each: which are there, how many messages name each, and which may go.
//!
//! The counts live in memory only and are rebuilt by recovery. A set that nothing names stays for a while, since the
//! next message to the same topic most likely names it again.

use std::{
    collections::{HashMap, HashSet, VecDeque, hash_map::RandomState},
    hash::BuildHasher,
    sync::Arc,
};

use redb::{ReadableTable, StorageError, Table};

use super::{encoding::encode_set, table::Bytes};
use crate::{RecipientSet, set_size};

/// Sets that no message names, kept in case one does again.
pub(super) const UNUSED_SETS_MAX: usize = 256;
/// Bytes of the sets that are recognised by address: bounds the memory that this holds on to.
const RECENT_BYTES_MAX: usize = 4 * 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Interner {
    sets: HashMap<u64, Known>,
    /// Hash of the encoded set → its numbers: several only if hashes collide.
    by_hash: HashMap<u64, Vec<u64>>,
    hasher: RandomState,
    /// Sets by the address of their value, which is held so that the address stays theirs. Saves encoding the set of
    /// a topic for each of its messages.
    recent: HashMap<usize, (RecipientSet, u64)>,
    recent_bytes: usize,
    /// In the order in which they fell out of use; may name sets that are in use again.
    unused: VecDeque<u64>,
    /// Greater than all numbers in use.
    next: u64,
}

#[derive(Debug)]
struct Known {
    hash: u64,
    messages: u64,
    /// Is in `unused`.
    listed: bool,
}

impl Interner {
    /// New sets get this number and those after it.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Makes known a set that is in the table, as yet without messages.
    pub(super) fn know(&mut self, number: u64, row: &[u8]) {
        let hash = self.hasher.hash_one(row);
        self.by_hash.entry(hash).or_default().push(number);
        let known = Known {
            hash,
            messages: 0,
            listed: false,
        };
        self.sets.insert(number, known);
        self.next = self.next.max(number + 1);
    }

    /// Counts a message that names this set.
    pub(super) fn hold(&mut self, number: u64) {
        if let Some(known) = self.sets.get_mut(&number) {
            known.messages += 1;
        }
    }

    /// A message that named this set is gone.
    pub(super) fn release(&mut self, number: u64) {
        let Some(known) = self.sets.get_mut(&number) else {
            return;
        };
        known.messages = known.messages.saturating_sub(1);
        if known.messages == 0 && !known.listed {
            known.listed = true;
            self.unused.push_back(number);
        }
    }

    /// The number of the set, which is written if it is new. Counts a message.
    pub(super) fn intern(
        &mut self,
        set: &RecipientSet,
        table: &mut Table<'_, u64, Bytes>,
    ) -> Result<u64, StorageError> {
        let address = Arc::as_ptr(set).cast::<()>() as usize;
        if let Some(&(_, number)) = self.recent.get(&address) {
            self.hold(number);
            return Ok(number);
        }
        let row = encode_set(set);
        let number = match self.find(&row, table)? {
            Some(number) => number,
            None => {
                let number = self.next;
                table.insert(number, row.as_slice())?;
                self.know(number, &row);
                number
            }
        };
        self.remember(address, set, number);
        self.hold(number);
        Ok(number)
    }

    fn find(&self, row: &[u8], table: &Table<'_, u64, Bytes>) -> Result<Option<u64>, StorageError> {
        let candidates = self.by_hash.get(&self.hasher.hash_one(row));
        for &number in candidates.into_iter().flatten() {
            if table
                .get(number)?
                .is_some_and(|stored| stored.value() == row)
            {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }

    fn remember(&mut self, address: usize, set: &RecipientSet, number: u64) {
        let bytes = set_size(set);
        if self.recent_bytes + bytes > RECENT_BYTES_MAX {
            self.recent.clear();
            self.recent_bytes = 0;
        }
        if bytes <= RECENT_BYTES_MAX {
            self.recent_bytes += bytes;
            self.recent.insert(address, (set.clone(), number));
        }
    }

    /// Lists the sets that no message names as unused; for the end of recovery.
    pub(super) fn list_unused(&mut self) {
        let unused = self
            .sets
            .iter_mut()
            .filter(|(_, known)| known.messages == 0);
        for (&number, known) in unused {
            if !known.listed {
                known.listed = true;
                self.unused.push_back(number);
            }
        }
    }

    /// The numbers of the sets that may go now; they are forgotten.
    pub(super) fn expire(&mut self) -> Vec<u64> {
        let mut gone = Vec::new();
        while self.unused.len() > UNUSED_SETS_MAX
            && let Some(number) = self.unused.pop_front()
        {
            let Some(known) = self.sets.get_mut(&number) else {
                continue;
            };
            known.listed = false;
            if known.messages > 0 {
                continue;
            }
            let hash = known.hash;
            self.sets.remove(&number);
            if let Some(same) = self.by_hash.get_mut(&hash) {
                same.retain(|&other| other != number);
                if same.is_empty() {
                    self.by_hash.remove(&hash);
                }
            }
            gone.push(number);
        }
        if !gone.is_empty() {
            let forgotten: HashSet<u64> = gone.iter().copied().collect();
            let bytes = &mut self.recent_bytes;
            self.recent.retain(|_, (set, number)| {
                let stays = !forgotten.contains(number);
                if !stays {
                    *bytes -= set_size(set);
                }
                stays
            });
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use ebbtide_protocol::QoS;

    use super::*;
    use crate::{Incarnation, Recipient};

    /// Would fail if a set counted by its recipients alone: each of these has a quarter of a megabyte.
    #[test]
    fn it_holds_on_to_no_more_than_it_may() {
        let mut interner = Interner::default();
        for number in 0..100 {
            let set: RecipientSet = [Recipient {
                session: Incarnation(number),
                qos: QoS::AtLeastOnce,
                retain: false,
                subscription_identifiers: vec![1; 65_536],
            }]
            .into();
            let address = Arc::as_ptr(&set).cast::<()>() as usize;
            interner.remember(address, &set, number);
            let held = interner.recent.values().map(|(set, _)| set_size(set));
            assert!(held.sum::<usize>() <= RECENT_BYTES_MAX, "{number}");
        }
        assert!(!interner.recent.is_empty());
    }
}
