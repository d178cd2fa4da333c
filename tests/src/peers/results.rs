//! The figures of all runs, and the file that keeps them.
//!
//! A comparison takes an hour. What was measured is in the file as soon as it is known, a line of JSON for each run, so that one
//! that was cut off goes on where it was, and rows that were disturbed can be taken out and measured again.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::Path,
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::{Peer, Row};
use crate::load::{Figures, Found, median};

/// One run.
#[derive(Serialize, Deserialize)]
struct Run {
    row: String,
    peer: String,
    /// Without any if the broker failed under the load.
    figures: Figures,
    /// On what it was measured.
    #[serde(default)]
    origin: String,
    /// Why, and what else the load says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// All runs.
#[derive(Default)]
pub struct Results {
    /// On what is measured now.
    pub origin: String,
    runs: Vec<Run>,
    file: Option<File>,
}

impl Results {
    /// What a file has, which from now on keeps what is noted. There may be no such file yet.
    pub fn kept(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.with_context(|| format!("opening {}", path.display()))?;
        let text =
            fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let runs = text.lines().map(serde_json::from_str);
        let runs = runs.collect::<Result<_, _>>();
        Ok(Self {
            origin: String::new(),
            runs: runs.with_context(|| format!("{} is not of this tool", path.display()))?,
            file: Some(file),
        })
    }

    /// Adds a run.
    pub fn note(&mut self, row: &Row, peer: &Peer, found: Found) -> Result<()> {
        let run = Run {
            row: row.name.to_owned(),
            peer: peer.name.to_owned(),
            origin: self.origin.clone(),
            figures: found.figures,
            notes: found.notes,
        };
        if let Some(file) = &mut self.file {
            let line = serde_json::to_string(&run)? + "\n";
            file.write_all(line.as_bytes()).context("keeping a run")?;
        }
        self.runs.push(run);
        Ok(())
    }

    /// How many runs there are.
    pub fn rounds(&self, row: &Row, peer: &Peer) -> usize {
        self.of(row, peer).count()
    }

    /// Whether a run lacks the figure: the broker failed under the load, or a part of it.
    pub fn lacks(&self, row: &Row, peer: &Peer, key: &str) -> bool {
        self.of(row, peer).any(|run| !run.figures.contains_key(key))
    }

    /// The largest of a figure.
    pub fn largest(&self, row: &Row, peer: &Peer, key: &str) -> Option<f64> {
        let found = self.of(row, peer).filter_map(|run| run.figures.get(key));
        found.copied().max_by(f64::total_cmp)
    }

    /// The median of a figure over the rounds.
    pub fn median(&self, row: &Row, peer: &Peer, key: &str) -> Option<f64> {
        let runs = self.of(row, peer);
        median(runs.filter_map(|run| run.figures.get(key).copied()))
    }

    /// On what the runs of a row were measured, each once.
    pub fn origins(&self, row: &Row) -> Vec<&str> {
        let mut origins: Vec<&str> = Vec::new();
        for run in self.runs.iter().filter(|run| run.row == row.name) {
            if !run.origin.is_empty() && !origins.contains(&run.origin.as_str()) {
                origins.push(&run.origin);
            }
        }
        origins
    }

    /// What was said of its runs, each once.
    pub fn notes(&self, row: &Row, peer: &Peer) -> Vec<&str> {
        let mut notes: Vec<&str> = Vec::new();
        for note in self.of(row, peer).flat_map(|run| &run.notes) {
            if !notes.contains(&note.as_str()) {
                notes.push(note);
            }
        }
        notes
    }

    fn of(&self, row: &Row, peer: &Peer) -> impl Iterator<Item = &Run> {
        let mine = move |run: &&Run| run.row == row.name && run.peer == peer.name;
        self.runs.iter().filter(mine)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::ALL, super::ROWS, *};

    #[test]
    fn what_was_kept_is_there_again() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("runs.jsonl");
        let (row, peer) = (&ROWS[0], &ALL[0]);
        let mut results = Results::kept(&path)?;
        let found = |value: f64| Found {
            figures: Figures::from([("delivered_per_s".to_owned(), value)]),
            notes: Vec::new(),
        };
        for value in [3.0, 1.0] {
            results.note(row, peer, found(value))?;
        }
        assert_eq!(results.median(row, peer, "delivered_per_s"), Some(2.0));
        for _ in 0..2 {
            let failed = Found {
                notes: vec!["it fell over".to_owned()],
                ..Found::default()
            };
            results.note(row, &ALL[1], failed)?;
        }

        let mut again = Results::kept(&path)?;
        again.note(row, peer, found(9.0))?;
        assert_eq!(again.rounds(row, peer), 3);
        assert_eq!(again.median(row, peer, "delivered_per_s"), Some(3.0));
        assert_eq!(again.rounds(row, &ALL[1]), 2);
        assert_eq!(again.notes(row, &ALL[1]), ["it fell over"]);
        assert_eq!(again.median(row, &ALL[1], "delivered_per_s"), None);
        assert_eq!(again.rounds(&ROWS[1], peer), 0);
        Ok(())
    }
}
