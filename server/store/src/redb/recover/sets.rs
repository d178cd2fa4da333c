//! Who still waits for a message: its recipient set less the sessions that are gone or done.
//!
//! Most messages share a set, and mostly nobody or everybody in a run of them is done; both are answered without
//! building a new set.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use redb::ReadOnlyTable;

use crate::{
    Incarnation, Recipient, RecipientSet, Sequence,
    redb::{
        encoding::{RowError, decode_set},
        progress::Progress,
        table::Bytes,
    },
};

/// Recipients held decoded at a time.
const CACHED_RECIPIENTS_MAX: usize = 262_144;

pub(in crate::redb) struct Sets<'a> {
    rows: &'a ReadOnlyTable<u64, Bytes>,
    owners: &'a BTreeSet<Incarnation>,
    progress: &'a BTreeMap<Incarnation, Progress>,
    cached: HashMap<u64, Option<Set<'a>>>,
    cached_recipients: usize,
}

/// A set whose owners have been looked up.
struct Set<'a> {
    /// Those that are still there.
    recipients: RecipientSet,
    /// Theirs.
    progress: Vec<Option<&'a Progress>>,
    /// From here on all of them wait.
    all_wait_from: Sequence,
    /// The last answer that was neither all nor nobody: the next one is mostly equal.
    last: RecipientSet,
}

impl<'a> Sets<'a> {
    pub(in crate::redb) fn new(
        rows: &'a ReadOnlyTable<u64, Bytes>,
        owners: &'a BTreeSet<Incarnation>,
        progress: &'a BTreeMap<Incarnation, Progress>,
    ) -> Self {
        Self {
            rows,
            owners,
            progress,
            cached: HashMap::new(),
            cached_recipients: 0,
        }
    }

    /// Those in the set who wait for this message; `None` if nobody does. The inner error: the set cannot be read.
    pub(in crate::redb) fn waiting(
        &mut self,
        number: u64,
        sequence: Sequence,
    ) -> Result<Result<Option<RecipientSet>, RowError>, redb::Error> {
        if !self.cached.contains_key(&number) {
            let set = match self.rows.get(number)? {
                Some(row) => decode_set(row.value()).ok().map(|set| self.resolve(&set)),
                None => None,
            };
            let size = set.as_ref().map_or(0, |set| set.recipients.len());
            if self.cached_recipients + size > CACHED_RECIPIENTS_MAX {
                self.cached.clear();
                self.cached_recipients = 0;
            }
            self.cached_recipients += size;
            self.cached.insert(number, set);
        }
        Ok(match self.cached.get_mut(&number) {
            Some(Some(set)) => Ok(set.waiting(sequence)),
            _ => Err(RowError::Invalid("its recipient set cannot be read")),
        })
    }

    fn resolve(&self, set: &RecipientSet) -> Set<'a> {
        let there = |recipient: &&Recipient| self.owners.contains(&recipient.session);
        let recipients: RecipientSet = if set.iter().all(|recipient| there(&recipient)) {
            set.clone()
        } else {
            set.iter().filter(there).cloned().collect()
        };
        let progress: Vec<_> = recipients
            .iter()
            .map(|recipient| self.progress.get(&recipient.session))
            .collect();
        let ends = progress.iter().flatten().map(|progress| progress.end());
        Set {
            all_wait_from: ends.max().unwrap_or_default(),
            recipients,
            progress,
            last: Arc::new([]),
        }
    }
}

impl Set<'_> {
    fn waiting(&mut self, sequence: Sequence) -> Option<RecipientSet> {
        if self.recipients.is_empty() {
            return None;
        }
        if sequence >= self.all_wait_from {
            return Some(self.recipients.clone());
        }
        let done = |progress: &&Progress| progress.is_done(sequence);
        let waits =
            |(_, progress): &(&Recipient, &Option<&Progress>)| !progress.as_ref().is_some_and(done);
        let waiting = || {
            self.recipients
                .iter()
                .zip(&self.progress)
                .filter(waits)
                .map(|(r, _)| r)
        };
        waiting().next()?;
        if !waiting().eq(self.last.iter()) {
            self.last = waiting().cloned().collect();
        }
        Some(self.last.clone())
    }
}
