//! One run of the load generator against one broker, and the figures of all runs.

use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{Peer, Row};
use crate::tools;

/// Figures by their names.
pub type Figures = BTreeMap<String, f64>;

/// All runs.
#[derive(Default)]
pub struct Results(BTreeMap<(&'static str, &'static str), Vec<Figures>>);

impl Results {
    /// Adds a run.
    pub fn note(&mut self, row: &Row, peer: &Peer, figures: Figures) {
        let runs = self.0.entry((row.name, peer.name)).or_default();
        runs.push(figures);
    }

    /// The median of a figure over the rounds.
    pub fn median(&self, row: &Row, peer: &Peer, key: &str) -> Option<f64> {
        let runs = self.0.get(&(row.name, peer.name))?;
        let mut values: Vec<f64> = runs
            .iter()
            .filter_map(|run| run.get(key).copied())
            .collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    }
}

/// A fresh broker, the load, its figures.
pub fn measure(peer: &Peer, row: &Row, seconds: f64) -> Result<Figures> {
    if row.qos > peer.qos_max {
        bail!("{} has no QoS {}", peer.name, row.qos);
    }
    let running = peer.start()?;
    let url = match row.websocket {
        true => &running.websocket,
        false => &running.mqtt,
    };
    let mut command = Command::new(tools::broker());
    command
        .arg("bench")
        .args(row.arguments)
        .args(["--protocol", "3.1.1", "--json", "--url", url])
        .args(["--qos", &row.qos.to_string()])
        .args(["--pid", &running.pid.to_string()]);
    if !row.ends {
        command.args(["--duration-s", &seconds.to_string()]);
    }
    let output = command
        .stderr(Stdio::piped())
        .output()
        .context("starting the load generator")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("the load ended early: {}", said.trim());
    }
    let line = String::from_utf8(output.stdout)?;
    let line = line.lines().next().context("the load said nothing")?;
    let found: BTreeMap<String, Value> = serde_json::from_str(line).context("its JSON")?;
    let numbers = found.into_iter();
    Ok(numbers
        .filter_map(|(name, value)| Some((name, value.as_f64()?)))
        .collect())
}
