//! The conformance suite on a file.

use std::path::PathBuf;

use super::RedbStore;
use crate::conformance::{self, Subject};

/// Each store in a file of its own.
struct Files {
    directory: tempfile::TempDir,
    count: u64,
}

impl Subject for Files {
    type Store = RedbStore;

    fn create(&mut self) -> RedbStore {
        self.count += 1;
        let path = self.directory.path().join(self.count.to_string());
        RedbStore::open(path).expect("opens")
    }

    fn restart(&mut self, store: RedbStore) -> RedbStore {
        let path: PathBuf = store.path.clone();
        drop(store);
        RedbStore::open(path).expect("opens")
    }
}

#[test]
fn the_redb_store_conforms() {
    conformance::run(Files {
        directory: tempfile::tempdir().expect("a directory"),
        count: 0,
    });
}
