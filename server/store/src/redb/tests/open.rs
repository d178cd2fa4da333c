//! What opening does with a file that is in use, not ours, not of our version, or left over.

use std::{fs, path::Path, process::Command};

use redb::{Database, TableDefinition};

use super::{history, model};
use crate::{RedbStore, Store, StoreError, conformance::kept, redb::table};

/// Names the file for the child of [`in_another_process`].
const CHILD_PATH: &str = "EBBTIDE_STORE_TEST_PATH";

fn open_error(path: &Path) -> StoreError {
    let before = fs::read(path).expect("reads");
    let error = RedbStore::open(path).expect_err("does not open");
    assert!(
        fs::read(path).expect("reads") == before,
        "the file has changed"
    );
    error
}

fn assert_damaged(path: &Path) {
    let error = open_error(path);
    assert!(
        matches!(&error, StoreError::Damaged { path: p, .. } if *p == path.display().to_string()),
        "{error}"
    );
}

#[test]
fn twice_in_one_process() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    let store = RedbStore::open(&path).expect("opens");
    let error = RedbStore::open(&path).expect_err("is open");
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    drop(store);
    RedbStore::open(&path).expect("opens");
}

#[test]
fn in_another_process() {
    if let Ok(path) = std::env::var(CHILD_PATH) {
        let error = RedbStore::open(path).expect_err("is open");
        assert!(matches!(error, StoreError::InUse { .. }), "{error}");
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    let _store = RedbStore::open(&path).expect("opens");
    let this = std::env::current_exe().expect("has a path");
    let child = Command::new(this)
        .args(["--exact", "redb::tests::open::in_another_process"])
        .env(CHILD_PATH, &path)
        .output()
        .expect("runs");
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

#[test]
fn an_empty_file_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    fs::write(&path, "").expect("writes");
    assert_damaged(&path);
}

#[test]
fn what_is_not_ours_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    let text = "what is this doing here\n".repeat(400);
    // A multiplicative generator's output will do for noise.
    let noise = (1_u64..1 << 13).flat_map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
    let magic = [&b"redb\x1a\x0a\xa9\x0d\x0a"[..], &[0xff; 9000]].concat();
    let others = [b"x".to_vec(), text.into_bytes(), noise.collect(), magic];
    for content in others {
        fs::write(&path, content).expect("writes");
        assert_damaged(&path);
    }
}

#[test]
fn another_redb_file_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    let database = Database::create(&path).expect("creates");
    let transaction = database.begin_write().expect("begins");
    let table: TableDefinition<'_, u64, u64> = TableDefinition::new("other");
    transaction.open_table(table).expect("opens");
    transaction.commit().expect("commits");
    drop(database);
    let error = RedbStore::open(&path).expect_err("is not ours");
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
}

#[test]
fn another_version_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    drop(RedbStore::open(&path).expect("opens"));
    let database = Database::open(&path).expect("opens");
    let transaction = database.begin_write().expect("begins");
    let newer = (table::FORMAT_VERSION + 1).to_le_bytes();
    transaction
        .open_table(table::META)
        .and_then(|mut meta| Ok(meta.insert(table::FORMAT, newer.as_slice()).map(drop)?))
        .expect("writes");
    transaction.commit().expect("commits");
    drop(database);
    let error = RedbStore::open(&path).expect_err("is newer");
    let expected = (table::FORMAT_VERSION + 1, table::FORMAT_VERSION);
    assert!(
        matches!(&error, StoreError::Version { found, expected: e, .. } if (*found, *e) == expected),
        "{error}"
    );
}

/// The rest of a crash while the file was made, whatever it is, does not stop the next start.
#[test]
fn a_file_left_beside_is_replaced() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    let beside = directory.path().join("store.new");
    let whole = {
        let other = directory.path().join("other");
        drop(RedbStore::open(&other).expect("opens"));
        fs::read(other).expect("reads")
    };
    let cut = |length: usize| whole[..length].to_vec();
    let rests = [
        vec![],
        vec![0; 8192],
        cut(300),
        cut(4096),
        cut(20_000),
        whole.clone(),
    ];
    for rest in rests {
        fs::write(&beside, rest).expect("writes");
        let store = RedbStore::open(&path).expect("opens");
        assert!(!fs::exists(&beside).expect("looks"));
        store.commit(&history()[0]).expect("commits");
        drop(store);
        let store = RedbStore::open(&path).expect("opens");
        assert_eq!(kept(&store), kept(&model(&history()[..1])));
        drop(store);
        fs::remove_file(&path).expect("removes");
    }
}

/// Beside a store that is there, nothing else counts.
#[test]
fn a_store_comes_before_a_file_left_beside() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    let store = RedbStore::open(&path).expect("opens");
    store.commit(&history()[0]).expect("commits");
    drop(store);
    fs::write(directory.path().join("store.new"), "rest").expect("writes");
    let store = RedbStore::open(&path).expect("opens");
    assert_eq!(kept(&store), kept(&model(&history()[..1])));
}
