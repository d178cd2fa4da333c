//! How much memory a broker takes, as Linux counts it.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::broker::Broker;

const KIB: usize = 1024;

/// Watches a broker from now on.
pub struct Watch {
    process: u32,
    resident_before: usize,
}

impl Watch {
    /// Notes what the broker takes now.
    pub fn begin(broker: &Broker) -> Result<Self> {
        let process = broker.id();
        Ok(Self {
            process,
            resident_before: status(process, "VmRSS")?,
        })
    }

    /// By how many bytes it has grown at most, its peaks included.
    pub fn peak_growth(&self) -> Result<usize> {
        let peak = status(self.process, "VmHWM")?;
        Ok(peak.saturating_sub(self.resident_before))
    }

    /// Fails when it has grown by more.
    pub fn expect_below(&self, bytes: usize) -> Result<()> {
        let growth = self.peak_growth()?;
        let mib = |bytes: usize| bytes / KIB / KIB;
        println!("grew by {} MiB of {} MiB", mib(growth), mib(bytes));
        ensure!(
            growth <= bytes,
            "it grew by {} MiB, and {} MiB are its limit",
            mib(growth),
            mib(bytes)
        );
        Ok(())
    }
}

fn status(process: u32, field: &str) -> Result<usize> {
    let text = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = text.lines().find(|line| line.starts_with(field));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    let kib: usize = number.context("a line in /proc/…/status")?.parse()?;
    Ok(kib * KIB)
}
