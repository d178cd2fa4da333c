//! Retained messages, and messages that wait: most of a large file, and independent of each other, so they are read at the
//! same time. A second thread reads those that wait and hands them over by chunks; the first reads the retained ones, and
//! passes on between them what has come.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::resume_unwind,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use redb::ReadTransaction;

use super::{Recovery, Result, Sets, Sweep};
use crate::{
    Incarnation, Row, Sequence,
    redb::{
        encoding::{decode_queued_head, decode_retained},
        intern::Interner,
        progress::Progress,
        table,
    },
};

/// Rows that are handed over together.
const CHUNK_ROWS: usize = 1024;
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
        let mut chunk = Vec::new();
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
                    chunk.push(Row::Queued {
                        sequence,
                        expires_at: head.expires_at,
                        size_bytes: head.size_bytes,
                        recipients,
                    });
                }
            }
            // If nobody receives, the first thread has failed, and its error counts.
            if chunk.len() == CHUNK_ROWS && to.send(std::mem::take(&mut chunk)).is_err() {
                break;
            }
        }
        let _ = to.send(chunk);
        Ok((self.interner, self.sweep))
    }
}
