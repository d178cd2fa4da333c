//! Curves over time, as paths in a box that is [`WIDTH`] wide and [`HEIGHT`] high; the drawing stretches it.

use std::fmt::Write;

use super::format::fixed;

pub const WIDTH: f64 = 1000.0;
pub const HEIGHT: f64 = 100.0;
/// Where so many steps are missing, nothing is drawn: the broker was not there.
const STEPS_MISSING: u64 = 3;
/// A chart is no shorter.
const LENGTH_MS_MIN: u64 = 10_000;

/// The values of several curves at the same times. What is absent is not drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Data {
    pub times_ms: Vec<u64>,
    /// By curve; each as long as the times.
    pub values: Vec<Vec<Option<f64>>>,
    pub step_ms: u64,
    /// From the left to the right edge.
    pub length_ms: u64,
    /// The left edge is where it all began: there was nothing before.
    pub is_from_start: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    /// At the upper edge; zero is at the lower one.
    pub max: f64,
    /// By curve.
    pub lines: Vec<String>,
    /// The area below the first curve.
    pub area: String,
}

impl Data {
    /// Leaves out the time before the first point: a broker that has just begun fills its charts too.
    pub fn fit(&mut self) {
        if let (Some(first), Some(last)) = (self.times_ms.first(), self.times_ms.last()) {
            let known_ms = last.saturating_sub(*first);
            self.is_from_start = (LENGTH_MS_MIN..self.length_ms).contains(&known_ms);
            self.length_ms = known_ms.clamp(LENGTH_MS_MIN.min(self.length_ms), self.length_ms);
        }
    }

    /// `least_max` is the least that the upper edge stands for, so that noise is not drawn large.
    pub fn plot(&self, least_max: f64) -> Plot {
        let all = self.values.iter().flatten().flatten();
        let max = nice(all.copied().fold(least_max, f64::max));
        let mut area = String::new();
        let mut lines = Vec::new();
        for (index, values) in self.values.iter().enumerate() {
            let mut line = String::new();
            for run in self.runs(values) {
                let mut points = String::new();
                for &(at, value) in &run {
                    let (x, y) = (self.x(at), y(value, max));
                    let _ = write!(
                        points,
                        "{}{} {}",
                        if points.is_empty() { "" } else { "L" },
                        fixed(x, 1),
                        fixed(y, 2)
                    );
                }
                // A point alone is a line without length, which round ends make a dot.
                let alone = if run.len() == 1 { "h0" } else { "" };
                let _ = write!(line, "M{points}{alone}");
                if let (0, Some(first), Some(last)) = (index, run.first(), run.last()) {
                    let (from, to) = (fixed(self.x(first.0), 1), fixed(self.x(last.0), 1));
                    let foot = fixed(HEIGHT, 0);
                    let _ = write!(area, "M{from} {foot}L{points}L{to} {foot}Z");
                }
            }
            lines.push(line);
        }
        Plot { max, lines, area }
    }

    /// Stretches without a gap, as indices of times and values.
    fn runs(&self, values: &[Option<f64>]) -> Vec<Vec<(usize, f64)>> {
        let mut runs: Vec<Vec<(usize, f64)>> = Vec::new();
        let mut before = None;
        for (index, value) in values.iter().enumerate() {
            let Some(value) = value else { continue };
            let at_ms = self.times_ms[index];
            let is_gap = before.is_none_or(|b| at_ms - b > STEPS_MISSING * self.step_ms);
            match runs.last_mut() {
                Some(run) if !is_gap => run.push((index, *value)),
                _ => runs.push(vec![(index, *value)]),
            }
            before = Some(at_ms);
        }
        runs
    }

    /// The place of a point in the box.
    pub fn x(&self, index: usize) -> f64 {
        let last_ms = self.times_ms.last().copied().unwrap_or_default();
        let back_ms = last_ms - self.times_ms[index].min(last_ms);
        WIDTH * (1.0 - back_ms as f64 / self.length_ms.max(1) as f64)
    }

    /// The last point at which a curve has a value.
    pub fn last_known(&self) -> Option<usize> {
        let is_known = |at: &usize| self.values.iter().any(|values| values[*at].is_some());
        (0..self.times_ms.len()).rev().find(is_known)
    }

    /// The point that is nearest to a place, from 0 at the left to 1 at the right edge.
    pub fn nearest(&self, fraction: f64) -> Option<usize> {
        let distance = |index: &usize| (self.x(*index) - fraction * WIDTH).abs();
        (0..self.times_ms.len()).min_by(|a, b| distance(a).total_cmp(&distance(b)))
    }
}

/// The height of a value in the box.
pub fn y(value: f64, max: f64) -> f64 {
    HEIGHT * (1.0 - (value / max).clamp(0.0, 1.0))
}

/// The least of 1, 2, 4, 5 and 10 times a power of ten that is no less; 1 for zero.
fn nice(max: f64) -> f64 {
    if max.is_nan() || max <= 0.0 || max.is_infinite() {
        return 1.0;
    }
    let power = 10_f64.powf(max.log10().floor());
    let steps = [1.0, 2.0, 4.0, 5.0, 10.0].into_iter();
    let mut fitting = steps
        .map(|step| step * power)
        .filter(|step| *step >= max * 0.999_999);
    fitting.next().unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(times_ms: &[u64], values: &[Option<f64>]) -> Data {
        Data {
            times_ms: times_ms.to_vec(),
            values: vec![values.to_vec()],
            step_ms: 1_000,
            length_ms: 10_000,
            is_from_start: false,
        }
    }

    #[test]
    fn the_last_point_is_at_the_right_edge() {
        let data = data(&[8_000, 10_000], &[Some(1.0), Some(2.0)]);
        let plot = data.plot(0.0);
        assert_eq!(plot.max, 2.0);
        assert_eq!(data.x(0), 800.0);
        assert_eq!(plot.lines, ["M800.0 50.00L1000.0 0.00"]);
    }

    #[test]
    fn a_curve_is_drawn_with_its_area_and_broken_where_points_are_missing() {
        let data = data(
            &[1_000, 2_000, 3_000, 9_000, 10_000],
            &[Some(4.0), None, Some(2.0), Some(1.0), Some(0.0)],
        );
        let plot = data.plot(0.0);
        assert_eq!(
            plot.lines,
            ["M100.0 0.00L300.0 50.00M900.0 75.00L1000.0 100.00"]
        );
        assert_eq!(
            plot.area,
            "M100.0 100L100.0 0.00L300.0 50.00L300.0 100ZM900.0 100L900.0 75.00L1000.0 100.00L1000.0 100Z"
        );
    }

    #[test]
    fn a_point_alone_can_be_seen() {
        let plot = data(&[10_000], &[Some(1.0)]).plot(2.0);
        assert_eq!(plot.lines, ["M1000.0 50.00h0"]);
    }

    #[test]
    fn the_scale_is_round_and_never_nothing() {
        let cases = [
            (0.0, 1.0),
            (0.3, 0.4),
            (1.0, 1.0),
            (1.1, 2.0),
            (3.0, 4.0),
            (41.0, 50.0),
            (51.0, 100.0),
            (1_000.0, 1_000.0),
        ];
        for (max, expected) in cases {
            assert!((nice(max) - expected).abs() < 1e-9, "{max}: {}", nice(max));
        }
        assert_eq!(data(&[], &[]).plot(0.0).max, 1.0);
        assert_eq!(data(&[1], &[Some(0.1)]).plot(4.0).max, 4.0);
    }

    #[test]
    fn a_young_broker_fills_its_charts() {
        let fitted = |times_ms: &[u64]| {
            let mut data = data(times_ms, &vec![None; times_ms.len()]);
            data.length_ms = 600_000;
            data.fit();
            (data.length_ms, data.is_from_start)
        };
        assert_eq!(fitted(&[]), (600_000, false));
        assert_eq!(fitted(&[5_000]), (LENGTH_MS_MIN, false));
        assert_eq!(fitted(&[0, 240_000]), (240_000, true));
        assert_eq!(fitted(&[0, 600_000]), (600_000, false));
        assert_eq!(fitted(&[0, 900_000]), (600_000, false));
    }

    #[test]
    fn finds_the_last_value() {
        let last = |values: &[Option<f64>]| data(&[1_000, 2_000], values).last_known();
        assert_eq!(last(&[Some(1.0), None]), Some(0));
        assert_eq!(last(&[None, Some(0.0)]), Some(1));
        assert_eq!(last(&[None, None]), None);
    }

    #[test]
    fn finds_the_nearest_point() {
        let data = data(&[1_000, 2_000, 10_000], &[None, None, None]);
        assert_eq!(data.nearest(0.0), Some(0));
        assert_eq!(data.nearest(0.16), Some(1));
        assert_eq!(data.nearest(0.9), Some(2));
        assert_eq!(self::data(&[], &[]).nearest(0.5), None);
    }
}
