//! Retained messages, and messages that wait: most of a large file, and independent of each other, so they are read at the
//! same time. A second thread reads those that wait and hands them over by chunks; the first reads the retained ones, and
//! passes on between them what has come.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::resume_unwind,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use redb::ReadTransaction;

use super::{Recovery, Result, Sets, Sweep};
use crate::{
    Incarnation, RecipientSet, Row, Sequence,
    redb::{
        encoding::{QueuedHead, decode_queued_head, decode_retained},
        intern::Interner,
        progress::Progress,
        table,
    },
};

/// Rows that are handed over together.
const CHUNK_ROWS: usize = 1024;
/// With so many recipients a chunk is handed over before it has all its rows; one set may have more.
const CHUNK_RECIPIENTS: usize = 8192;
/// Chunks that may be on their way; the second thread waits then.
const CHUNKS_MAX: usize = 16;

impl Recovery<'_> {
    /// Both kinds. What waits comes in its own order, between retained messages.
    pub(super) fn messages(&mut self) -> Result<()> {
        let waiting = Waiting {
            snapshot: self.snapshot,
            owners: &self.owners,
            progress: &self.progress,
            interner: std::mem::take(&mut self.interner),
            sweep: Sweep::default(),
        };
        let (sender, receiver) = sync_channel(CHUNKS_MAX);
        let (snapshot, visit, sweep) = (self.snapshot, &mut *self.visit, &mut self.sweep);
        let (interner, swept) = thread::scope(|scope| {
            let reader = thread::Builder::new()
                .name("recovery".into())
                .spawn_scoped(scope, move || waiting.read(&sender))?;
            // Either way the receiver is gone then, and the reader does not wait for it.
            let retained = retained(snapshot, sweep, visit, receiver);
            let waiting = reader.join().unwrap_or_else(|panic| resume_unwind(panic));
            retained.and(waiting)
        })?;
        self.interner = interner;
        self.sweep.take_in(swept);
        Ok(())
    }
}

fn retained(
    snapshot: &ReadTransaction,
    sweep: &mut Sweep,
    visit: &mut dyn FnMut(Row),
    waiting: Receiver<Vec<Row>>,
) -> Result<()> {
    let table = snapshot.open_table(table::RETAINED)?;
    for (at, entry) in table.range::<&[u8]>(..)?.enumerate() {
        let (key, row) = entry?;
        match decode_retained(key.value(), row.value()) {
            Ok(row) => visit(Row::Retained(row)),
            Err(why) => sweep.put_aside(table::RETAINED, key.value(), &why),
        }
        if at % CHUNK_ROWS == 0 {
            waiting.try_iter().flatten().for_each(&mut *visit);
        }
    }
    waiting.into_iter().flatten().for_each(visit);
    Ok(())
}

/// What the second thread needs.
struct Waiting<'a> {
    snapshot: &'a ReadTransaction,
    owners: &'a BTreeSet<Incarnation>,
    progress: &'a BTreeMap<Incarnation, Progress>,
    interner: Interner,
    sweep: Sweep,
}

impl Waiting<'_> {
    fn read(mut self, to: &SyncSender<Vec<Row>>) -> Result<(Interner, Sweep)> {
        let table = self.snapshot.open_table(table::MESSAGES)?;
        let rows = self.snapshot.open_table(table::SETS)?;
        let mut sets = Sets::new(&rows, self.owners, self.progress);
        let mut chunk = Chunk::default();
        for entry in table.range::<u64>(..)? {
            let (key, row) = entry?;
            let sequence = Sequence(key.value());
            let head = match decode_queued_head(row.value()) {
                Ok(head) => head,
                Err(why) => {
                    self.sweep.put_aside(table::MESSAGES, key.value(), &why);
                    continue;
                }
            };
            match sets.waiting(head.set, sequence)? {
                Err(why) => self.sweep.put_aside(table::MESSAGES, key.value(), &why),
                Ok(None) => self.sweep.remove_message(key.value()),
                Ok(Some(recipients)) => {
                    self.interner.hold(head.set);
                    chunk.push(sequence, &head, recipients);
                }
            }
            // If nobody receives, the first thread has failed, and its error counts.
            if chunk.is_full() && to.send(std::mem::take(&mut chunk).rows).is_err() {
                break;
            }
        }
        let _ = to.send(chunk.rows);
        Ok((self.interner, self.sweep))
    }
}

/// What is to be handed over next.
#[derive(Default)]
struct Chunk {
    rows: Vec<Row>,
    /// Each set once that rows behind each other share.
    recipients: usize,
}

impl Chunk {
    fn push(&mut self, sequence: Sequence, head: &QueuedHead, recipients: RecipientSet) {
        let is_shared = match self.rows.last() {
            Some(Row::Queued {
                recipients: last, ..
            }) => Arc::ptr_eq(last, &recipients),
            _ => false,
        };
        if !is_shared {
            self.recipients += recipients.len();
        }
        self.rows.push(Row::Queued {
            sequence,
            expires_at: head.expires_at,
            size_bytes: head.size_bytes,
            recipients,
        });
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= CHUNK_ROWS || self.recipients >= CHUNK_RECIPIENTS
    }
}

#[cfg(test)]
mod tests {
    use redb::ReadableDatabase;

    use super::*;
    use crate::{Operation, RedbStore, Store, conformance::sample, redb::Settings};

    /// Messages, and as many sessions of which each left one message later than the one before.
    const MANY: u64 = 600;

    /// What each chunk holds, sets that are shared once.
    fn recipients_of_chunks(store: &RedbStore) -> Vec<usize> {
        let snapshot = store.database().begin_read().expect("begins");
        let mut ignore = |_| {};
        let mut recovery = Recovery::new(&snapshot, Sweep::default(), &mut ignore);
        recovery.sessions().expect("reads");
        recovery.progress().expect("reads");
        let waiting = Waiting {
            snapshot: &snapshot,
            owners: &recovery.owners,
            progress: &recovery.progress,
            interner: Interner::default(),
            sweep: Sweep::default(),
        };
        let (sender, receiver) = sync_channel(usize::try_from(MANY).expect("fits"));
        waiting.read(&sender).map(drop).expect("reads");
        drop(sender);
        let recipients = |chunk: Vec<Row>| {
            let mut sets: Vec<RecipientSet> = Vec::new();
            for row in chunk {
                if let Row::Queued { recipients, .. } = row {
                    sets.push(recipients);
                }
            }
            sets.dedup_by(|one, other| Arc::ptr_eq(one, other));
            sets.iter().map(|set| set.len()).sum()
        };
        receiver.into_iter().map(recipients).collect()
    }

    #[test]
    fn a_chunk_ends_by_recipients_as_well_as_by_rows() {
        let store = RedbStore::open_backend(
            "memory",
            redb::backends::InMemoryBackend::new(),
            Settings::default(),
        );
        let store = store.expect("opens");
        let sessions = (1..=MANY).map(|number| sample::put_session(number, number));
        let messages = (1..=MANY).map(|number| {
            Operation::Accept(crate::Accept {
                queued: sample::queue(number, 1..=MANY, 1),
                retained: None,
                inbound: None,
            })
        });
        let batch: Vec<_> = sessions.chain(messages).collect();
        store.commit(&batch).expect("commits");
        assert_eq!(recipients_of_chunks(&store), [MANY as usize], "one set");

        let left = (1..MANY).map(|number| sample::done(number, number, 0, number + 1));
        store.commit(&left.collect::<Vec<_>>()).expect("commits");
        let chunks = recipients_of_chunks(&store);
        let all: usize = chunks.iter().sum();
        assert!(all > 20 * CHUNK_RECIPIENTS, "{chunks:?}");
        let most = CHUNK_RECIPIENTS + MANY as usize;
        assert!(chunks.iter().all(|held| *held <= most), "{chunks:?}");
    }
}
