//! `cargo xtask advisories`: whether something is known against the crates in the lock file (RustSec).
//!
//! Fetches the database; without network it takes the copy that was fetched last, and without one it says that nothing was looked
//! at. It is no part of the short gate, for what is known changes without us.

use std::path::PathBuf;
use std::{env, fs};

use anyhow::Result;

use crate::project::Project;
use crate::{args, progress, tools};

pub fn run(project: &Project, arguments: Vec<String>) -> Result<()> {
    args::only(&arguments, &[])?;
    tools::ensure_deny(project)?;
    let fetched = project
        .command("cargo-deny")
        .args(["--log-level", "off", "fetch", "db"])
        .output();
    let mut check = project.command("cargo-deny");
    if !fetched.is_ok_and(|output| output.status.success()) {
        if !has_copy() {
            eprintln!(
                "skipped: the advisory database cannot be fetched (offline?), and there is no earlier copy of it"
            );
            return Ok(());
        }
        progress::announce(
            "advisories",
            "the database cannot be fetched (offline?): the copy that was fetched last is taken",
        );
        check.arg("--offline");
    }
    progress::show(
        "cargo deny, advisories",
        check.args(["check", "advisories"]),
    )
}

/// Where cargo-deny keeps it unless told otherwise.
fn has_copy() -> bool {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    let entries = home.and_then(|home| fs::read_dir(home.join("advisory-dbs")).ok());
    entries.is_some_and(|entries| {
        let mut folders = entries.flatten().map(|entry| entry.path());
        folders.any(|folder| folder.join("crates").is_dir())
    })
}
