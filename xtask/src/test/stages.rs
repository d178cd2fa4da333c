//! The stages of `cargo xtask test`, in the order of how soon they fail.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use super::environment::Environment;
use super::failures::Failures;
use super::tally::Tally;
use crate::project::Project;
use crate::server::{self, Profile};
use crate::{guard, tools, web};

/// How many tests of a program run at the same time.
const TEST_THREADS: &str = "RUST_TEST_THREADS";

pub struct Stage {
    pub name: &'static str,
    pub what: &'static str,
    /// What it may take on two idle cores, building included. More is said aloud, and fails nothing: time is noisy.
    pub budget: Duration,
    pub run: fn(&Project, &Environment) -> Result<Tally>,
}

pub const ALL: &[Stage] = &[
    Stage {
        name: "native",
        what: "unit and property tests of all crates, the logic of the browser code among them",
        budget: Duration::from_mins(8),
        run: native,
    },
    Stage {
        name: "guard",
        what: "instructions of the core for each kind of work, against what is written down",
        budget: Duration::from_mins(3),
        run: |project, _| guard::stage(project),
    },
    Stage {
        name: "npm",
        what: "the TypeScript of the npm package, against a stand-in for its wasm",
        budget: Duration::from_mins(1),
        run: npm,
    },
    Stage {
        name: "wire",
        what: "bytes right and wrong over TCP, TLS and WebSocket, as tests/wire says",
        budget: Duration::from_mins(2),
        run: wire,
    },
    Stage {
        name: "end-to-end",
        what: "the real program with real clients, a real browser and real crashes",
        budget: Duration::from_mins(6),
        run: end_to_end,
    },
    Stage {
        name: "client",
        what: "the browser client in Chromium: offline, crashes, tabs, and networks that fail, on two brokers",
        budget: Duration::from_mins(4),
        run: client,
    },
];

fn native(project: &Project, environment: &Environment) -> Result<Tally> {
    let mut cargo = project.cargo();
    cargo.args([
        "test",
        "--quiet",
        "--workspace",
        "--no-fail-fast",
        "--exclude=ebbtide-tests",
    ]);
    environment.apply(&mut cargo);
    count(&mut cargo, environment)
}

fn npm(project: &Project, environment: &Environment) -> Result<Tally> {
    let folder = project.root.join("wasm-client/npm");
    tools::npm_install_locked(project, &folder, "the package's own tests")?;
    let mut npm = project.command("npm");
    npm.arg("test").current_dir(folder);
    environment.apply(&mut npm);
    count(&mut npm, environment)
}

fn wire(project: &Project, environment: &Environment) -> Result<Tally> {
    server::build(project, Profile::Dev, "")?;
    let mut runner = crate::wire::runner(project);
    environment.apply(&mut runner);
    count(&mut runner, environment)
}

fn end_to_end(project: &Project, environment: &Environment) -> Result<Tally> {
    server::build(project, Profile::Dev, &web::build(project)?)?;
    let mut cargo = project.cargo();
    cargo.args(["test", "--quiet", "-p", "ebbtide-tests", "--no-fail-fast"]);
    // One more at a time than there are cores: most of the time a test waits. Those that measure run alone anyway.
    if std::env::var_os(TEST_THREADS).is_none() {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        cargo.env(TEST_THREADS, (cores + 1).to_string());
    }
    environment.apply(&mut cargo);
    let mut tally = count(&mut cargo, environment)?;
    // A test without its tools returns early and is taken for passed.
    let notes = fs::read_to_string(&environment.skips).unwrap_or_default();
    for note in notes.lines() {
        eprintln!("    skipped: {note}");
        tally.passed -= 1;
        tally.skipped += 1;
    }
    Ok(tally)
}

fn client(project: &Project, environment: &Environment) -> Result<Tally> {
    server::build(project, Profile::Dev, &web::build(project)?)?;
    let (timed, others) = client_tests(project)?;
    let mut tally = Tally::default();
    // Two at a time on two cores: most of the time a scenario waits. What is measured runs alone.
    for (files, at_a_time) in [(timed, 1), (others, 2)] {
        let mut node = project.command("node");
        node.current_dir(project.root.join("tests/node"))
            .args(["--test", "--test-reporter=tap"])
            .arg(format!("--test-concurrency={at_a_time}"))
            .args(files)
            .env("EBBTIDE_TEST_PACKAGE", project.web().join("pkg"));
        environment.apply(&mut node);
        tally.add(count(&mut node, environment)?);
    }
    Ok(tally)
}

/// The files of `tests/node/client` that hold tests: those that measure a time, and the others.
fn client_tests(project: &Project) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let folder = project.root.join("tests/node/client");
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".test.mjs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files
        .into_iter()
        .partition(|path| path.to_string_lossy().ends_with(".timed.test.mjs")))
}

/// Runs a command, shows what it prints, counts the tests in it, keeps what failed. A failure that no test stands for counts as one.
fn count(command: &mut Command, environment: &Environment) -> Result<Tally> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting `{name}`"))?;
    let stdout = child.stdout.take().context("stdout is piped")?;
    let mut tally = Tally::default();
    let mut failures = Failures::default();
    for line in BufReader::new(stdout).lines() {
        let line = line.with_context(|| format!("reading from `{name}`"))?;
        tally.read_line(&line);
        failures.read_line(&line);
        println!("{line}");
    }
    environment.failures.borrow_mut().add(failures);
    let status = child.wait()?;
    if !status.success() && tally.failed == 0 {
        eprintln!("    `{name}` ended with {status}");
        tally.failed = 1;
    }
    Ok(tally)
}
