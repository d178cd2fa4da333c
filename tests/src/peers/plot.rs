//! The rates beside Mosquitto's as bars, in SVG. A logarithmic axis: half and double are equally far from one.
//!
//! They are those of the tables of a document, so that picture and tables never say different things.

use anyhow::{Result, ensure};
use plotters::prelude::*;

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

/// What the tables say.
struct Tables<'a> {
    peers: Vec<&'a str>,
    rows: Vec<Row<'a>>,
}

/// A scenario whose first figure is a rate.
struct Row<'a> {
    title: &'a str,
    /// Of each peer to Mosquitto, where there is one.
    ratios: Vec<Option<f64>>,
}

impl<'a> Tables<'a> {
    /// Those of a document in Markdown whose head is that of `table::tables`.
    fn of(document: &'a str) -> Self {
        let (mut peers, mut rows) = (Vec::new(), Vec::new());
        for line in document.lines() {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            match cells[..] {
                ["", "scenario", "figure", ref all @ .., _, _, ""] => peers = all.to_vec(),
                ["", title, figure, ref all @ .., _, _, ""]
                    if !title.is_empty() && figure.ends_with("/s") && all.len() == peers.len() =>
                {
                    let ratios = all.iter().map(|cell| ratio(cell)).collect();
                    rows.push(Row { title, ratios });
                }
                _ => {}
            }
        }
        Self { peers, rows }
    }
}

/// What stands in brackets.
fn ratio(cell: &str) -> Option<f64> {
    let (_, ratio) = cell.strip_suffix(')')?.rsplit_once('(')?;
    ratio.replace(',', "").parse().ok()
}

/// A group of bars for each row of the document whose first figure is a rate.
pub fn ratios(document: &str) -> Result<String> {
    let Tables { peers, rows } = Tables::of(document);
    ensure!(!rows.is_empty(), "there is no table of brokers");
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
        let thick = 0.7 / peers.len() as f64;
        for (number, peer) in peers.iter().enumerate() {
            let colour = COLOURS[number % COLOURS.len()];
            let bars = rows.iter().enumerate().filter_map(|(at, row)| {
                let ratio = row.ratios[number]?;
                let top = -(at as f64) - 0.25 - thick * number as f64;
                let bar = [(1.0, top), (ratio.clamp(0.02, 100.0), top - thick * 0.9)];
                Some(Rectangle::new(bar, colour.filled()))
            });
            chart.draw_series(bars)?.label(*peer).legend(move |(x, y)| {
                Rectangle::new([(x, y - 5), (x + 10, y + 5)], colour.filled())
            });
        }
        let names = rows.iter().enumerate().map(|(at, row)| {
            let place = (0.021, -(at as f64) - 0.06);
            Text::new(row.title.to_owned(), place, ("sans-serif", 13))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_the_tables() {
        let document = "| scenario | figure | A | B | line | |\n|---|---|---:|---:|---:|---|\n\
                        | one | delivered, /s | 1,000 (1,020) | 9 | ≥ 2 × | crossed |\n|  | lost | 0 (3) | 0 |  |  |\n\
                        | two | p50, ms | 3 (0.5) | 6 |  |  |\n| three | set, /s | – | 6 |  |  |\n";
        let tables = Tables::of(document);
        assert_eq!(tables.peers, ["A", "B"]);
        let rows: Vec<_> = tables
            .rows
            .iter()
            .map(|row| (row.title, &row.ratios[..]))
            .collect();
        let expected = [("one", &[Some(1020.0), None][..]), ("three", &[None, None])];
        assert_eq!(rows, expected);
    }

    #[test]
    fn the_picture_of_the_document_is_that_of_its_tables() {
        let page = include_str!("../../../docs/benchmarks.md");
        let picture = ratios(page).expect("it can be drawn");
        let is_same = picture == include_str!("../../../docs/images/peers.svg");
        assert!(
            is_same,
            "run `cargo xtask bench peers --draw docs/benchmarks.md`"
        );
    }
}
