//! A disk that fails while the store is open.

use std::io::ErrorKind;

use super::{disk::Disk, history, model};
use crate::{
    RedbStore, Store, StoreError,
    conformance::{assert_same_reads, kept},
    redb::Settings,
};

fn open(disk: &Disk) -> RedbStore {
    RedbStore::open_backend("disk", disk.clone(), Settings::default()).expect("opens")
}

fn a_failed_commit(how: ErrorKind) -> StoreError {
    let disk = Disk::default();
    let history = history();
    let (before, after) = history.split_at(4);
    let store = open(&disk);
    for batch in before {
        store.commit(batch).expect("commits");
    }
    disk.fail(Some(how));
    let error = store.commit(&after[0]).expect_err("fails");
    let refuses = || store.commit(&after[0]).expect_err("is refused");
    assert!(matches!(refuses(), StoreError::NeedsReopen));
    // The disk heals; the store still does not know what is on it.
    disk.fail(None);
    assert!(matches!(refuses(), StoreError::NeedsReopen));
    let recovery = store.recover(&mut |_| {}).expect_err("is refused");
    assert!(matches!(recovery, StoreError::NeedsReopen));
    drop(store);
    let store = open(&disk);
    assert_eq!(kept(&store), kept(&model(before)));
    for batch in after {
        store.commit(batch).expect("commits");
    }
    assert_same_reads(&store, &model(&history));
    assert_eq!(kept(&store), kept(&model(&history)));
    error
}

#[test]
fn no_room_is_told_apart() {
    let error = a_failed_commit(ErrorKind::StorageFull);
    assert!(matches!(error, StoreError::Full(_)), "{error}");
}

#[test]
fn any_other_failure_is_io() {
    let error = a_failed_commit(ErrorKind::TimedOut);
    assert!(matches!(error, StoreError::Io(_)), "{error}");
}
