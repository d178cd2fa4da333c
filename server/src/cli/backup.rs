//! `ebbtide backup`: a copy of all that a running broker keeps, in one file.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

use bytes::{Buf, Bytes};
use clap::Args;
use ebbtide_api::BackupRequest;
use ebbtide_store::redb::{
    backup::{BackupError, Written, verify},
    sync_directory,
};
use http_body_util::BodyExt;

use super::client::{self, At, Broker, ClientError};
use crate::{
    config::Config,
    exit::Failure,
    progress::{Progress, Unit},
};

/// Pieces that wait to be verified.
const PIECES_MAX: usize = 16;

/// What may be typed.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// The file to write, or `-` for standard output. An older backup there is replaced once the new one is whole.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    at: At,

    /// After so many seconds the backup is broken off; meanwhile the broker's file cannot reuse pages. Default: 600.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=3600))]
    deadline: Option<u32>,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The broker did not give one.
    #[error(transparent)]
    Broker(#[from] ClientError),
    /// It could not be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What came is not a whole backup.
    #[error("what the broker sent is not a whole backup: {0}")]
    NotWhole(BackupError),
}

impl Arguments {
    /// Makes the backup.
    pub fn run(self, config: &Config) -> Result<(), Failure> {
        let broker = self.at.resolve(config).map_err(CopyError::Broker)?;
        let request = BackupRequest {
            deadline_s: self.deadline,
        };
        let written = if self.file.as_os_str() == "-" {
            fetch(&broker, &request, &self.file, io::stdout())?
        } else {
            to_file(&broker, &request, &self.file)?
        };
        let name = self.file.display();
        eprintln!(
            "{name}: {} rows, {} bytes, verified",
            written.rows, written.bytes
        );
        Ok(())
    }
}

/// Writes beside, and renames what is whole and on disk.
fn to_file(broker: &Broker, request: &BackupRequest, file: &Path) -> Result<Written, CopyError> {
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let failed = |source| CopyError::Write {
        path: part.clone(),
        source,
    };
    let out = create(&part).map_err(failed)?;
    let whole = fetch(broker, request, &part, &out).and_then(|written| {
        out.sync_all().map_err(failed)?;
        fs::rename(&part, file).map_err(failed)?;
        sync_directory(file).map_err(failed)?;
        Ok(written)
    });
    if whole.is_err() {
        // Half a backup is of no use to anybody.
        let _ = fs::remove_file(&part);
    }
    whole
}

/// A file for its owner only: it will hold every message.
fn create(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Writes what the broker sends and verifies it on the way.
fn fetch(
    broker: &Broker,
    request: &BackupRequest,
    path: &Path,
    mut out: impl Write,
) -> Result<Written, CopyError> {
    let progress = Progress::new();
    let (verifier, to_verifier) = Verifier::start();
    let copy = async {
        let response = broker.post("/api/v1/backup", request).await?;
        let mut body = response.into_body();
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| ClientError::BrokenOff(error.to_string()))?;
            let Ok(piece) = frame.into_data() else {
                continue;
            };
            bytes += piece.len() as u64;
            out.write_all(&piece).map_err(|source| CopyError::Write {
                path: path.into(),
                source,
            })?;
            // A verifier that has ended says why in a moment.
            if to_verifier.send(piece).is_err() {
                break;
            }
            progress.show("backup", Unit::Bytes, bytes, 0);
        }
        out.flush().map_err(|source| CopyError::Write {
            path: path.into(),
            source,
        })
    };
    let copied = client::run(copy);
    drop(to_verifier);
    let verified = verifier.finish();
    progress.finish();
    copied??;
    verified.map_err(CopyError::NotWhole)
}

/// Reads along on a thread.
struct Verifier(JoinHandle<Result<Written, BackupError>>);

impl Verifier {
    fn start() -> (Self, SyncSender<Bytes>) {
        let (sender, pieces) = sync_channel(PIECES_MAX);
        let current = Bytes::new();
        let thread = thread::spawn(move || verify(Pieces { pieces, current }));
        (Self(thread), sender)
    }

    fn finish(self) -> Result<Written, BackupError> {
        self.0
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// Pieces as one stream.
struct Pieces {
    pieces: Receiver<Bytes>,
    current: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.pieces.recv() {
                Ok(piece) => self.current = piece,
                Err(_) => return Ok(0),
            }
        }
        let taken = out.len().min(self.current.len());
        self.current.copy_to_slice(&mut out[..taken]);
        Ok(taken)
    }
}
