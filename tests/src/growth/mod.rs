//! What a message costs when there is more and more of something: connections, subscriptions, retained messages, levels, bytes,
//! publishers, cores.
//!
//! A point is measured on a broker of its own. Rounds go over all points in turn, so that what disturbs the machine for a while
//! disturbs all of them, and a point shows the medians.

mod crowd;
mod curves;
mod plot;
mod table;

pub use curves::{ALL, Curve};

use std::collections::BTreeMap;

use anyhow::Result;

use crate::load::{Figures, median};

/// What is measured, and how long.
pub struct Plan {
    /// How often each point is measured.
    pub rounds: u32,
    /// Seconds that a point takes where time is what ends it.
    pub seconds: f64,
    /// Few and small points, to see that it works.
    pub quick: bool,
}

/// One curve, to be put into a document.
pub struct Outcome {
    /// In Markdown.
    pub table: String,
    /// SVG.
    pub plot: String,
}

/// What was measured at each point.
#[derive(Default)]
pub struct Results(BTreeMap<usize, Vec<Figures>>);

impl Results {
    /// The median of a figure over the rounds.
    fn median(&self, point: usize, key: &str) -> Option<f64> {
        let runs = self.0.get(&point)?.iter();
        median(runs.filter_map(|run| run.get(key).copied()))
    }
}

/// Measures one curve. Says on stderr how far it is.
///
/// # Errors
/// When a point cannot be measured.
pub fn run(curve: &Curve, plan: &Plan) -> Result<Outcome> {
    let points = curve.points(plan.quick);
    let mut results = Results::default();
    for round in 1..=plan.rounds {
        for &point in points {
            eprintln!("    {}, round {round}: {point} {}", curve.name, curve.axis);
            let figures = (curve.measure)(point, plan)?;
            results.0.entry(point).or_default().push(figures);
        }
    }
    Ok(Outcome {
        table: table::table(curve, points, &results),
        plot: plot::plot(curve, points, &results)?,
    })
}
