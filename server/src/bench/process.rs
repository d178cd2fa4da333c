//! What a process takes, where the system tells: `/proc` of Linux.

use std::{fs, time::Duration};

use crate::proc;

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
    /// Handed to the block layer, bytes; `None` where it may not be read.
    pub written_bytes: Option<u64>,
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
        Some(Usage {
            cpu: Duration::from_millis((user + system) * 1000 / TICKS_PER_S),
            resident_bytes: self.line("status", "VmRSS:")? * 1024,
            written_bytes: self.line("io", "write_bytes:"),
        })
    }

    fn line(self, file: &str, name: &str) -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{}/{file}", self.0)).ok()?;
        proc::number(&text, name)
    }
}

impl Usage {
    /// Processor time since an earlier look, microseconds.
    pub fn cpu_us_since(self, earlier: Self) -> f64 {
        self.cpu.saturating_sub(earlier.cpu).as_secs_f64() * 1e6
    }

    /// Memory that it has more than at an earlier look, bytes.
    pub fn grown_bytes_since(self, earlier: Self) -> f64 {
        self.resident_bytes.saturating_sub(earlier.resident_bytes) as f64
    }

    /// Written since an earlier look, bytes.
    pub fn written_bytes_since(self, earlier: Self) -> Option<f64> {
        let written = self.written_bytes?.saturating_sub(earlier.written_bytes?);
        Some(written as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_memory_and_a_missing_one_nothing() {
        let usage = Process(std::process::id()).usage().expect("it runs");
        assert!(usage.resident_bytes > 0);
        // Above the largest number that a process of Linux can have.
        assert!(Process(u32::MAX).usage().is_none());
    }

    #[test]
    fn what_cannot_be_read_is_not_nothing() {
        let (known, unknown) = (
            Usage {
                written_bytes: Some(7),
                ..Usage::default()
            },
            Usage::default(),
        );
        assert_eq!(known.written_bytes_since(unknown), None);
        assert_eq!(known.written_bytes_since(known), Some(0.0));
    }
}
