//! The standard library for wasm32, by rustup.

use anyhow::{Context, Result};

use crate::progress;
use crate::project::Project;

const TARGET: &str = "wasm32-unknown-unknown";

pub fn ensure(project: &Project) -> Result<()> {
    let output = project
        .command("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .output();
    let directory = output.context("starting rustc")?.stdout;
    if std::path::Path::new(String::from_utf8_lossy(&directory).trim()).is_dir() {
        return Ok(());
    }
    let log = project.tools.join("logs/wasm-target.log");
    let mut command = project.command("rustup");
    progress::step("wasm target", "the browser code compiles to wasm32", command.args(["target", "add", TARGET]), &log)
        .with_context(|| format!("the Rust standard library for {TARGET} is missing; get it with `rustup target add {TARGET}`"))
}
