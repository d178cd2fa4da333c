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

    /// Adds what one line says: libtest's `test result:`, or the summary of `node --test` (`# pass 15`).
    pub fn read_line(&mut self, line: &str) {
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("test result:") {
            self.passed += number_before(rest, "passed");
            self.failed += number_before(rest, "failed");
            self.skipped += number_before(rest, "ignored");
        }
        let summary = line
            .strip_prefix("# ")
            .and_then(|rest| rest.split_once(' '));
        if let Some((word, number)) = summary
            && let Ok(number) = number.parse::<u32>()
        {
            match word {
                "pass" => self.passed += number,
                "fail" | "cancelled" => self.failed += number,
                "skipped" | "todo" => self.skipped += number,
                _ => {}
            }
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
    fn reads_what_the_runners_print() {
        let mut tally = Tally::default();
        tally.read_line("running 3 tests");
        tally.read_line("test result: FAILED. 11 passed; 2 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.00s");
        tally.read_line("# Subtest: pass 3 things");
        tally.read_line("# pass 15");
        tally.read_line("# fail 1");
        assert_eq!(tally.to_string(), "26 passed, 3 failed, 1 skipped");
    }
}
