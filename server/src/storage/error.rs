//! Why the data cannot be used, and what to do about it.

use std::{io, path::PathBuf};

use ebbtide_store::StoreError;

/// Why the storage does not start.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The folder cannot be made or used.
    #[error(
        "cannot use the data folder {path}: {source}; choose another one with --data-dir, or none with --ephemeral"
    )]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file in it cannot be opened.
    #[error("{error}; {}", remedy(error))]
    Open {
        /// What the store says.
        error: StoreError,
    },
    /// The writer could not be started.
    #[error("cannot start the thread that writes: {0}")]
    Thread(io::Error),
}

fn remedy(error: &StoreError) -> &'static str {
    match error {
        StoreError::InUse { .. } => {
            "another broker runs on this data: stop it, or give this one a folder of its own with --data-dir"
        }
        StoreError::Damaged { .. } => {
            "it was left as it is: restore a backup (`ebbtide restore`), or move it away to start empty"
        }
        StoreError::Version { .. } => {
            "it was left as it is: run the version of ebbtide that wrote it or a later one, or choose another folder with \
             --data-dir"
        }
        StoreError::Full(_) => "make room on that disk",
        StoreError::Io(_) | StoreError::NeedsReopen => {
            "look at the disk and the permissions of the file"
        }
    }
}

#[cfg(test)]
mod tests {
    use ebbtide_store::redb::RedbStore;

    use super::*;

    #[test]
    fn an_empty_file_has_one_remedy() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(super::super::FILE);
        std::fs::write(&path, "").expect("an empty file");
        let error = RedbStore::open(&path).expect_err("nothing in it");
        let text = StorageError::Open { error }.to_string();
        assert!(
            text.ends_with(
                "the file is empty; it was left as it is: restore a backup (`ebbtide restore`), or move it away to start empty"
            ),
            "{text}"
        );
    }
}
