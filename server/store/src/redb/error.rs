//! From redb's errors to the store's.

use std::{io::ErrorKind, path::Path};

use crate::StoreError;

/// An error of a database that is open.
pub(super) fn to_store_error(path: &Path, error: redb::Error) -> StoreError {
    match error {
        redb::Error::PreviousIo | redb::Error::TransactionPoisoned => StoreError::NeedsReopen,
        redb::Error::DatabaseAlreadyOpen => StoreError::InUse {
            path: path.display().to_string(),
        },
        redb::Error::Io(error) => match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                StoreError::Full(error.to_string())
            }
            // redb says so of a file that does not start like one of its own; the other: it ends before its time.
            ErrorKind::InvalidData | ErrorKind::UnexpectedEof => damaged(path, error.to_string()),
            _ => StoreError::Io(error.to_string()),
        },
        redb::Error::Corrupted(_)
        | redb::Error::UpgradeRequired(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableIsMultimap(_)
        | redb::Error::TableDoesNotExist(_)
        | redb::Error::TypeDefinitionChanged { .. } => damaged(path, error.to_string()),
        error => StoreError::Io(error.to_string()),
    }
}

/// The file is not one of ours, or no longer.
pub(super) fn damaged(path: &Path, why: impl Into<String>) -> StoreError {
    StoreError::Damaged {
        path: path.display().to_string(),
        why: why.into(),
    }
}
