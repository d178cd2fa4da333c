//! Runs the benchmarks: `bench [--short] [NAME …]`. Prints a table for each.

use std::process::ExitCode;

use anyhow::{Result, bail};
use ebbtide_tests::bench;

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
    let mut short = false;
    let mut names = Vec::new();
    for argument in std::env::args().skip(1) {
        if argument == "--short" {
            short = true;
        } else if bench::ALL
            .iter()
            .any(|benchmark| benchmark.name == argument)
        {
            names.push(argument);
        } else {
            let known: Vec<_> = bench::ALL.iter().map(|benchmark| benchmark.name).collect();
            bail!("`{argument}` is no benchmark: {}", known.join(", "));
        }
    }
    for benchmark in bench::ALL {
        if names.is_empty() || names.iter().any(|name| name == benchmark.name) {
            println!("### {}\n", benchmark.title);
            (benchmark.run)(short)?;
            println!();
        }
    }
    Ok(())
}
