//! `cargo xtask ci`: the one gate, the same here and in CI.
//!
//! All stages run, so that one run names all that is wrong. Says how long each took; the last line counts tests, and a stage
//! without tests that failed as one failure.

use std::time::Instant;

use anyhow::Result;

use crate::project::Project;
use crate::test::{self, Tally};
use crate::{args, progress, tidy, tools, web};

/// The crates that run in the browser. They compile natively as well, but that is not what ships.
const WASM_PACKAGES: [&str; 4] = [
    "-p=ebbtide-wasm-client",
    "-p=ebbtide-dashboard",
    "-p=ebbtide-protocol",
    "-p=ebbtide-api",
];

type Check = (&'static str, fn(&Project) -> Result<()>);

/// Before the tests, in the order of how soon they fail.
const CHECKS: [Check; 5] = [
    ("format", format),
    ("tidy", |project| tidy::run(project, Vec::new())),
    ("deny", deny),
    ("clippy", clippy),
    ("clippy for wasm32", clippy_wasm),
];

pub fn run(project: &Project, arguments: Vec<String>) -> Result<()> {
    args::only(&arguments, &[])?;
    let mut total = Tally::default();
    let mut times = Vec::new();
    for (name, check) in CHECKS {
        eprintln!("\n== {name}");
        let started = Instant::now();
        let outcome = check(project);
        times.push((name, progress::elapsed(started), outcome.is_ok()));
        if let Err(error) = outcome {
            eprintln!("error: {name}: {error:#}");
            total.add(Tally::failed_stage());
        }
    }
    eprintln!("\n== test");
    let started = Instant::now();
    let tests = test::run_stages(project, &[])?;
    times.push(("test", progress::elapsed(started), tests.verdict().is_ok()));
    total.add(tests);

    eprintln!();
    for (name, time, is_ok) in times {
        let verdict = if is_ok { "" } else { "  failed" };
        eprintln!("  {name:<18} {time:>12}{verdict}");
    }
    println!("{total}");
    total.verdict()
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
    progress::show("cargo clippy", &mut cargo)
}

fn clippy_wasm(project: &Project) -> Result<()> {
    tools::ensure_wasm_target(project)?;
    let mut cargo = project.cargo();
    cargo
        .arg("clippy")
        .args(WASM_PACKAGES)
        .args(["--target", "wasm32-unknown-unknown", "--quiet"]);
    cargo.args(["--", "-D", "warnings"]);
    progress::show("cargo clippy", &mut cargo)?;
    let mut npm = project.cargo();
    npm.args([
        "clippy",
        "-p",
        "ebbtide-wasm-client",
        "--features",
        web::PACKAGE_FEATURE,
    ]);
    npm.args([
        "--target",
        "wasm32-unknown-unknown",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ]);
    progress::show("cargo clippy", &mut npm)
}

/// Licences, sources and banned crates. Not advisories: they change without us, and a gate should not.
fn deny(project: &Project) -> Result<()> {
    tools::ensure_deny(project)?;
    progress::show(
        "cargo deny",
        project
            .command("cargo-deny")
            .args(["check", "licenses", "bans", "sources"]),
    )
}
