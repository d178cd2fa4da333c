//! A curve as a table in Markdown: a row for each point. The last column says how what a unit costs compares with the first point.

use std::fmt::Write;

use super::{Curve, Results};
use crate::peers::{grouped, shown};

pub fn table(curve: &Curve, points: &[usize], results: &Results) -> String {
    let mut text = format!("| {} |", curve.axis);
    for figure in curve.figures {
        let _ = write!(text, " {} |", figure.title);
    }
    text.push_str(" cost beside the first |\n|---:|");
    text.push_str(&"---:|".repeat(curve.figures.len() + 1));
    text.push('\n');
    let cost = |point: usize| results.median(point, curve.figures[0].key);
    let first = points.first().and_then(|point| cost(*point));
    for &point in points {
        let _ = write!(text, "| {} |", grouped(point as f64));
        for figure in curve.figures {
            let value = results.median(point, figure.key);
            let value = value.map_or_else(|| "–".to_owned(), shown);
            let _ = write!(text, " {value} |");
        }
        let ratio = cost(point).zip(first).map(|(cost, first)| cost / first);
        let ratio = ratio.map_or_else(|| "–".to_owned(), shown);
        let _ = writeln!(text, " {ratio} |");
    }
    text
}
