//! `ebbtide check`: what is in a data folder, and what is wrong with it.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use ebbtide_store::{
    StoreError,
    redb::check::{self, CheckProgress, CheckReport},
};

use crate::progress::{Progress, Unit};
use crate::{
    config::{Config, Storage},
    exit::Failure,
    storage::{FILE, StorageError},
};

/// What may be typed.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// The folder that keeps the data. Default: the configured one.
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,

    /// Prints the result as one JSON object.
    #[arg(long)]
    json: bool,
}

/// Why there is no good result.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// There is nothing to check.
    #[error("{0} has no data: there is no {FILE} in it")]
    NoData(PathBuf),
    /// The configuration names no folder.
    #[error("with `ephemeral` there is no data on disk: name the folder to check")]
    Ephemeral,
    /// A broker runs on it.
    #[error(
        "a broker has {0} open: stop it first; or make a backup of it (`ebbtide backup`), restore that elsewhere and check it \
         there"
    )]
    InUse(String),
    /// It could not be done.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Pages are damaged: no row can be trusted, and the broker does not start on it.
    #[error("{0}; nothing was changed, and the broker refuses to start on it: restore a backup")]
    Unreadable(StoreError),
    /// Rows are damaged.
    #[error(
        "{0} rows are damaged; nothing was changed. When it starts, the broker puts such rows aside and serves the rest; \
         a backup may still have them"
    )]
    Faults(u64),
}

impl Arguments {
    /// Checks the folder named, or the configured one.
    pub fn run(self, config: impl FnOnce() -> Result<Config, Failure>) -> Result<(), Failure> {
        let folder = match self.folder {
            Some(folder) => folder,
            None => match config()?.storage {
                Storage::Directory(folder) => folder,
                Storage::Ephemeral => return Err(CheckError::Ephemeral.into()),
            },
        };
        let file = folder.join(FILE);
        if !file.is_file() {
            return Err(CheckError::NoData(folder).into());
        }
        let report = read(&file);
        // A closed standard output does not change the result.
        let _ = print(&file, &report, self.json);
        match report {
            Ok(report) if report.is_clean() => Ok(()),
            Ok(report) => Err(CheckError::Faults(report.fault_count).into()),
            Err(StoreError::InUse { path }) => Err(CheckError::InUse(path).into()),
            Err(error @ StoreError::Damaged { .. }) => Err(CheckError::Unreadable(error).into()),
            Err(error) => Err(CheckError::Storage(StorageError::Open { error }).into()),
        }
    }
}

fn read(file: &Path) -> Result<CheckReport, StoreError> {
    let progress = Arc::new(Progress::new());
    let shown = Arc::clone(&progress);
    let report = check::check(file, move |done| match done {
        CheckProgress::Pages { read, total } => shown.show("pages", Unit::Bytes, read, total),
        CheckProgress::Rows { done, total } => shown.show("rows", Unit::Rows, done, total),
    });
    progress.finish();
    report
}

fn print(file: &Path, report: &Result<CheckReport, StoreError>, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match report {
        Ok(report) if json => {
            let mut value = serde_json::to_value(report)?;
            value["file"] = file.display().to_string().into();
            value["clean"] = report.is_clean().into();
            writeln!(out, "{value}")
        }
        Err(error) if json => {
            let file = file.display().to_string();
            let value =
                serde_json::json!({"file": file, "clean": false, "error": error.to_string()});
            writeln!(out, "{value}")
        }
        Ok(report) => write!(out, "{}", Text { file, report }),
        Err(_) => Ok(()),
    }
}

/// The report for people.
pub(super) struct Text<'a> {
    pub(super) file: &'a Path,
    pub(super) report: &'a CheckReport,
}

impl std::fmt::Display for Text<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, report } = self;
        let (format, bytes) = (report.format, report.file_bytes);
        writeln!(out, "{}: format {format}, {bytes} bytes\n", file.display())?;
        writeln!(out, "{:<14}{:>12}{:>16}", "table", "rows", "bytes")?;
        for table in &report.tables {
            writeln!(
                out,
                "{:<14}{:>12}{:>16}",
                table.name, table.rows, table.bytes
            )?;
        }
        writeln!(out)?;
        for fault in &report.faults {
            writeln!(
                out,
                "damaged: {}, {}: {}",
                fault.table, fault.key, fault.what
            )?;
            writeln!(out, "         {}", fault.meaning)?;
        }
        let more = report.fault_count - report.faults.len() as u64;
        if more > 0 {
            writeln!(out, "and {more} more damaged rows")?;
        }
        for row in &report.put_aside {
            let (table, key, bytes) = (&row.table, &row.key, row.bytes);
            writeln!(
                out,
                "put aside by an earlier start: {table} {key}, {bytes} bytes"
            )?;
        }
        if report.leftover_count > 0 {
            let count = report.leftover_count;
            writeln!(
                out,
                "{count} rows belong to nobody any more; the next start sweeps them"
            )?;
        }
        if report.is_clean() {
            writeln!(out, "clean")?;
        }
        Ok(())
    }
}
