//! `cargo xtask ci`: the one gate, the same here and in CI. Stops at the first stage that fails; says how long each took.

use std::time::Instant;

use anyhow::{Context, Result};

use crate::project::Project;
use crate::{args, progress, test, tidy, tools, web};

/// The crates that run in the browser. They compile natively as well, but that is not what ships.
const WASM_PACKAGES: [&str; 4] = [
    "-p=ebbtide-wasm-client",
    "-p=ebbtide-dashboard",
    "-p=ebbtide-protocol",
    "-p=ebbtide-api",
];

type Stage = (&'static str, fn(&Project) -> Result<()>);

const STAGES: [Stage; 6] = [
    ("format", format),
    ("tidy", |project| tidy::run(project, Vec::new())),
    ("deny", deny),
    ("clippy", clippy),
    ("clippy for wasm32", clippy_wasm),
    ("test", |project| test::run(project, Vec::new())),
];

pub fn run(project: &Project, arguments: Vec<String>) -> Result<()> {
    args::only(&arguments, &[])?;
    let mut times = Vec::new();
    let mut outcome = Ok(());
    for (name, stage) in STAGES {
        eprintln!("\n== {name}");
        let started = Instant::now();
        outcome = stage(project).context(name);
        times.push((name, progress::elapsed(started)));
        if outcome.is_err() {
            break;
        }
    }
    eprintln!();
    for (name, time) in times {
        eprintln!("  {name:<18} {time:>12}");
    }
    outcome
}

fn format(project: &Project) -> Result<()> {
    progress::show(
        "cargo fmt",
        project.cargo().args(["fmt", "--all", "--check"]),
    )
}

fn clippy(project: &Project) -> Result<()> {
    let mut cargo = project.cargo();
    cargo.args([
        "clippy",
        "--workspace",
        "--exclude=ebbtide-wasm-client",
        "--exclude=ebbtide-dashboard",
    ]);
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

/// Licences and advisories. Only where `cargo-deny` is installed: it takes longer to compile than all else here.
fn deny(project: &Project) -> Result<()> {
    let there = project
        .cargo()
        .args(["deny", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !there {
        eprintln!(
            "cargo-deny is not installed (cargo install --locked cargo-deny): licences are not checked"
        );
        return Ok(());
    }
    progress::show(
        "cargo deny",
        project
            .cargo()
            .args(["deny", "check", "licenses", "bans", "sources"]),
    )
}
