//! A lot on disk: what it takes in memory and on disk, how long to publish, to restart and to drain.
//!
//! Each scenario starts a broker of its own, fills it, measures, kills it, starts it again and measures once more. A figure that
//! is promised and not met is a failure.

mod backlog;
mod fan_out;
mod figures;
pub(crate) mod mixed;
mod retained;

pub use figures::Figures;

use std::time::Duration;

use anyhow::{Result, ensure};

/// Of memory for each delivery that waits, on the average.
const DELIVERY_BYTES_MAX: u64 = 64;
/// With fewer deliveries the memory that a broker takes anyway says more than they do.
const DELIVERIES_MIN: usize = 100_000;
/// From exec to the first answer, also after SIGKILL.
const START_MAX: Duration = Duration::from_secs(5);

/// One scenario.
pub struct Scenario {
    /// As it is asked for.
    pub name: &'static str,
    /// What it does with `rows` rows.
    pub run: fn(rows: usize) -> Result<Figures>,
    /// The size that the documents cite.
    pub rows: usize,
}

/// All of them.
pub const ALL: [Scenario; 4] = [
    Scenario {
        name: "retained",
        run: retained::run,
        rows: 1_000_000,
    },
    Scenario {
        name: "backlog",
        run: backlog::run,
        rows: 1_000_000,
    },
    Scenario {
        name: "fan-out",
        run: fan_out::run,
        rows: 10_000,
    },
    Scenario {
        name: "mixed",
        run: mixed::run,
        rows: 1_000_000,
    },
];

/// Backlogs live on disk: `grown` bytes of memory for so many deliveries that wait are few.
fn ensure_small(grown: u64, deliveries: usize) -> Result<()> {
    ensure!(
        deliveries < DELIVERIES_MIN || grown <= DELIVERY_BYTES_MAX * deliveries as u64,
        "{grown} bytes of memory for {deliveries} deliveries are more than {DELIVERY_BYTES_MAX} for each"
    );
    Ok(())
}

/// A start takes seconds.
fn ensure_soon(took: Duration) -> Result<()> {
    ensure!(
        took <= START_MAX,
        "a start took {took:.1?}, more than {START_MAX:?}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_promised_is_held() {
        assert!(ensure_small(64_000_000, 1_000_000).is_ok());
        assert!(ensure_small(64_000_001, 1_000_000).is_err());
        assert!(ensure_small(64_000_000, 1_000).is_ok());
        assert!(ensure_soon(Duration::from_secs(5)).is_ok());
        assert!(ensure_soon(Duration::from_millis(5_001)).is_err());
    }
}
