//! What the broker's process takes, where the system tells: `/proc` of Linux.

use std::{fs, time::Duration};

/// A process by its number.
#[derive(Clone, Copy, Debug)]
pub struct Process(pub u32);

/// What it has taken up to a moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Processor time.
    pub cpu: Duration,
    /// Resident memory, bytes.
    pub resident_bytes: u64,
    /// Handed to the block layer, bytes; 0 where it may not be read.
    pub written_bytes: u64,
}

impl Process {
    /// `None` when there is no such process, or no `/proc`.
    pub fn usage(self) -> Option<Usage> {
        const TICKS_PER_S: u64 = 100;
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).ok()?;
        // The name of the program stands in parentheses and may contain anything.
        let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
        let user: u64 = fields.next()?.parse().ok()?;
        let system: u64 = fields.next()?.parse().ok()?;
        let written = self.line("io", "write_bytes:").unwrap_or(0);
        Some(Usage {
            cpu: Duration::from_millis((user + system) * 1000 / TICKS_PER_S),
            resident_bytes: self.line("status", "VmRSS:")? * 1024,
            written_bytes: written,
        })
    }

    fn line(self, file: &str, name: &str) -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{}/{file}", self.0)).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    }
}
