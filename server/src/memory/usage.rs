//! What is in use and what there is, as Linux tells it.

use std::{
    fs::{self, File},
    io::{Read, Seek},
};

use crate::proc;

/// What the program has in memory. The file stays open: when there are no descriptors left is no time to be blind.
#[derive(Debug)]
pub struct Resident {
    status: File,
    text: String,
}

impl Resident {
    /// `None`: nobody tells.
    pub fn open() -> Option<Self> {
        let status = File::open("/proc/self/status").ok()?;
        let text = String::new();
        Some(Self { status, text })
    }

    /// Bytes, now.
    pub fn bytes(&mut self) -> Option<u64> {
        self.text.clear();
        self.status.rewind().ok()?;
        self.status.read_to_string(&mut self.text).ok()?;
        Some(proc::number(&self.text, "VmRSS:")? * 1024)
    }
}

/// Of what this machine has, or its container may have.
pub fn three_quarters() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok();
    let machine = machine.and_then(|text| Some(proc::number(&text, "MemTotal:")? * 1024));
    // Version 2 of control groups, as the container sees it, and version 1.
    let files = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    let container = files.iter().filter_map(|file| {
        let text = fs::read_to_string(file).ok()?;
        text.trim().parse::<u64>().ok()
    });
    let least = container.chain(machine).min()?;
    Some(least / 4 * 3)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn linux_tells_as_often_as_it_is_asked() {
        let mut resident = Resident::open().expect("it is in /proc");
        let limit = three_quarters().expect("it is in /proc");
        for _ in 0..2 {
            let used = resident.bytes().expect("it is in /proc");
            assert!(used > 0 && used < limit, "{used} of {limit}");
        }
    }
}
