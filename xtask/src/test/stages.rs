//! The stages of `cargo xtask test`, in the order of how soon they fail.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::environment::Environment;
use super::tally::Tally;
use crate::project::Project;
use crate::server::{self, Profile};
use crate::{tools, web};

pub struct Stage {
    pub name: &'static str,
    pub what: &'static str,
    pub run: fn(&Project, &Environment) -> Result<Tally>,
}

pub const ALL: &[Stage] = &[
    Stage {
        name: "native",
        what: "unit and property tests of all crates that run natively",
        run: native,
    },
    Stage {
        name: "wasm",
        what: "tests of the browser code, in Chromium",
        run: wasm,
    },
    Stage {
        name: "npm",
        what: "tests of the npm package",
        run: npm,
    },
    Stage {
        name: "end-to-end",
        what: "the real program with real clients, a real browser and real crashes",
        run: end_to_end,
    },
];

const BROWSER_CRATES: [&str; 2] = ["ebbtide-wasm-client", "ebbtide-dashboard"];

fn native(project: &Project, environment: &Environment) -> Result<Tally> {
    let mut cargo = project.cargo();
    cargo.args([
        "test",
        "--quiet",
        "--workspace",
        "--no-fail-fast",
        "--exclude=ebbtide-tests",
    ]);
    cargo.args(BROWSER_CRATES.map(|name| format!("--exclude={name}")));
    environment.apply(&mut cargo);
    count(&mut cargo)
}

fn wasm(project: &Project, environment: &Environment) -> Result<Tally> {
    let Some(chromedriver) = &environment.chromedriver else {
        return Ok(Tally::skipped_stage());
    };
    tools::ensure_wasm_target(project)?;
    tools::ensure_wasm_tools(project)?;
    let mut total = Tally::default();
    for name in BROWSER_CRATES {
        let mut cargo = project.cargo();
        cargo.args(["test", "-p", name, "--target", "wasm32-unknown-unknown"]);
        cargo.env(
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER",
            "wasm-bindgen-test-runner",
        );
        cargo
            .env("WASM_BINDGEN_TEST_ONLY_WEB", "1")
            .env("CHROMEDRIVER", chromedriver);
        total.add(count(&mut cargo)?);
    }
    Ok(total)
}

fn npm(project: &Project, environment: &Environment) -> Result<Tally> {
    web::build(project)?;
    let folder = project.root.join("wasm-client/npm");
    tools::npm_install_locked(project, &folder, "the package's own tests")?;
    let mut npm = project.command("npm");
    npm.args(["test", "--if-present"]).current_dir(folder);
    environment.apply(&mut npm);
    count(&mut npm)
}

fn end_to_end(project: &Project, environment: &Environment) -> Result<Tally> {
    server::build(project, Profile::Dev, &web::build(project)?)?;
    let mut cargo = project.cargo();
    cargo.args(["test", "--quiet", "-p", "ebbtide-tests", "--no-fail-fast"]);
    environment.apply(&mut cargo);
    let mut tally = count(&mut cargo)?;
    // A test without its tools returns early and is taken for passed.
    let notes = fs::read_to_string(&environment.skips).unwrap_or_default();
    for note in notes.lines() {
        eprintln!("    skipped: {note}");
        tally.passed -= 1;
        tally.skipped += 1;
    }
    Ok(tally)
}

/// Runs a command, shows what it prints, counts the tests in it. A failure that no test stands for counts as one.
fn count(command: &mut Command) -> Result<Tally> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting `{name}`"))?;
    let stdout = child.stdout.take().context("stdout is piped")?;
    let mut tally = Tally::default();
    for line in BufReader::new(stdout).lines() {
        let line = line.with_context(|| format!("reading from `{name}`"))?;
        tally.read_line(&line);
        println!("{line}");
    }
    let status = child.wait()?;
    if !status.success() && tally.failed == 0 {
        eprintln!("    `{name}` ended with {status}");
        tally.failed = 1;
    }
    Ok(tally)
}
