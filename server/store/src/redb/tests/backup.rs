//! Backups: what they hold comes back, and anything else than the whole of one is refused.

use std::{fs, path::Path};

use super::{history, model, spoil};
use crate::{
    Accept, Marks, Operation, RedbStore, Row, Store, StoreError,
    conformance::{assert_same_reads, kept, random_histories, sample},
    redb::{
        backup::{BackupError, verify},
        restore::{RESTORE_SUFFIX, RestoreError, restore},
        table,
    },
};

fn store(path: &Path, batches: &[Vec<Operation>]) -> RedbStore {
    let store = RedbStore::open(path).expect("opens");
    for batch in batches {
        store.commit(batch).expect("commits");
    }
    store
}

fn backup_of(store: &RedbStore) -> Vec<u8> {
    let mut backup = Vec::new();
    let written = store.snapshot().expect("is taken").write(&mut backup);
    let written = written.expect("writes");
    assert_eq!(written.bytes, backup.len() as u64);
    backup
}

fn backup() -> Vec<u8> {
    let directory = tempfile::tempdir().expect("a directory");
    backup_of(&store(&directory.path().join("store"), &history()))
}

fn marks_of(store: &impl Store) -> Marks {
    let mut found = None;
    let mut look = |row| {
        if let Row::Marks(marks) = row {
            found = Some(marks);
        }
    };
    store.recover(&mut look).expect("recovers");
    found.expect("marks")
}

/// The marks of what was restored, which are far above, and all that it has more.
pub(super) fn raised(original: &impl Store, restored: &RedbStore) -> Marks {
    let (before, after) = (marks_of(original), marks_of(restored));
    let far = 1 << 40;
    assert!(after.sequence.0 >= before.sequence.0 + far, "{after:?}");
    assert!(after.revision.0 >= before.revision.0 + far, "{after:?}");
    assert!(
        after.incarnation.0 >= before.incarnation.0 + far,
        "{after:?}"
    );
    after
}

/// Does the same to the original.
fn raise(original: &impl Store, restored: &RedbStore) {
    let marks = Operation::Reserve(raised(original, restored));
    original.commit(&[marks]).expect("commits");
}

fn refused(backup: &[u8]) -> BackupError {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    match restore(backup, &path, |_| {}) {
        Err(RestoreError::Backup(error)) => {
            let left = fs::read_dir(directory.path()).expect("lists").count();
            assert_eq!(left, 0, "{error}: something is left");
            error
        }
        Err(error) => panic!("{error}"),
        Ok(restored) => panic!("{restored:?}"),
    }
}

#[test]
fn what_was_kept_comes_back() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut histories = random_histories(3);
    histories.push(history());
    histories.push(Vec::new());
    for (history, number) in histories.iter().zip(0..) {
        let original = store(&directory.path().join(format!("{number}")), history);
        let backup = backup_of(&original);
        let path = directory.path().join(format!("restored {number}"));
        restore(backup.as_slice(), &path, |_| {}).expect("restores");
        let restored = RedbStore::open(&path).expect("opens");
        raise(&original, &restored);
        assert!(
            backup_of(&original) == backup_of(&restored),
            "history {number}"
        );
        let model = model(history);
        raise(&model, &restored);
        assert_eq!(kept(&restored), kept(&model));
        assert_same_reads(&restored, &model);
    }
}

#[test]
fn a_backup_is_of_one_moment() {
    let directory = tempfile::tempdir().expect("a directory");
    let history = history();
    let (before, after) = history.split_at(10);
    let original = store(&directory.path().join("store"), before);
    let snapshot = original.snapshot().expect("is taken");
    for batch in after {
        original.commit(batch).expect("commits");
    }
    let mut backup = Vec::new();
    snapshot.write(&mut backup).expect("writes");
    let path = directory.path().join("restored");
    restore(backup.as_slice(), &path, |_| {}).expect("restores");
    let restored = RedbStore::open(&path).expect("opens");
    let model = model(before);
    raise(&model, &restored);
    assert_eq!(kept(&restored), kept(&model));
}

/// Who goes on from a backup does not know what was handed out since it was made, nor does another who goes on from it.
#[test]
fn each_restored_store_has_numbers_of_its_own() {
    let directory = tempfile::tempdir().expect("a directory");
    let original = store(&directory.path().join("store"), &history());
    let backup = backup_of(&original);
    let [one, other] = ["one", "other"].map(|name| {
        let path = directory.path().join(name);
        restore(backup.as_slice(), &path, |_| {}).expect("restores");
        raised(&original, &RedbStore::open(&path).expect("opens"))
    });
    assert_ne!(one.sequence, other.sequence);
    assert_ne!(one.revision, other.revision);
    assert_ne!(one.incarnation, other.incarnation);
}

/// Rows longer than a chunk, and enough of them for several chunks.
#[test]
fn large_rows_come_back() {
    let directory = tempfile::tempdir().expect("a directory");
    let large = |number: u64, bytes: usize| {
        let mut queue = sample::queue(number, [1], 1).expect("queues");
        queue.message = crate::Message {
            payload: vec![number as u8; bytes].into(),
            ..sample::message(sample::topic(1), 2)
        }
        .into();
        Operation::Accept(Accept {
            queued: Some(queue),
            retained: None,
            inbound: None,
        })
    };
    let mut batch = vec![sample::put_session(1, 1), large(1, 3_000_000)];
    batch.extend((2..40).map(|number| large(number, 30_000)));
    let original = store(
        &directory.path().join("store"),
        std::slice::from_ref(&batch),
    );
    let path = directory.path().join("restored");
    restore(backup_of(&original).as_slice(), &path, |_| {}).expect("restores");
    let restored = RedbStore::open(&path).expect("opens");
    let model = model([&batch]);
    raise(&model, &restored);
    assert_same_reads(&restored, &model);
    assert_eq!(kept(&restored), kept(&model));
}

#[test]
fn every_cut_is_noticed() {
    let backup = backup();
    assert!(verify(backup.as_slice()).expect("is whole").rows > 50);
    for length in 0..backup.len() {
        let error = verify(&backup[..length]).expect_err("is cut");
        let expected = matches!(
            (&error, length),
            (BackupError::Foreign, 0..17) | (BackupError::CutOff(_), 17..)
        );
        assert!(expected, "{length}: {error}");
    }
    refused(&backup[..backup.len() / 2]);
    refused(&backup[..backup.len() - 1]);
}

#[test]
fn every_changed_byte_is_noticed() {
    let backup = backup();
    for at in 0..backup.len() {
        let mut changed = backup.clone();
        changed[at] ^= 1 << (at % 8);
        verify(changed.as_slice()).expect_err("is changed");
    }
    let mut changed = backup.clone();
    changed[backup.len() / 2] ^= 1;
    let error = refused(&changed);
    assert!(matches!(error, BackupError::Damaged(_)), "{error}");
    let longer = [backup.as_slice(), b"\n"].concat();
    let error = refused(&longer);
    assert!(matches!(error, BackupError::Senseless { .. }), "{error}");
    let error = refused(b"something else altogether, and long enough");
    assert!(matches!(error, BackupError::Foreign), "{error}");
}

#[test]
fn nothing_is_overwritten() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    drop(store(&path, &history()));
    let before = fs::read(&path).expect("reads");
    let error = restore(backup().as_slice(), &path, |_| {}).expect_err("is there");
    assert!(matches!(error, RestoreError::Exists(_)), "{error}");
    assert!(fs::read(&path).expect("reads") == before);
}

/// The rest of a restore that was killed is in nobody's way; one that runs is.
#[test]
fn what_is_left_beside_is_overwritten_unless_it_is_in_use() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    let beside = directory.path().join(format!("store{RESTORE_SUFFIX}"));
    let other = RedbStore::open(&beside).expect("opens");
    let error = restore(backup().as_slice(), &path, |_| {}).expect_err("is in use");
    assert!(
        matches!(error, RestoreError::Store(StoreError::InUse { .. })),
        "{error}"
    );
    other.commit(&history()[0]).expect("goes on");
    drop(other);
    restore(backup().as_slice(), &path, |_| {}).expect("restores");
    assert!(!beside.exists());
}

/// A bad row is in the backup as it is in the store: it must not keep back the rest.
#[test]
fn a_bad_row_is_restored_and_reported() {
    let directory = tempfile::tempdir().expect("a directory");
    let marks = Operation::Reserve(Marks {
        sequence: crate::Sequence(100),
        revision: crate::Revision(100),
        incarnation: crate::Incarnation(100),
    });
    let mut history = history();
    history.push(vec![marks]);
    let original = store(&directory.path().join("store"), &history);
    spoil(&original.database(), table::WILLS, 2, &[1]);
    let path = directory.path().join("restored");
    let restored = restore(backup_of(&original).as_slice(), &path, |_| {}).expect("restores");
    assert_eq!(restored.report.fault_count, 1, "{:#?}", restored.report);
    assert_eq!(restored.report.faults[0].table, "wills");
    let store = RedbStore::open(&path).expect("opens");
    let report = store.recover(&mut |_| {}).expect("recovers");
    assert_eq!(report.put_aside.len(), 1);
}

/// A snapshot does not keep a store open that has to be opened again.
#[test]
fn a_closed_store_ends_its_snapshots() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    let original = store(&path, &random_histories(1)[0]);
    let snapshot = original.snapshot().expect("is taken");
    drop(original);
    let again = RedbStore::open(&path).expect("opens");
    // What it has read already it may still write, but it ends.
    let _ = snapshot.write(std::io::sink());
    again.commit(&history()[0]).expect("commits");
}
