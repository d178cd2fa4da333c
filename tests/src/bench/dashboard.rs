//! The dashboard in Chromium: what the gate looks at with wide bounds, for a busy machine, is held to its true lines here. The
//! pages and what is measured are those of the end-to-end tests.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::broker::Broker;
use crate::tools;

/// A script in `tests/node/browser`.
struct Measurement {
    script: &'static str,
    /// What it is told, a line at a time.
    orders: &'static str,
    /// It takes the line to stay under as its last argument.
    line: Option<&'static str>,
}

const MEASUREMENTS: [Measurement; 3] = [
    Measurement {
        script: "first_paint",
        orders: "",
        line: None,
    },
    Measurement {
        script: "worker",
        orders: "",
        line: Some("300"),
    },
    Measurement {
        script: "many",
        orders: "scroll\nsearch\nupdate\n",
        line: None,
    },
];

/// There is nothing to be left out of it: the lines are for these numbers of entries.
pub fn run(_short: bool) -> Result<()> {
    println!("| what | figure | line to stay under |");
    println!("|---|---:|---:|");
    let mut missed = Vec::new();
    for measurement in MEASUREMENTS {
        let broker = Broker::start()?;
        let mut command = tools::node(&format!("browser/{}.mjs", measurement.script));
        command.arg(format!("http://{}", broker.http()));
        match measurement.line {
            Some(line) => command.arg(line),
            None => command.arg(format!("mqtt://{}", broker.mqtt())),
        };
        command.env("EBBTIDE_TEST_FIRST_PAINT_MS", "500");
        command.env("EBBTIDE_TEST_LONG_TASK_FACTOR", "1");
        if !shown(&mut command, measurement.orders)? {
            missed.push(measurement.script);
        }
    }
    ensure!(missed.is_empty(), "over the line: {}", missed.join(", "));
    Ok(())
}

/// Runs it and prints the rows of its figures. `false`: something was not as it should be, which it has said.
fn shown(command: &mut Command, orders: &str) -> Result<bool> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("starting node")?;
    let mut stdin = child.stdin.take().context("stdin is piped")?;
    stdin.write_all(orders.as_bytes())?;
    // The end of the orders is the end of its work.
    drop(stdin);
    let said = child.stderr.take().context("stderr is piped")?;
    for line in BufReader::new(said).lines() {
        let line = line?;
        if line.starts_with('|') {
            println!("{line}");
        } else {
            eprintln!("{line}");
        }
    }
    Ok(child.wait()?.success())
}
