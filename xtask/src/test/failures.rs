//! What failing tests printed, kept to be shown again after everything else: a long run scrolls it away, and a CI system often keeps
//! the end of its log only.

/// So much of each: where it failed comes first.
const LINES_MAX: usize = 60;

#[derive(Debug, Default)]
pub struct Failures {
    /// One text for each failure.
    texts: Vec<String>,
    within: Option<Runner>,
    lines: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runner {
    Libtest,
    Node,
}

impl Failures {
    /// Keeps a line if it belongs to a failure: libtest's `---- name stdout ----` and what follows, or TAP's `not ok` and its details.
    pub fn read_line(&mut self, line: &str) {
        let bare = line.trim();
        if bare.starts_with("---- ") && bare.ends_with(" stdout ----") {
            self.begin(Runner::Libtest, bare);
        } else if bare.starts_with("not ok ") {
            self.begin(Runner::Node, bare);
        } else if self.is_end(bare) {
            self.within = None;
        } else if self.within.is_some() {
            self.keep(line);
        }
    }

    /// Of another run.
    pub fn add(&mut self, other: Self) {
        self.texts.extend(other.texts);
    }

    /// All of them, in the order in which they came; nothing if there are none.
    pub fn show(&self) {
        for text in &self.texts {
            eprintln!("\n{}", text.trim_end());
        }
    }

    fn begin(&mut self, runner: Runner, line: &str) {
        self.within = Some(runner);
        self.lines = 0;
        self.texts.push(format!("{line}\n"));
    }

    fn is_end(&self, bare: &str) -> bool {
        match self.within {
            // The list of names comes next.
            Some(Runner::Libtest) => bare == "failures:" || bare.starts_with("test result:"),
            Some(Runner::Node) => bare == "...",
            None => false,
        }
    }

    fn keep(&mut self, line: &str) {
        self.lines += 1;
        if self.lines <= LINES_MAX
            && let Some(text) = self.texts.last_mut()
        {
            text.push_str(line);
            text.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(output: &str) -> Vec<String> {
        let mut failures = Failures::default();
        output.lines().for_each(|line| failures.read_line(line));
        failures.texts
    }

    #[test]
    fn keeps_what_a_failing_test_printed_and_nothing_else() {
        let libtest = "running 3 tests\n..\nfailures:\n\n---- one stdout ----\n\nthread 'one' panicked\n---- two stdout ----\nError: no\n\n\
                       failures:\n    one\n    two\n\ntest result: FAILED. 1 passed; 2 failed\nmore\n";
        let expected = [
            "---- one stdout ----\n\nthread 'one' panicked\n",
            "---- two stdout ----\nError: no\n\n",
        ];
        assert_eq!(kept(libtest), expected);
        let node = "# Subtest: a\nok 1 - a\n# Subtest: b\n    not ok 2 - b\n      ---\n      error: 'left'\n      ...\n# tests 2\n";
        assert_eq!(
            kept(node),
            ["not ok 2 - b\n      ---\n      error: 'left'\n"]
        );
    }

    #[test]
    fn a_long_one_is_cut() {
        let lines = "x\n".repeat(500);
        let texts = kept(&format!("---- one stdout ----\n{lines}"));
        assert_eq!(texts[0].lines().count(), LINES_MAX + 1);
    }
}
