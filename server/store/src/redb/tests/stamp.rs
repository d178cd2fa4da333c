//! What was opened again is what was left, or it is known that it is not.

use super::{disk::Disk, history};
use crate::{
    RedbStore, Store,
    redb::{Settings, restore::restore},
};

fn open(disk: &Disk) -> RedbStore {
    RedbStore::open_backend("disk", disk.clone(), Settings::default()).expect("opens")
}

/// A disk of the same content.
fn copy(disk: &Disk) -> Disk {
    Disk::of(disk.content())
}

#[test]
fn what_a_store_has_left_is_known_and_nothing_older_is() {
    let disk = Disk::default();
    let mut store = open(&disk);
    let mut older: Vec<Disk> = Vec::new();
    for batch in &history() {
        store.commit(batch).expect("commits");
        let stamps = store.stamps();
        for disk in &older {
            assert!(!stamps.include(&open(&copy(disk))));
        }
        let left = copy(&disk);
        assert!(stamps.include(&open(&copy(&left))), "after a kill");
        drop(store);
        store = open(&disk);
        assert!(stamps.include(&store), "after a proper end");
        older.push(left);
    }
}

/// All rows may be equal, it still is another one: what was committed to the first is not known to be in it.
#[test]
fn another_store_is_not_known() {
    let stores = [(); 2].map(|()| {
        let disk = Disk::default();
        let store = open(&disk);
        store.commit(&history()[0]).expect("commits");
        (store, disk)
    });
    let [(store, _), (_, other)] = &stores;
    assert!(!store.stamps().include(&open(&copy(other))));
    let empty = Disk::default();
    assert!(
        !open(&empty).stamps().include(&open(&copy(&empty))),
        "it has no stamp"
    );
}

/// Not even one of a backup of that very moment.
#[test]
fn a_restored_store_is_not_known() {
    let store = open(&Disk::default());
    store.commit(&history()[0]).expect("commits");
    let mut backup = Vec::new();
    let snapshot = store.snapshot().expect("is taken");
    snapshot.write(&mut backup).expect("writes");
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    restore(backup.as_slice(), &path, |_| {}).expect("restores");
    let restored = RedbStore::open(&path).expect("opens");
    assert!(!store.stamps().include(&restored));
}
