//! A lot on disk: what it takes in memory and on disk, how long to publish, to restart and to drain.
//!
//! Each scenario starts a broker of its own, fills it, measures, kills it, starts it again and measures once more.

mod backlog;
mod fan_out;
mod figures;
mod mixed;
mod retained;

pub use figures::Figures;

use anyhow::Result;

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
