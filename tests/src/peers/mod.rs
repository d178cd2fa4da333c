//! Ebbtide beside other brokers: the same load for each of them, in turns, by `ebbtide bench`.
//!
//! A rate by itself says as much about the machine as about the broker. So every round plays each scenario against every
//! broker, and the tables show medians and their ratio to Mosquitto's.

mod broker;
mod load;
mod plot;
mod rows;
mod table;

pub use broker::{ALL, Peer};
pub use rows::{ROWS, Row};
pub(crate) use table::{grouped, shown};

use anyhow::Result;

use load::Results;

/// What is measured.
pub struct Plan<'a> {
    /// Those that are there.
    pub peers: &'a [&'static Peer],
    /// The rows of the table.
    pub rows: &'a [&'static Row],
    /// How often each is measured against each.
    pub rounds: u32,
    /// Seconds that a round lasts where time is what ends it.
    pub seconds: f64,
}

/// What came of it, to be put into a document.
pub struct Outcome {
    /// Tables in Markdown.
    pub tables: String,
    /// The ratios as a picture.
    pub plot: String,
}

/// Measures everything. Says on stderr how far it is.
pub fn run(plan: &Plan<'_>) -> Result<Outcome> {
    let mut results = Results::default();
    for row in plan.rows {
        for round in 1..=plan.rounds {
            for peer in plan.peers {
                eprintln!("    {}, round {round}: {}", row.title, peer.name);
                match load::measure(peer, row, plan.seconds) {
                    Ok(figures) => results.note(row, peer, figures),
                    // A broker that fails under the load has no figure; the others go on.
                    Err(error) => eprintln!("        {error:#}"),
                }
            }
        }
    }
    Ok(Outcome {
        tables: table::tables(plan, &results),
        plot: plot::ratios(plan, &results)?,
    })
}
