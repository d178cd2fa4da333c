//! The conformance suite on a file; in the modules below what only a file can suffer.

mod backup;
mod check;
mod compact;
mod crash;
mod damage;
mod disk;
mod failure;
mod log;
mod migrate;
mod open;
mod progress;
mod read;
mod rows;
mod stamp;

use redb::{Database, Key, TableDefinition, TableHandle, Value};

use super::{RedbStore, Settings};
use crate::{
    Accept, MemoryStore, Operation, Store,
    conformance::{self, Subject, sample},
};
use disk::Disk;

/// Stores on disks in memory: thousands of commits would otherwise wait for a real one.
#[derive(Default)]
struct Disks {
    /// Of the last store.
    disk: Disk,
}

impl Disks {
    fn open(&self) -> RedbStore {
        RedbStore::open_backend("disk", self.disk.clone(), Settings::default()).expect("opens")
    }
}

impl Subject for Disks {
    type Store = RedbStore;

    fn create(&mut self) -> RedbStore {
        self.disk = Disk::default();
        self.open()
    }

    fn restart(&mut self, store: RedbStore) -> RedbStore {
        drop(store);
        self.disk = Disk::of(self.disk.content());
        self.open()
    }
}

#[test]
fn the_redb_store_conforms() {
    conformance::run(Disks::default());
}

/// A few batches that leave something in every table.
fn history() -> Vec<Vec<Operation>> {
    let queue = |number: u64| {
        Operation::Accept(Accept {
            queued: sample::queue(number, [1, 2, 3], number),
            retained: Some(sample::set_retained(number % 4, number)),
            inbound: Some((crate::Incarnation(2), sample::id(number as u16))),
        })
    };
    let mut history = vec![
        (1..=3)
            .flat_map(|n| {
                [
                    sample::put_session(n, n),
                    sample::put_subscription(n, n, n),
                    sample::put_will(n, n),
                ]
            })
            .collect(),
    ];
    history.extend((1..20).map(|n| vec![queue(n)]));
    history.push(vec![sample::done(1, 1, 0, 2), sample::sent(2, 3, 7)]);
    history
}

/// The model after these batches.
fn model<'a>(batches: impl IntoIterator<Item = &'a Vec<Operation>>) -> MemoryStore {
    let model = MemoryStore::new();
    for batch in batches {
        model.commit(batch).expect("commits");
    }
    model
}

/// Spoils a row behind the store's back.
fn spoil<K: Key + 'static, V: Value + 'static>(
    database: &Database,
    table: TableDefinition<'_, K, V>,
    key: K::SelfType<'_>,
    row: V::SelfType<'_>,
) {
    let transaction = database.begin_write().expect("begins");
    let old = transaction
        .open_table(table)
        .and_then(|mut table| Ok(table.insert(key, row)?.is_some()))
        .expect("writes");
    assert!(old, "{} had no such row", table.name());
    transaction.commit().expect("commits");
}
