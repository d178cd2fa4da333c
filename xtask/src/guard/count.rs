//! Playing a work under valgrind, and reading how many instructions that took.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail, ensure};

pub struct Counter {
    pub valgrind: PathBuf,
    /// The example `cost` of the broker.
    pub program: PathBuf,
}

/// A work as the program names it.
#[derive(Debug, PartialEq, Eq)]
pub struct Work {
    pub name: String,
    pub unit: String,
    /// How often it is played.
    count: u64,
}

impl Counter {
    /// All that the program knows.
    pub fn works(&self) -> Result<Vec<Work>> {
        let output = finished(&mut Command::new(&self.program))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let works: Vec<Work> = text.lines().map(work).collect::<Result<_>>()?;
        ensure!(!works.is_empty(), "there is no work");
        Ok(works)
    }

    /// Of one unit.
    pub fn instructions(&self, work: &Work) -> Result<u64> {
        let few = self.play(work, work.count)?;
        let many = self.play(work, 2 * work.count)?;
        let more = many.checked_sub(few);
        let more = more.with_context(|| format!("{}: more cost less", work.name))?;
        Ok(more / work.count)
    }

    fn play(&self, work: &Work, count: u64) -> Result<u64> {
        let mut valgrind = Command::new(&self.valgrind);
        valgrind
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(&self.program)
            .args([&work.name, &count.to_string()]);
        let output = finished(&mut valgrind)?;
        collected(&String::from_utf8_lossy(&output.stderr))
    }
}

fn work(line: &str) -> Result<Work> {
    let mut words = line.splitn(3, ' ');
    let mut word = || words.next().context("a work is NAME COUNT UNIT");
    Ok(Work {
        name: word()?.to_owned(),
        count: word()?.parse().with_context(|| format!("`{line}`"))?,
        unit: word()?.to_owned(),
    })
}

/// `==7== Collected : 14209`
fn collected(said: &str) -> Result<u64> {
    let line = said.lines().find(|line| line.contains("Collected :"));
    let number = line.and_then(|line| line.rsplit(' ').next());
    let number = number.with_context(|| format!("valgrind has counted nothing:\n{said}"))?;
    number.parse().context("a number of instructions")
}

fn finished(command: &mut Command) -> Result<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("starting `{name}`"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{name}` ended with {}: {}", output.status, said.trim());
    }
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_programs_say() {
        let said = "==7== Events    : Ir\n==7== Collected : 14209\n==7== \n";
        assert_eq!(collected(said).expect("a number"), 14_209);
        assert!(collected("==7== killed").is_err());
        let expected = Work {
            name: "p2p-0".to_owned(),
            unit: "message from one to one".to_owned(),
            count: 1000,
        };
        assert_eq!(
            work("p2p-0 1000 message from one to one").expect("valid"),
            expected
        );
        assert!(work("p2p-0").is_err());
    }
}
