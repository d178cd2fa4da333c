//! What is written down: instructions for each unit of each work, and the compiler that made them.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context, Result};

/// Per cent. Other data in the same places of the code comes out a little different: capacities, the order of a hash map.
const MARGIN: u64 = 3;

const HEAD: &str = "# Instructions of the core for one unit of each work in works.rs.\n\
                    # Compared by `cargo xtask test guard`, written by `cargo xtask bench guard --write`.\n";

#[derive(Debug, PartialEq, Eq)]
pub struct Baseline {
    pub compiler: String,
    instructions: BTreeMap<String, u64>,
}

/// What became of a figure: per cent more or less than what is written down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    Same(f64),
    /// Good news, to be written down: else it could be lost again unseen.
    Less(f64),
    More(f64),
    /// Nothing is written down.
    Unknown,
}

impl Baseline {
    pub fn empty(compiler: &str) -> Self {
        Self {
            compiler: compiler.to_owned(),
            instructions: BTreeMap::new(),
        }
    }

    pub fn set(&mut self, work: &str, instructions: u64) {
        self.instructions.insert(work.to_owned(), instructions);
    }

    pub fn parse(text: &str) -> Result<Self> {
        let mut lines = text.lines().filter(|line| !line.starts_with('#'));
        let mut baseline = Self::empty(lines.next().context("the compiler is missing")?);
        for line in lines {
            let (work, figure) = line.split_once(' ').context("a line is WORK NUMBER")?;
            let figure = figure.trim().parse();
            baseline.set(work, figure.with_context(|| format!("`{line}`"))?);
        }
        Ok(baseline)
    }

    pub fn judge(&self, work: &str, instructions: u64) -> Verdict {
        let Some(&written) = self.instructions.get(work) else {
            return Verdict::Unknown;
        };
        let more = (instructions as f64 / written as f64 - 1.0) * 100.0;
        if instructions * 100 > written * (100 + MARGIN) {
            Verdict::More(more)
        } else if instructions * 100 < written * (100 - MARGIN) {
            Verdict::Less(more)
        } else {
            Verdict::Same(more)
        }
    }
}

impl fmt::Display for Baseline {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{HEAD}{}", self.compiler)?;
        for (work, instructions) in &self.instructions {
            writeln!(formatter, "{work:<14} {instructions}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same(more) => write!(formatter, "{more:+.1} %"),
            Self::Less(more) => write!(formatter, "{more:+.1} %: better, write it down"),
            Self::More(more) => write!(formatter, "{more:+.1} %: FAILED, {MARGIN} % are allowed"),
            Self::Unknown => formatter.write_str("FAILED: nothing is written down"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline() -> Baseline {
        let mut baseline = Baseline::empty("rustc 1");
        baseline.set("p2p-0", 1000);
        baseline
    }

    #[test]
    fn what_is_written_is_read() {
        let text = baseline().to_string();
        assert_eq!(Baseline::parse(&text).expect("it is valid"), baseline());
        assert!(Baseline::parse("").is_err());
        assert!(Baseline::parse("rustc 1\np2p-0 many").is_err());
    }

    #[test]
    fn only_what_costs_more_fails() {
        let judge = |instructions| baseline().judge("p2p-0", instructions);
        assert!(matches!(judge(1030), Verdict::Same(_)));
        assert!(matches!(judge(1031), Verdict::More(_)));
        assert!(matches!(judge(970), Verdict::Same(_)));
        assert!(matches!(judge(900), Verdict::Less(_)));
        assert_eq!(baseline().judge("p2p-9", 1), Verdict::Unknown);
    }
}
