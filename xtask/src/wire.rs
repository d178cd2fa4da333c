//! `cargo xtask wire`: plays the cases of `tests/wire` against a broker, ours or another.

use std::process::Command;

use anyhow::{Result, bail};

use crate::project::Project;
use crate::server::{self, Profile};

/// Everything but building is done by the runner: `tests/src/bin/wire.rs`.
pub fn run(project: &Project, arguments: Vec<String>) -> Result<()> {
    let is_ours = !arguments
        .iter()
        .any(|argument| matches!(argument.as_str(), "--addr" | "--ws" | "--list" | "--help"));
    if is_ours {
        server::build(project, Profile::Dev, "")?;
    }
    if !runner(project).args(arguments).status()?.success() {
        bail!("not as expected");
    }
    Ok(())
}

/// The runner, to be given its arguments.
pub fn runner(project: &Project) -> Command {
    let mut cargo = project.cargo();
    cargo.args([
        "run",
        "--quiet",
        "-p",
        "ebbtide-tests",
        "--bin",
        "wire",
        "--",
    ]);
    cargo.env("EBBTIDE_TEST_BROKER", project.target.join("debug/ebbtide"));
    cargo
}
