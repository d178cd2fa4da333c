//! What the broker's process and its data take.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

/// A process by its number.
#[derive(Clone, Copy, Debug)]
pub struct Process(pub u32);

impl Process {
    /// Resident memory, bytes.
    pub fn resident(self) -> Result<u64> {
        self.status("VmRSS:")
    }

    /// The most resident memory so far, bytes.
    pub fn resident_max(self) -> Result<u64> {
        self.status("VmHWM:")
    }

    /// Processor time so far.
    pub fn cpu(self) -> Result<Duration> {
        const TICKS_PER_S: u64 = 100;
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        let fields = stat.rsplit(')').next().context("the fields of stat")?;
        let mut fields = fields.split_whitespace().skip(11);
        let user: u64 = fields.next().context("utime")?.parse()?;
        let system: u64 = fields.next().context("stime")?.parse()?;
        Ok(Duration::from_millis((user + system) * 1000 / TICKS_PER_S))
    }

    fn status(self, name: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib: u64 = line
            .and_then(|line| line.split_whitespace().next())
            .with_context(|| format!("{name} of the broker"))?
            .parse()?;
        Ok(kib * 1024)
    }
}

/// Bytes on disk of the files in a folder.
pub fn disk(folder: &Path) -> Result<u64> {
    let mut blocks = 0;
    for entry in fs::read_dir(folder)? {
        blocks += entry?.metadata()?.blocks();
    }
    Ok(blocks * 512)
}

/// Length of the files in a folder, with what the file system has given no room for yet.
pub fn file_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}
