//! Benchmarks of what the guarantee costs: acknowledged means on disk.
//!
//! Everything is measured beside redb itself, which inserts rows of the same size in batches, on the same disk in the same
//! run: absolute figures say more about the disk than about the broker. And what one busy client costs the others.

mod client;
mod dashboard;
mod drain;
mod fairness;
mod latency;
mod publish;
mod raw;
mod recipients;
mod restart;
mod start;
mod stops;

use anyhow::Result;

/// One benchmark: prints a table in Markdown.
pub struct Benchmark {
    /// As it is asked for.
    pub name: &'static str,
    /// What its table shows.
    pub title: &'static str,
    /// Prints the rows. With `short` it takes seconds and proves only that it works.
    pub run: fn(short: bool) -> Result<()>,
}

/// All of them.
pub const ALL: [Benchmark; 10] = [
    Benchmark {
        name: "publish",
        title: "Durable QoS 1 publishes for a session that is away, 256 bytes, window of 100 each",
        run: publish::run,
    },
    Benchmark {
        name: "latency",
        title: "From PUBLISH to PUBACK, one at a time",
        run: latency::run,
    },
    Benchmark {
        name: "recipients",
        title: "Publish to N sessions that are away",
        run: recipients::run,
    },
    Benchmark {
        name: "drain",
        title: "A backlog is drained",
        run: drain::run,
    },
    Benchmark {
        name: "start",
        title: "From exec to ready after SIGKILL, by what is on disk",
        run: start::run,
    },
    Benchmark {
        name: "restart",
        title: "From exec to the first retained answer after SIGKILL, a lot of both on disk",
        run: restart::run,
    },
    Benchmark {
        name: "fairness",
        title: "What others wait beside one busy client, on one core",
        run: fairness::run,
    },
    Benchmark {
        name: "client",
        title: "The npm package in Chromium",
        run: client::run,
    },
    Benchmark {
        name: "stops",
        title: "Stops of the tab that leads, and how many are followed within 3 s",
        run: stops::run,
    },
    Benchmark {
        name: "dashboard",
        title: "The dashboard in Chromium",
        run: dashboard::run,
    },
];
