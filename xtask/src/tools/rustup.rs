//! Parts of the toolchain that a minimal installation by rustup leaves out.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::progress;
use crate::project::Project;

const WASM: &str = "wasm32-unknown-unknown";

/// The standard library for wasm32.
pub fn ensure_wasm_target(project: &Project) -> Result<()> {
    let output = project
        .command("rustc")
        .args(["--print", "target-libdir", "--target", WASM])
        .output();
    let directory = output.context("starting rustc")?.stdout;
    if Path::new(String::from_utf8_lossy(&directory).trim()).is_dir() {
        return Ok(());
    }
    add(
        project,
        &["target", "add", WASM],
        "the browser code compiles to wasm32",
    )
}

/// `clippy` or `rustfmt`, by the name of its cargo command.
pub fn ensure_component(project: &Project, command: &str, component: &str) -> Result<()> {
    let output = project.cargo().args([command, "--version"]).output();
    if output.is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    add(
        project,
        &["component", "add", component],
        "the gate runs it",
    )
}

/// The fuzzer instruments code with options that only a nightly compiler has. It is not installed unasked: it is large, and
/// not part of the project's toolchain.
pub fn require_nightly(project: &Project) -> Result<()> {
    let mut command = project.command("rustup");
    let output = command
        .args(["run", "nightly", "rustc", "--version"])
        .output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        _ => bail!("fuzzing needs a nightly toolchain: `rustup toolchain install nightly`"),
    }
}

fn add(project: &Project, words: &[&str], why: &str) -> Result<()> {
    let what = format!("rustup {}", words.join(" "));
    let log = project.tools.join("logs/rustup.log");
    let mut command = project.command("rustup");
    progress::step(&what, why, command.args(words), &log)
        .with_context(|| format!("a part of the Rust toolchain is missing; try `{what}`"))
}
