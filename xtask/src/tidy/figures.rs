//! Figures in README.md are those of docs/benchmarks.md: who measures again writes that page, and would forget the other.

use std::fs;

use anyhow::{Context, Result};

use crate::project::Project;

const PAGE: &str = "docs/benchmarks.md";
const SECTION: &str = "\n## How fast it is\n";

pub fn check(project: &Project) -> Result<Vec<String>> {
    let read = |page: &str| {
        fs::read_to_string(project.root.join(page)).with_context(|| format!("reading {page}"))
    };
    let (readme, page) = (read("README.md")?, read(PAGE)?);
    let section = readme.split_once(SECTION).context("README.md says it")?.1;
    let section = section.split("\n## ").next().unwrap_or(section);
    let unknown = rows(section).filter(|row| !page.lines().any(|line| has(line, row)));
    Ok(unknown
        .map(|row| {
            format!(
                "README.md: {} are no figures of one row in {PAGE}",
                row.join(" and ")
            )
        })
        .collect())
}

/// What begins the cells of each row of the table, but those of the first column and of the head.
fn rows(section: &str) -> impl Iterator<Item = Vec<&str>> {
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| {
        let cells = row.split('|').skip(2);
        cells
            .filter_map(|cell| cell.split(['/', ' ']).find(|word| !word.is_empty()))
            .collect()
    })
}

/// Rounded to whole numbers, or as they stand there.
fn has(line: &str, figures: &[&str]) -> bool {
    let number = |text: &str| text.replace(',', "").parse::<f64>().ok();
    let there: Vec<f64> = line.split([' ', '|']).filter_map(number).collect();
    let is_there = |wanted: f64| {
        there
            .iter()
            .any(|one| *one == wanted || one.round() == wanted)
    };
    figures
        .iter()
        .all(|figure| number(figure).is_some_and(is_there))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_the_page() {
        let table = "\n| | a | b |\n|---|---:|---:|\n| to 100 | 1,640,000/s | 38 ms |\n";
        assert_eq!(rows(table).collect::<Vec<_>>(), [["1,640,000", "38"]]);
        let line = "| last, ms | 37.8 (0.0684) | 552 | 2,080,000 (31.3) |";
        assert!(has(line, &["38", "552", "2,080,000"]));
        assert!(!has(line, &["38", "1,640,000"]) && !has(line, &["37"]) && !has(line, &["ms"]));
    }
}
