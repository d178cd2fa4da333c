//! Ebbtide beside other brokers: the same load for each of them, in turns, by `ebbtide bench`.
//!
//! A rate by itself says as much about the machine as about the broker. So every round plays each scenario against every
//! broker, and the tables show medians and their ratio to Mosquitto's.

mod broker;
pub mod document;
mod load;
pub mod origin;
pub mod plot;
mod results;
mod rows;
mod table;

pub use broker::{ALL, Peer};
pub use rows::{ROWS, Row};
pub(crate) use table::{grouped, shown};

use std::path::Path;

use anyhow::Result;

use crate::load::Found;
use results::Results;

/// What is measured.
pub struct Plan<'a> {
    /// Those that are there.
    pub peers: &'a [&'static Peer],
    /// The rows of the table.
    pub rows: &'a [&'static Row],
    /// How often each is measured against each; those that are kept count.
    pub rounds: usize,
    /// Seconds that a round lasts where time is what ends it.
    pub seconds: f64,
    /// Keeps what is measured, and has what an earlier run measured.
    pub keep: Option<&'a Path>,
}

/// What came of it, to be put into a document.
pub struct Outcome {
    /// Tables in Markdown.
    pub tables: String,
    /// What was said of the runs, why there is a dash among it: lines of Markdown.
    pub notes: Vec<String>,
    /// The name of each row, and on what it was measured.
    pub origins: Vec<(&'static str, String)>,
}

/// Measures everything. Says on stderr how far it is.
pub fn run(plan: &Plan<'_>) -> Result<Outcome> {
    let mut results = match plan.keep {
        Some(path) => Results::kept(path)?,
        None => Results::default(),
    };
    results.origin = origin::of(plan);
    for row in plan.rows {
        for round in 1..=plan.rounds {
            for peer in plan.peers {
                if results.rounds(row, peer) >= round {
                    continue;
                }
                eprintln!("    {}, round {round}: {}", row.title, peer.name);
                // A broker that fails under the load has no figure; the others go on.
                let found = load::measure(peer, row, plan.seconds);
                let found = found.unwrap_or_else(|error| Found {
                    notes: vec![format!("{error:#}")],
                    ..Found::default()
                });
                for note in &found.notes {
                    eprintln!("        {note}");
                }
                results.note(row, peer, found)?;
            }
        }
    }
    let origins = plan.rows.iter().flat_map(|row| {
        let origins = results.origins(row).into_iter();
        origins.map(|origin| (row.name, origin.to_owned()))
    });
    Ok(Outcome {
        origins: origins.collect(),
        tables: table::tables(plan, &results),
        notes: table::notes(plan, &results),
    })
}
