//! The tables in Markdown: a row for each figure, a column for each broker, and the line with how far it was reached.

use std::fmt::Write;

use super::{
    Peer, Plan, Row,
    results::Results,
    rows::{Better, Figure, Line},
};

/// Whom ratios are to.
const YARDSTICK: &str = "Mosquitto";
/// What could not be measured.
const DASH: &str = "–";
/// The load does not wait for ever: what it has instead of the first figure then, and what that is called.
const NOT_WAITED_FOR: (&str, &str, &str) = ("lost", "undelivered", "not yet delivered after 60 s");

/// All rows in one table. Each cell: the figure, and its ratio to Mosquitto's.
pub fn tables(plan: &Plan<'_>, results: &Results) -> String {
    let mut text = String::from("| scenario | figure |");
    for peer in plan.peers {
        let _ = write!(text, " {} |", peer.name);
    }
    text.push_str(" line | |\n|---|---|");
    text.push_str(&"---:|".repeat(plan.peers.len() + 1));
    text.push_str("---|\n");
    for row in plan.rows {
        for (at, (figure, line)) in row.figures.iter().enumerate() {
            let title = if at == 0 { row.title } else { "" };
            let _ = write!(text, "| {title} | {} |", figure.title);
            for peer in plan.peers {
                let _ = write!(
                    text,
                    " {} |",
                    cell(plan, results, row, (figure, *line), peer)
                );
            }
            let verdict = verdict(plan, results, row, figure, *line);
            let _ = writeln!(text, " {} | {verdict} |", shown_line(figure, *line));
        }
    }
    text
}

/// What was said of the runs, why there is a dash among it: `- ROW: BROKER, BROKER: NOTE`.
pub fn notes(plan: &Plan<'_>, results: &Results) -> Vec<String> {
    let mut lines = Vec::new();
    for row in plan.rows {
        let mut notes: Vec<(&str, Vec<&str>)> = Vec::new();
        for peer in plan.peers {
            for note in results.notes(row, peer) {
                match notes.iter_mut().find(|(said, _)| *said == note) {
                    Some((_, peers)) => peers.push(peer.name),
                    None => notes.push((note, vec![peer.name])),
                }
            }
        }
        let told = notes.into_iter();
        lines.extend(
            told.map(|(note, peers)| format!("- {}: {}: {note}", row.title, peers.join(", "))),
        );
    }
    lines
}

/// A broker's figure beside another's, if both are there.
fn ratio(
    plan: &Plan<'_>,
    results: &Results,
    row: &Row,
    key: &str,
    peer: &Peer,
    other: &str,
) -> Option<f64> {
    let other = plan.peers.iter().find(|peer| peer.name == other)?;
    let own = results.median(row, peer, key)?;
    let other = results.median(row, other, key)?;
    (other > 0.0).then_some(own / other)
}

fn cell(
    plan: &Plan<'_>,
    results: &Results,
    row: &Row,
    (figure, line): (&Figure, Line),
    peer: &Peer,
) -> String {
    let (lost, undelivered, called) = NOT_WAITED_FOR;
    if figure.key == lost
        && let Some(value) = results.median(row, peer, undelivered)
    {
        return format!("{} {called}", shown(value));
    }
    // What one run has lost is not made good by two that have lost nothing.
    let value = match figure.key == lost {
        true => results.largest(row, peer, lost),
        false => results.median(row, peer, figure.key),
    };
    let Some(value) = value else {
        return DASH.to_owned();
    };
    let value = shown(value);
    let beside = match line {
        Line::RatioTo(other, _) => other,
        _ => YARDSTICK,
    };
    match ratio(plan, results, row, figure.key, peer, beside) {
        Some(ratio) if peer.name != beside => format!("{value} ({})", shown(ratio)),
        _ => value,
    }
}

fn shown_line(figure: &Figure, line: Line) -> String {
    let sign = match figure.better {
        Better::More => "≥",
        Better::Less => "≤",
    };
    match line {
        Line::Ratio(ratio) => format!("{sign} {} ×", shown(ratio)),
        Line::RatioTo(peer, ratio) => format!("{sign} {} × {peer}", shown(ratio)),
        Line::Value(value) => format!("{sign} {}", shown(value)),
        Line::None => String::new(),
    }
}

fn verdict(
    plan: &Plan<'_>,
    results: &Results,
    row: &Row,
    figure: &Figure,
    line: Line,
) -> &'static str {
    let ours = plan.peers.iter().find(|peer| peer.name == "Ebbtide");
    let Some(ours) = ours else { return "" };
    let beside = |other| ratio(plan, results, row, figure.key, ours, other);
    let (value, bound) = match line {
        Line::Ratio(bound) => (beside(YARDSTICK), bound),
        Line::RatioTo(other, bound) => (beside(other), bound),
        Line::Value(bound) if figure.key == NOT_WAITED_FOR.0 => {
            (results.largest(row, ours, figure.key), bound)
        }
        Line::Value(bound) => (results.median(row, ours, figure.key), bound),
        Line::None => return "",
    };
    // A round that failed is no reason to look at the others only.
    let Some(value) = value.filter(|_| !results.lacks(row, ours, figure.key)) else {
        return "**not measured**";
    };
    let crossed = match figure.better {
        Better::More => value >= bound,
        Better::Less => value <= bound,
    };
    if crossed { "crossed" } else { "**missed**" }
}

/// Three digits: more would only pretend.
pub fn shown(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let digits = 2 - value.abs().log10().floor() as i32;
    if digits > 0 {
        let text = format!("{value:.*}", digits.unsigned_abs() as usize);
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let unit = 10_f64.powi(-digits);
    grouped((value / unit).round() * unit)
}

/// With a comma between thousands.
pub fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && digit.is_ascii_digit() {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::Result;

    use super::{
        super::{ALL, ROWS},
        *,
    };
    use crate::load::Found;

    fn plan<'a>(peers: &'a [&'static Peer], rows: &'a [&'static Row]) -> Plan<'a> {
        Plan {
            peers,
            rows,
            rounds: 1,
            seconds: 1.0,
            keep: None,
        }
    }

    fn found(figures: &[(&str, f64)], notes: &[&str]) -> Found {
        Found {
            figures: figures
                .iter()
                .map(|(name, value)| ((*name).to_owned(), *value))
                .collect(),
            notes: notes.iter().map(|&note| note.to_owned()).collect(),
        }
    }

    #[test]
    fn what_was_said_is_told_and_what_was_not_waited_for_is_not_lost() -> Result<()> {
        let (peers, rows) = ([&ALL[1], &ALL[2]], [&ROWS[0]]);
        let mut results = Results::default();
        let late = [("delivered_per_s", 9.0), ("undelivered", 7_060_000.0)];
        let rest = [
            ("broker_cpu_us_per_delivery", 1.0),
            ("generator_cpu_us_per_delivery", 1.0),
        ];
        results.note(rows[0], peers[0], found(&[late, rest].concat(), &["busy"]))?;
        results.note(rows[0], peers[1], found(&[], &["busy", "it fell over"]))?;
        let plan = plan(&peers, &rows);
        let tables = tables(&plan, &results);
        let lost = "|  | lost | 7,060,000 not yet delivered after 60 s | – |";
        assert!(tables.contains(lost), "{tables}");
        let [title, one, other] = [rows[0].title, peers[0].name, peers[1].name];
        let expected = [
            format!("- {title}: {one}, {other}: busy"),
            format!("- {title}: {other}: it fell over"),
        ];
        assert_eq!(notes(&plan, &results), expected);
        Ok(())
    }

    #[test]
    fn figures_have_three_digits() {
        for (value, expected) in [
            (0.0, "0"),
            (0.012_345, "0.0123"),
            (1.0, "1"),
            (1.25, "1.25"),
            (12.345, "12.3"),
            (999.6, "1,000"),
            (1_234_567.0, "1,230,000"),
        ] {
            assert_eq!(shown(value), expected);
        }
    }
}
