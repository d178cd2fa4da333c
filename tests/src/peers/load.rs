//! One run of the load generator against one broker, and the figures of all runs.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use super::{Peer, Row};
use crate::load::{Figures, generate};

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
    let (qos, pid) = (row.qos.to_string(), running.pid.to_string());
    let words = row.arguments.iter().copied();
    let words = words.chain([
        "--protocol",
        "3.1.1",
        "--url",
        url,
        "--qos",
        &qos,
        "--pid",
        &pid,
    ]);
    let mut words: Vec<String> = words.map(str::to_owned).collect();
    if !row.ends {
        words.extend(["--duration-s".to_owned(), seconds.to_string()]);
    }
    generate(&[], &words)
}
