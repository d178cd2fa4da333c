//! A curve as a picture in SVG: what a unit costs, and the rate, side by side. What should make no difference grows by factors, on a
//! logarithmic axis: a level curve costs the same everywhere. What is work grows evenly: a straight one costs the same for each bit.
//!
//! The ground is white, not transparent: it is read on dark pages as well.

use anyhow::{Context, Result};
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::{Curve, Results, curves::Figure};
use crate::peers::{grouped, shown};

const SIZE: (u32, u32) = (960, 300);
const INK: RGBColor = RGBColor(14, 116, 144);

/// The first two figures.
pub fn plot(curve: &Curve, points: &[usize], results: &Results) -> Result<String> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let root = root.titled(curve.title, ("sans-serif", 16))?;
        for (area, figure) in root.split_evenly((1, 2)).iter().zip(curve.figures) {
            panel(area, curve, figure, points, results)?;
        }
        root.present()?;
    }
    Ok(svg)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn panel(
    area: &Area<'_>,
    curve: &Curve,
    figure: &Figure,
    points: &[usize],
    results: &Results,
) -> Result<()> {
    // Nothing has no place on a logarithmic axis: it stands at one.
    let place = |point: usize| point.max(1) as f64;
    let line: Vec<(f64, f64)> = points
        .iter()
        .filter_map(|&point| Some((place(point), results.median(point, figure.key)?)))
        .collect();
    let top = line.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    let last = points.last().copied().context("a curve has points")?;
    if curve.is_work {
        let across = RangedCoordf64::from(0.0..last as f64 * 1.05);
        return draw(area, curve, figure, &line, across, top);
    }
    let across = (place(points[0]) * 0.8..place(last) * 1.25).log_scale();
    draw(area, curve, figure, &line, across, top)
}

fn draw<X>(
    area: &Area<'_>,
    curve: &Curve,
    figure: &Figure,
    line: &[(f64, f64)],
    across: X,
    top: f64,
) -> Result<()>
where
    X: AsRangedCoord<Value = f64>,
    X::CoordDescType: ValueFormatter<f64>,
{
    let mut chart = ChartBuilder::on(area)
        .caption(figure.title, ("sans-serif", 14))
        .margin(10)
        .margin_right(24)
        .x_label_area_size(40)
        .y_label_area_size(64)
        .build_cartesian_2d(across, RangedCoordf64::from(0.0..top.max(1e-9) * 1.15))?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .axis_style(BLACK.mix(0.4))
        .x_desc(curve.axis)
        .x_labels(6)
        .y_labels(6)
        .x_label_formatter(&|value| grouped(*value))
        .y_label_formatter(&|value| shown(*value))
        .draw()?;
    chart.draw_series([PathElement::new(line, INK.stroke_width(2))])?;
    chart.draw_series(line.iter().map(|at| Circle::new(*at, 3, INK.filled())))?;
    Ok(())
}
