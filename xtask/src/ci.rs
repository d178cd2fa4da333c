//! `cargo xtask ci`: the one gate, the same here and in CI.
//!
//! All stages run, so that one run names all that is wrong. Says how long each took; the last line counts tests, and a stage
//! without tests that failed as one failure. `--full` adds what takes long.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;

use crate::project::Project;
use crate::test::{self, PROPERTY_SEED, Tally};
use crate::{
    advisories, args, crash, fuzz, image, measure, progress, reference, simulate, tidy, tools,
};

/// The crates that run in the browser. They compile natively as well, but that is not what ships.
const WASM_PACKAGES: [&str; 4] = [
    "-p=ebbtide-wasm-client",
    "-p=ebbtide-dashboard",
    "-p=ebbtide-protocol",
    "-p=ebbtide-api",
];

/// A stage without tests of its own.
struct Check {
    name: &'static str,
    run: fn(&Project) -> Result<()>,
}

/// Before the tests, in the order of how soon they fail.
const CHECKS: [Check; 6] = [
    Check {
        name: "format",
        run: format,
    },
    Check {
        name: "tidy",
        run: |project| tidy::run(project, Vec::new()),
    },
    Check {
        name: "deny",
        run: deny,
    },
    Check {
        name: "reference",
        run: |project| reference::run(project, words(["--check"])),
    },
    Check {
        name: "clippy",
        run: clippy,
    },
    Check {
        name: "clippy for wasm32",
        run: clippy_wasm,
    },
];

/// After the tests, with `--full`: what takes long, needs a nightly toolchain, or runs other brokers.
const FULL: [Check; 9] = [
    Check {
        name: "advisories",
        run: |project| advisories::run(project, Vec::new()),
    },
    Check {
        name: "image",
        run: image::run_if_possible,
    },
    Check {
        name: "properties",
        run: properties,
    },
    Check {
        name: "simulate",
        run: |project| simulate::run(project, Vec::new()),
    },
    Check {
        name: "fuzz",
        run: |project| fuzz::run(project, Vec::new()),
    },
    Check {
        name: "crash",
        run: |project| crash::run(project, words(["--kills", "200"])),
    },
    Check {
        name: "crash, peers",
        run: |project| crash::run(project, words(["--peers"])),
    },
    Check {
        name: "scale",
        run: |project| measure::scale(project, Vec::new()),
    },
    Check {
        name: "bench",
        run: |project| measure::bench(project, Vec::new()),
    },
];

pub fn run(project: &Project, arguments: Vec<String>) -> Result<()> {
    args::only(&arguments, &["--full"])?;
    let mut run = Run::default();
    for check in &CHECKS {
        run.check(project, check);
    }
    eprintln!("\n== test");
    let started = Instant::now();
    let tests = test::run_stages(project, &[])?;
    run.done("test", started, tests.verdict().is_ok());
    run.total.add(tests);
    if !arguments.is_empty() {
        for check in &FULL {
            run.check(project, check);
        }
    }
    eprintln!();
    for line in &run.lines {
        eprintln!("  {line}");
    }
    println!("{}", run.total);
    run.total.verdict()
}

/// What has run so far.
#[derive(Default)]
struct Run {
    total: Tally,
    lines: Vec<String>,
}

impl Run {
    fn check(&mut self, project: &Project, check: &Check) {
        eprintln!("\n== {}", check.name);
        let started = Instant::now();
        let outcome = (check.run)(project);
        self.done(check.name, started, outcome.is_ok());
        if let Err(error) = outcome {
            eprintln!("error: {}: {error:#}", check.name);
            self.total.add(Tally::failed_stage());
        }
    }

    fn done(&mut self, name: &str, started: Instant, is_ok: bool) {
        let verdict = if is_ok { "" } else { "  failed" };
        let time = progress::elapsed(started);
        self.lines.push(format!("{name:<18} {time:>12}{verdict}"));
    }
}

fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

fn format(project: &Project) -> Result<()> {
    tools::ensure_component(project, "fmt", "rustfmt")?;
    progress::show(
        "cargo fmt",
        project.cargo().args(["fmt", "--all", "--check"]),
    )
}

fn clippy(project: &Project) -> Result<()> {
    tools::ensure_component(project, "clippy", "clippy")?;
    let mut cargo = project.cargo();
    cargo.args(["clippy", "--workspace"]);
    cargo.args(["--all-targets", "--quiet", "--", "-D", "warnings"]);
    progress::show("cargo clippy", &mut cargo)?;
    // By itself too, as its examples are built: the features that it needs must not be another crate's.
    let mut cargo = project.cargo();
    cargo.args(["clippy", "-p", "ebbtide-store", "--features", "redb"]);
    cargo.args(["--all-targets", "--quiet", "--", "-D", "warnings"]);
    progress::show("cargo clippy, the store alone", &mut cargo)
}

fn clippy_wasm(project: &Project) -> Result<()> {
    tools::ensure_wasm_target(project)?;
    // The npm package's wasm by itself: it has no standard library, which the dashboard's crates would bring in.
    for packages in [&WASM_PACKAGES[..], &["-p=ebbtide-npm"]] {
        let mut cargo = project.cargo();
        cargo
            .arg("clippy")
            .args(packages)
            .args(["--target", "wasm32-unknown-unknown", "--quiet"]);
        cargo.args(["--", "-D", "warnings"]);
        progress::show("cargo clippy", &mut cargo)?;
    }
    Ok(())
}

/// The property tests with cases that no run before had. The seed is shown, to have them again.
fn properties(project: &Project) -> Result<()> {
    let seed = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    eprintln!("    {PROPERTY_SEED}={seed}");
    let mut cargo = project.cargo();
    cargo.args(["test", "--quiet", "--workspace", "--exclude=ebbtide-tests"]);
    progress::show("cargo test", cargo.env(PROPERTY_SEED, seed.to_string()))
}

/// Licences, sources and banned crates. Not advisories: they change without us, and a gate should not; `--full` has them.
fn deny(project: &Project) -> Result<()> {
    tools::ensure_deny(project)?;
    progress::show(
        "cargo deny",
        project
            .command("cargo-deny")
            .args(["check", "licenses", "bans", "sources"]),
    )
}
