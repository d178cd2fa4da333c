//! Measures a lot on disk: `scale [--rows N] [SCENARIO …]`. Prints a table for each scenario; fails, at the end, if a figure is not
//! as promised.

use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use ebbtide_tests::scale;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut rows = None;
    let mut names = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--rows" {
            let value = arguments.next().context("--rows needs a number")?;
            rows = Some(value.parse().with_context(|| format!("`{value}`"))?);
        } else if scale::ALL.iter().any(|scenario| scenario.name == argument) {
            names.push(argument);
        } else {
            let known: Vec<_> = scale::ALL.iter().map(|scenario| scenario.name).collect();
            bail!("`{argument}` is no scenario: {}", known.join(", "));
        }
    }
    let mut failed = Vec::new();
    for scenario in scale::ALL {
        if names.is_empty() || names.iter().any(|name| name == scenario.name) {
            let rows = rows.unwrap_or(scenario.rows);
            eprintln!("{}, {rows} rows", scenario.name);
            match (scenario.run)(rows) {
                Ok(figures) => println!(
                    "### {}, {rows} rows\n\n| what | |\n|---|---:|\n{figures}",
                    scenario.name
                ),
                Err(error) => {
                    eprintln!("error: {}: {error:#}", scenario.name);
                    failed.push(scenario.name);
                }
            }
        }
    }
    ensure!(
        failed.is_empty(),
        "not as it should be: {}",
        failed.join(", ")
    );
    Ok(())
}
