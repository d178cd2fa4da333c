//! One run of `ebbtide bench`, and the figures that it prints.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::tools;

/// Figures by their names.
pub type Figures = BTreeMap<String, f64>;

/// Runs it with these words; `wrapper` is what runs it, with its own words, or nothing.
pub fn generate(wrapper: &[&str], words: &[String]) -> Result<Figures> {
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
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("the load ended early: {}", said.trim());
    }
    let line = String::from_utf8(output.stdout)?;
    let line = line.lines().next().context("the load said nothing")?;
    let found: BTreeMap<String, Value> = serde_json::from_str(line).context("its JSON")?;
    let numbers = found.into_iter();
    Ok(numbers
        .filter_map(|(name, value)| Some((name, value.as_f64()?)))
        .collect())
}
