//! `cargo xtask bench guard`, and the stage `guard` of the tests: how many instructions the core needs for each kind of work, beside
//! what is written down in `server/broker/tests/cost/instructions.txt`.
//!
//! Instructions, not time: they are the same on a busy machine. valgrind counts them. Each work is played twice, with few units
//! and with twice as many; the difference is what the units cost, without the start of the program and what the work sets up.

mod baseline;
mod count;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use self::baseline::{Baseline, Verdict};
use self::count::Counter;
use crate::args;
use crate::progress;
use crate::project::Project;
use crate::test::Tally;
use crate::tools::{self, SystemTool};

/// `--write` writes down what is measured.
pub fn run(project: &Project, arguments: Vec<String>) -> Result<()> {
    args::only(&arguments, &["--write"])?;
    let Some(counter) = counter(project)? else {
        bail!("without valgrind nothing can be counted");
    };
    if arguments.is_empty() {
        let tally = compare(project, &counter)?;
        println!("{tally}");
        return tally.verdict();
    }
    let mut baseline = Baseline::empty(&compiler(project)?);
    for work in counter.works()? {
        let each = counter.instructions(&work)?;
        println!("{:<14} {each:>9}  {}", work.name, work.unit);
        baseline.set(&work.name, each);
    }
    let path = path(project);
    fs::write(&path, baseline.to_string()).with_context(|| format!("writing {}", path.display()))
}

/// The stage: each work counts as a test. Where nothing can be counted, all of them are skipped.
pub fn stage(project: &Project) -> Result<Tally> {
    match counter(project)? {
        Some(counter) => compare(project, &counter),
        None => Ok(Tally {
            skipped: 1,
            ..Tally::default()
        }),
    }
}

fn counter(project: &Project) -> Result<Option<Counter>> {
    let missing = tools::ensure_system(&[SystemTool::VALGRIND]);
    for remedy in &missing {
        eprintln!("    skipped: no instructions are counted: {remedy}");
    }
    let Some(valgrind) = SystemTool::VALGRIND.find() else {
        return Ok(None);
    };
    let mut cargo = project.cargo();
    cargo.args(["build", "--release", "--package", "ebbtide-broker"]);
    cargo.args(["--example", "cost"]);
    progress::step(
        "the core",
        "its instructions are counted as it is shipped",
        &mut cargo,
        &project.target.join("logs/guard.log"),
    )?;
    let program = project.target.join("release/examples/cost");
    Ok(Some(Counter { valgrind, program }))
}

fn compare(project: &Project, counter: &Counter) -> Result<Tally> {
    let path = path(project);
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let baseline = Baseline::parse(&text).with_context(|| format!("in {}", path.display()))?;
    let compiler = compiler(project)?;
    let mut tally = Tally::default();
    for work in counter.works()? {
        let each = counter.instructions(&work)?;
        let verdict = baseline.judge(&work.name, each);
        println!("{:<14} {each:>9}  {verdict}", work.name);
        match verdict {
            Verdict::Same(_) | Verdict::Less(_) => tally.passed += 1,
            Verdict::More(_) | Verdict::Unknown => tally.failed += 1,
        }
    }
    if tally.failed > 0 {
        eprintln!("    what costs more needs a reason; then: cargo xtask bench guard --write");
        if baseline.compiler != compiler {
            eprintln!(
                "    the figures were written down with {}, and this is {compiler}",
                baseline.compiler
            );
        }
    }
    Ok(tally)
}

fn path(project: &Project) -> PathBuf {
    project
        .root
        .join("server/broker/tests/cost/instructions.txt")
}

/// Its version and for which machine it compiles: another one makes other instructions.
fn compiler(project: &Project) -> Result<String> {
    let output = project.command("rustc").arg("-vV").output();
    let output = output.context("asking rustc for its version")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = |name: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(name));
        found.map(str::trim).unwrap_or_default().to_owned()
    };
    Ok(format!("rustc {} for {}", line("release:"), line("host:")))
}
