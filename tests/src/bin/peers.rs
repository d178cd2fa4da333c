//! Measures Ebbtide beside other brokers: `peers [--rounds N] [--seconds S] [--keep FILE] [--write FILE] [ROW …]`. Prints the table.
//! With `--keep` each run is in that file, and one that was cut off goes on. With `--write` the rows of a document in Markdown are
//! replaced, and its picture is drawn from all that stands in it then; `peers --draw FILE` does only this.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use ebbtide_tests::peers::{self, ALL, Peer, Plan, ROWS, Row, document, origin, plot};

/// The picture of a document, from its folder.
const PICTURE: &str = "images/peers.svg";

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
    let (mut rounds, mut seconds) = (5, 4.0);
    let [mut keep, mut write]: [Option<PathBuf>; 2] = [const { None }; 2];
    let mut rows: Vec<&'static Row> = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .with_context(|| format!("{argument} of what?"))
        };
        match argument.as_str() {
            "--rounds" => rounds = value()?.parse().context("--rounds takes a number")?,
            "--seconds" => seconds = value()?.parse().context("--seconds takes a number")?,
            "--keep" => keep = Some(value()?.into()),
            "--draw" => return draw(Path::new(&value()?)),
            "--write" => write = Some(value()?.into()),
            name => match ROWS.iter().find(|row| row.name == name) {
                Some(row) => rows.push(row),
                None => {
                    let known: Vec<_> = ROWS.iter().map(|row| row.name).collect();
                    bail!("`{name}` is no row: {}", known.join(", "));
                }
            },
        }
    }
    if rows.is_empty() {
        rows = ROWS.iter().collect();
    }
    let peers: Vec<&'static Peer> = ALL.iter().filter(|peer| peer.is_there()).collect();
    let outcome = peers::run(&Plan {
        peers: &peers,
        rows: &rows,
        rounds,
        seconds,
        keep: keep.as_deref(),
    })?;
    println!("{}", outcome.tables);
    for note in &outcome.notes {
        println!("{note}");
    }
    for peer in peers {
        println!("- {}: {}", peer.name, peer.settings);
    }
    if let Some(file) = write {
        let name = || format!("writing {}", file.display());
        let before = fs::read_to_string(&file).with_context(name)?;
        let after = document::with(&before, &outcome.tables, &outcome.notes);
        let origins = outcome.origins.iter();
        let origins: Vec<_> = origins
            .map(|(row, origin)| (*row, origin.as_str()))
            .collect();
        let after = origin::with(&after.with_context(name)?, &origins).with_context(name)?;
        fs::write(&file, after).with_context(name)?;
        draw(&file)?;
    }
    Ok(())
}

/// Draws the picture of a document.
fn draw(document: &Path) -> Result<()> {
    let name = || format!("drawing the picture of {}", document.display());
    let text = fs::read_to_string(document).with_context(name)?;
    let picture = document.with_file_name(PICTURE);
    fs::write(picture, plot::ratios(&text)?).with_context(name)
}
