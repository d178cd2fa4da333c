//! `ebbtide restore`: a backup becomes the data folder of a broker that is to be started.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

use clap::Args;
use ebbtide_store::redb::restore::{
    RESTORE_SUFFIX, RestoreError, RestoreProgress, Restored, restore,
};

use super::check::Text;
use crate::{
    config::{Config, Storage},
    exit::Failure,
    progress::{Progress, Unit},
    storage::{self, FILE, StorageError},
};

/// What may be typed.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// The backup, or `-` for standard input. It goes into the folder of --data-dir, which must be empty or new.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum PutBackError {
    /// The configuration names no folder.
    #[error("with `ephemeral` there is no data folder: name one with --data-dir")]
    Ephemeral,
    /// Nothing is overwritten.
    #[error(
        "{0} is not empty, and nothing is ever overwritten: name a new folder with --data-dir, or move that one away"
    )]
    NotEmpty(PathBuf),
    /// The backup cannot be opened.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The folder cannot be used.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// It was begun and given up; nothing is left of it.
    #[error("{0}; nothing was restored")]
    Restore(RestoreError),
}

impl Arguments {
    /// Restores, and says what is there now.
    pub fn run(self, config: Config) -> Result<(), Failure> {
        let Storage::Directory(folder) = config.storage else {
            return Err(PutBackError::Ephemeral.into());
        };
        let restored = self.restore(&folder)?;
        let file = folder.join(FILE);
        let report = &restored.report;
        print!(
            "{}",
            Text {
                file: &file,
                report
            }
        );
        eprintln!(
            "restored {} rows from {} bytes",
            restored.rows, restored.bytes
        );
        if !report.is_clean() {
            eprintln!(
                "warning: {} rows were damaged when the backup was made; the broker puts them aside and serves the rest",
                report.fault_count
            );
        }
        Ok(())
    }

    fn restore(&self, folder: &Path) -> Result<Restored, PutBackError> {
        let unreadable = |source| PutBackError::Read {
            path: self.file.clone(),
            source,
        };
        let (from, total): (Box<dyn Read>, u64) = if self.file.as_os_str() == "-" {
            (Box::new(io::stdin().lock()), 0)
        } else {
            let file = File::open(&self.file).map_err(unreadable)?;
            let total = file.metadata().map_err(unreadable)?.len();
            (Box::new(BufReader::new(file)), total)
        };
        if !is_free(folder) {
            return Err(PutBackError::NotEmpty(folder.to_owned()));
        }
        let path = storage::folder(folder)?;
        let progress = Progress::new();
        let restored = restore(from, &path, |done| match done {
            RestoreProgress::Read(bytes) => progress.show("restore", Unit::Bytes, bytes, total),
            RestoreProgress::Rows { done, total } => {
                progress.show("verify", Unit::Rows, done, total);
            }
        });
        progress.finish();
        restored.map_err(PutBackError::Restore)
    }
}

/// Nothing is in it but what a restore that was killed has left.
fn is_free(folder: &Path) -> bool {
    let rest = format!("{FILE}{RESTORE_SUFFIX}");
    match fs::read_dir(folder) {
        Ok(mut entries) => {
            entries.all(|entry| entry.is_ok_and(|entry| *entry.file_name() == *rest))
        }
        // Making it will say what is wrong, if anything is.
        Err(_) => true,
    }
}
