//! One run of `ebbtide bench`, and the figures that it prints.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::tools;

/// Figures by their names.
pub type Figures = BTreeMap<String, f64>;

/// What a run found.
#[derive(Debug, Default)]
pub struct Found {
    /// What it measured.
    pub figures: Figures,
    /// What it says beside that.
    pub notes: Vec<String>,
}

/// Runs it with these words; `wrapper` is what runs it, with its own words, or nothing.
pub fn generate(wrapper: &[&str], words: &[String]) -> Result<Found> {
    let mut command = match wrapper {
        [] => Command::new(tools::broker()),
        [program, words @ ..] => {
            let mut command = Command::new(program);
            command.args(words).arg(tools::broker());
            command
        }
    };
    let output = command
        .args(["bench", "--json"])
        .args(words)
        .stderr(Stdio::piped())
        .output()
        .context("starting the load generator")?;
    if !output.status.success() {
        // Before the error it says how far it is.
        let said = String::from_utf8_lossy(&output.stderr);
        let error = said.lines().find_map(|line| line.strip_prefix("error: "));
        bail!("{}", error.unwrap_or(said.trim()));
    }
    let line = String::from_utf8(output.stdout)?;
    let line = line.lines().next().context("the load said nothing")?;
    let found: BTreeMap<String, Value> = serde_json::from_str(line).context("its JSON")?;
    let notes = found.get("notes").and_then(Value::as_array);
    let notes = notes.into_iter().flatten();
    Ok(Found {
        notes: notes
            .filter_map(|note| note.as_str().map(str::to_owned))
            .collect(),
        figures: found
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_f64()?)))
            .collect(),
    })
}
