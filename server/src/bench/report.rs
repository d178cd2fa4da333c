//! What a run found, as a line of JSON or as a table.

use serde::Serialize;

/// Figures of one run against one broker, by name, in the order in which they are shown.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// What was done.
    pub scenario: &'static str,
    /// To whom.
    pub target: String,
    /// Which time it was, from 1.
    pub round: u32,
    /// Of publishing and subscribing.
    pub qos: u8,
    /// The version of MQTT.
    pub protocol: &'static str,
    /// Bytes of each payload.
    pub payload_bytes: usize,
    /// Name, with its unit last, and value.
    #[serde(flatten)]
    pub figures: serde_json::Map<String, serde_json::Value>,
    #[serde(skip)]
    order: Vec<String>,
    /// What has to be known to read the figures.
    #[serde(rename = "notes", skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

impl Report {
    pub fn new(scenario: &'static str) -> Self {
        Self {
            scenario,
            ..Self::default()
        }
    }

    /// Notes a figure. What could not be measured is left out.
    pub fn note(&mut self, name: &str, value: impl Into<Option<f64>>) {
        if let Some(value) = value.into()
            && let Some(number) = serde_json::Number::from_f64(rounded(value))
        {
            self.order.push(name.to_owned());
            self.figures.insert(name.to_owned(), number.into());
        }
    }

    fn value(&self, name: &str) -> Option<f64> {
        self.figures.get(name)?.as_f64()
    }
}

/// Four digits: more would only pretend.
fn rounded(value: f64) -> f64 {
    if value == 0.0 {
        return value;
    }
    let digits = 3 - value.abs().log10().floor() as i32;
    if digits > 0 {
        let factor = 10_f64.powi(digits);
        (value * factor).round() / factor
    } else {
        value.round()
    }
}

/// A row for each figure and a column for each target: the median of its rounds. With two targets, the ratio of the first
/// to the second.
pub fn table(reports: &[Report]) -> String {
    let Some(first) = reports.first() else {
        return String::new();
    };
    let mut targets: Vec<&str> = Vec::new();
    for report in reports {
        if !targets.contains(&report.target.as_str()) {
            targets.push(&report.target);
        }
    }
    let mut rows = vec![{
        let mut head = vec![first.scenario.to_owned()];
        head.extend(targets.iter().map(|target| (*target).to_owned()));
        if targets.len() == 2 {
            head.push("ratio".to_owned());
        }
        head
    }];
    for name in names(reports) {
        let medians: Vec<Option<f64>> = targets
            .iter()
            .map(|target| {
                let values = reports.iter().filter(|report| report.target == *target);
                median(values.filter_map(|report| report.value(name)).collect()).map(rounded)
            })
            .collect();
        let mut row = vec![name.to_owned()];
        row.extend(medians.iter().map(|value| shown(*value)));
        if let [Some(one), Some(other)] = medians[..] {
            row.push(if other == 0.0 {
                "-".to_owned()
            } else {
                format!("{:.2}", one / other)
            });
        }
        rows.push(row);
    }
    aligned(&rows)
}

/// All figures, each behind the one that it follows in its report: not every run has all of them.
fn names(reports: &[Report]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for report in reports {
        let mut end = 0;
        for name in &report.order {
            match names.iter().position(|known| known == name) {
                Some(at) => end = at + 1,
                None => {
                    names.insert(end, name);
                    end += 1;
                }
            }
        }
    }
    names
}

/// What has to be known to read the table, each once; with two targets it says of which.
pub fn notes(reports: &[Report]) -> Vec<String> {
    let is_one = reports.windows(2).all(|two| two[0].target == two[1].target);
    let mut notes = Vec::new();
    for report in reports {
        for remark in &report.remarks {
            let note = match is_one {
                true => remark.clone(),
                false => format!("{}: {remark}", report.target),
            };
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    notes
}

/// Of an even number the mean of the two in the middle: neither is the better one.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 0 => Some(f64::midpoint(values[middle - 1], values[middle])),
        _ => Some(values[middle]),
    }
}

fn shown(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value.fract() == 0.0 && value.abs() < 1e15 => format!("{value:.0}"),
        Some(value) => value.to_string(),
    }
}

fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            let pad = " ".repeat(widths[column] - cell.chars().count());
            if column == 0 {
                text.push_str(&format!("{cell}{pad}"));
            } else {
                text.push_str(&format!("  {pad}{cell}"));
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_medians_and_a_ratio() {
        let report = |target: &str, value: f64| {
            let mut report = Report::new("p2p");
            report.target = target.to_owned();
            report.note("delivered_per_s", value);
            report
        };
        let reports = [
            report("a", 300.0),
            report("b", 100.0),
            report("a", 200.0),
            report("b", 50.0),
            report("a", 900.0),
        ];
        let expected = "p2p                a   b  ratio\ndelivered_per_s  300  75   4.00\n";
        assert_eq!(table(&reports), expected);
    }

    #[test]
    fn what_only_one_of_two_has_is_shown() {
        let report = |target: &str, figures: &[(&str, f64)], remarks: &[&str]| {
            let mut report = Report::new("p2p");
            report.target = target.to_owned();
            report.remarks = remarks.iter().map(|&remark| remark.to_owned()).collect();
            for (name, value) in figures {
                report.note(name, *value);
            }
            report
        };
        let (some, more) = (
            [("rate", 2.0), ("lost", 0.0)],
            [("rate", 1.0), ("cpu", 7.0)],
        );
        let reports = [
            report("a", &some, &["slow"]),
            report("b", &more, &["slow", "busy"]),
            report("a", &some, &["slow"]),
        ];
        let expected = "p2p   a  b  ratio\nrate  2  1   2.00\ncpu   -  7\nlost  0  -\n";
        assert_eq!(table(&reports), expected);
        assert_eq!(notes(&reports), ["a: slow", "b: slow", "b: busy"]);
        assert_eq!(notes(&reports[..1]), ["slow"]);
    }

    #[test]
    fn of_two_rounds_neither_is_the_better_one() {
        assert_eq!(median(vec![300.0, 100.0]), Some(200.0));
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn figures_have_four_digits() {
        assert_eq!(rounded(123_456.7), 123_457.0);
        assert_eq!(rounded(0.000_123_456), 0.000_123_5);
        assert_eq!(rounded(12.345_6), 12.35);
    }
}
