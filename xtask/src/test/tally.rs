//! Counting tests from what their runners print.

use std::fmt;

use anyhow::{Result, bail};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: u32,
    pub failed: u32,
    pub skipped: u32,
}

impl Tally {
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    /// A stage that ended without having counted anything.
    pub fn failed_stage() -> Self {
        Self {
            failed: 1,
            ..Self::default()
        }
    }

    /// An error unless all is well. A gate that quietly tests less is none: with CI=true a skip is a failure.
    pub fn verdict(self) -> Result<()> {
        if self.failed > 0 {
            bail!("there are failures");
        }
        if super::is_strict() && self.skipped > 0 {
            bail!("CI=true: every test must run");
        }
        Ok(())
    }

    /// Adds what one line says, if it is libtest's `test result:`.
    pub fn read_line(&mut self, line: &str) {
        if let Some(rest) = line.trim().strip_prefix("test result:") {
            self.passed += number_before(rest, "passed");
            self.failed += number_before(rest, "failed");
            self.skipped += number_before(rest, "ignored");
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

fn number_before(text: &str, word: &str) -> u32 {
    let words: Vec<&str> = text
        .split([' ', ';', '.'])
        .filter(|word| !word.is_empty())
        .collect();
    let pair = words.windows(2).find(|pair| pair[1] == word);
    pair.and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_libtest_prints() {
        let mut tally = Tally::default();
        tally.read_line("running 3 tests");
        tally.read_line("test result: FAILED. 11 passed; 2 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.00s");
        assert_eq!(tally.to_string(), "11 passed, 2 failed, 1 skipped");
    }
}
