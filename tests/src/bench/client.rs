//! The npm package in Chromium, beside MQTT.js where that can do the same. The pages, what is measured and the lines that it is to keep are in
//! `tests/bundlers`.

use std::process::Stdio;

use anyhow::{Result, ensure};

use crate::broker::Broker;
use crate::tools;

/// A script in `tests/bundlers`.
struct Measurement {
    title: &'static str,
    script: &'static str,
    /// Whether it publishes by itself, outside of the browser.
    publishes: bool,
    /// What follows the folder of the package: how often, and how much.
    arguments: &'static [&'static str],
    short: &'static [&'static str],
}

const MEASUREMENTS: [Measurement; 4] = [
    Measurement {
        title: "Messages that come, 256 bytes",
        script: "rates.mjs",
        publishes: true,
        arguments: &["5", "100000"],
        short: &["1", "5000"],
    },
    Measurement {
        title: "A flood of 50,000 messages",
        script: "flood.mjs",
        publishes: true,
        arguments: &["5", "50000"],
        short: &["1", "5000"],
    },
    Measurement {
        title: "First values of a page without a broker",
        script: "first-paint.mjs",
        publishes: false,
        arguments: &["20"],
        short: &["3"],
    },
    Measurement {
        title: "Messages published offline leave over a link of 50 ms",
        script: "drain.mjs",
        publishes: false,
        arguments: &["3"],
        short: &["1"],
    },
];

pub fn run(short: bool) -> Result<()> {
    let mut missed = Vec::new();
    for measurement in MEASUREMENTS {
        println!("#### {}\n", measurement.title);
        // Pages have another origin than the broker; and what waits for a page is not to be dropped.
        let limit = "268435456";
        let broker = Broker::start_with(&["--allow-origin", "*", "--outgoing-bytes-max", limit])?;
        let mut command = tools::bundlers(measurement.script);
        command.arg(format!("http://{}", broker.http()));
        if measurement.publishes {
            command.arg(broker.mqtt().port().to_string());
        }
        command
            .arg(tools::web_assets().join("pkg"))
            .args(if short {
                measurement.short
            } else {
                measurement.arguments
            })
            .stdin(Stdio::null());
        if short {
            // Then figures say nothing.
            command.env("EBBTIDE_BENCH_SHORT", "1");
        }
        if !command.status()?.success() {
            missed.push(measurement.script);
        }
        println!();
    }
    ensure!(
        missed.is_empty(),
        "not as promised, or not measured: {}",
        missed.join(", ")
    );
    Ok(())
}
