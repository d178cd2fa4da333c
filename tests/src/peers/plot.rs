//! The rates beside Mosquitto's as bars, in SVG. A logarithmic axis: half and double are equally far from one.

use anyhow::Result;
use plotters::prelude::*;

use super::{Plan, Row, results::Results, rows::Better, table};

const WIDTH: u32 = 960;
const ROW_HEIGHT: u32 = 46;
const MARGIN: u32 = 50;
const COLOURS: [RGBColor; 5] = [
    RGBColor(14, 116, 144),
    RGBColor(148, 163, 184),
    RGBColor(217, 119, 6),
    RGBColor(101, 163, 13),
    RGBColor(190, 24, 93),
];

/// A group of bars for each row whose first figure is a rate.
pub fn ratios(plan: &Plan<'_>, results: &Results) -> Result<String> {
    let rows: Vec<&Row> = plan
        .rows
        .iter()
        .copied()
        .filter(|row| row.figures[0].0.better == Better::More)
        .collect();
    let mut svg = String::new();
    let height = MARGIN * 2 + ROW_HEIGHT * u32::try_from(rows.len())?;
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        root.fill(&WHITE)?;
        let bottom = -(rows.len() as f64);
        let mut chart = ChartBuilder::on(&root)
            .caption("rate beside Mosquitto's", ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(28)
            .y_label_area_size(1)
            .build_cartesian_2d((0.02_f64..100.0).log_scale(), bottom..0.0)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .x_label_formatter(&|ratio| format!("{ratio} ×"))
            .draw()?;
        let thick = 0.7 / plan.peers.len() as f64;
        for (number, peer) in plan.peers.iter().enumerate() {
            let colour = COLOURS[number % COLOURS.len()];
            let bars = rows.iter().enumerate().filter_map(|(at, row)| {
                let key = row.figures[0].0.key;
                let ratio = table::ratio(plan, results, row, key, peer)?;
                let top = -(at as f64) - 0.25 - thick * number as f64;
                let bar = [(1.0, top), (ratio.clamp(0.02, 100.0), top - thick * 0.9)];
                Some(Rectangle::new(bar, colour.filled()))
            });
            chart
                .draw_series(bars)?
                .label(peer.name)
                .legend(move |(x, y)| {
                    Rectangle::new([(x, y - 5), (x + 10, y + 5)], colour.filled())
                });
        }
        let names = rows.iter().enumerate().map(|(at, row)| {
            let place = (0.021, -(at as f64) - 0.06);
            Text::new(row.title, place, ("sans-serif", 13))
        });
        chart.draw_series(names)?;
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .background_style(WHITE)
            .border_style(BLACK.mix(0.2))
            .draw()?;
        root.present()?;
    }
    Ok(svg)
}
