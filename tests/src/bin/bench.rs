//! Runs the benchmarks: `bench [--short] [NAME …]`. Prints a table for each; fails, at the end, if a figure is not as promised.

use std::process::ExitCode;

use anyhow::{Result, bail, ensure};
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
    let mut failed = Vec::new();
    for benchmark in bench::ALL {
        if names.is_empty() || names.iter().any(|name| name == benchmark.name) {
            println!("### {}\n", benchmark.title);
            if let Err(error) = (benchmark.run)(short) {
                eprintln!("error: {}: {error:#}", benchmark.name);
                failed.push(benchmark.name);
            }
            println!();
        }
    }
    ensure!(
        failed.is_empty(),
        "not as it should be: {}",
        failed.join(", ")
    );
    Ok(())
}
