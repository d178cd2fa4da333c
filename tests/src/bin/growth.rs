//! Measures what a message costs when there is more and more of something: `growth [--rounds N] [--seconds S] [--quick] [--plots FOLDER]
//! [CURVE …]`. Prints a table for each curve.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};
use ebbtide_tests::growth::{self, ALL, Curve, Plan};

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
    let (mut rounds, mut seconds, mut quick) = (None, None, false);
    let mut plots: Option<PathBuf> = None;
    let mut curves: Vec<&Curve> = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .with_context(|| format!("{argument} of what?"))
        };
        match argument.as_str() {
            "--rounds" => rounds = Some(value()?.parse().context("--rounds takes a number")?),
            "--seconds" => seconds = Some(value()?.parse().context("--seconds takes a number")?),
            "--plots" => plots = Some(value()?.into()),
            "--quick" => quick = true,
            name => match ALL.iter().find(|curve| curve.name == name) {
                Some(curve) => curves.push(curve),
                None => {
                    let known: Vec<_> = ALL.iter().map(|curve| curve.name).collect();
                    bail!("`{name}` is no curve: {}", known.join(", "));
                }
            },
        }
    }
    if curves.is_empty() {
        curves = ALL.iter().collect();
    }
    let plan = Plan {
        rounds: rounds.unwrap_or(if quick { 1 } else { 3 }),
        seconds: seconds.unwrap_or(if quick { 0.5 } else { 4.0 }),
        quick,
    };
    for curve in curves {
        let outcome = growth::run(curve, &plan).with_context(|| curve.name)?;
        println!("### {}\n\n{}", curve.title, outcome.table);
        if let Some(folder) = &plots {
            fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
            let file = folder.join(format!("growth-{}.svg", curve.name));
            fs::write(&file, outcome.plot)
                .with_context(|| format!("writing {}", file.display()))?;
        }
    }
    Ok(())
}
