//! What comes from npm: wasm-opt for the build, and the locked packages of a folder (`npm ci`).

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::{alone, put_in_place, version_fits};
use crate::progress;
use crate::project::Project;

/// Binaryen by npm: distributions ship old versions, and Debian's 108 miscompiles our wasm.
const BINARYEN_VERSION: &str = "132.0.0";
const WASM_OPT_VERSION: &str = "132";
pub const BINARYEN_FOLDER: &str = "binaryen-132.0.0";

const NPM_QUIET: [&str; 4] = [
    "--no-audit",
    "--no-fund",
    "--no-update-notifier",
    "--loglevel=error",
];

pub fn ensure_wasm_opt(project: &Project) -> Result<()> {
    let is_there = || version_fits(project, "wasm-opt", WASM_OPT_VERSION);
    alone::unless_there(&project.tools, BINARYEN_FOLDER, is_there, || {
        install_wasm_opt(project)
    })
}

fn install_wasm_opt(project: &Project) -> Result<()> {
    let unfinished = project.tools.join(format!("{BINARYEN_FOLDER}.unfinished"));
    fs::create_dir_all(&unfinished)
        .with_context(|| format!("creating {}", unfinished.display()))?;
    let mut command = project.command("npm");
    command
        .arg("install")
        .args(NPM_QUIET)
        .arg("--no-save")
        .arg("--prefix")
        .arg(&unfinished);
    command
        .arg(format!("binaryen@{BINARYEN_VERSION}"))
        .current_dir(&unfinished);
    let log = project.tools.join("logs/binaryen.log");
    progress::step(
        &format!("wasm-opt {WASM_OPT_VERSION}"),
        "it makes the wasm small",
        &mut command,
        &log,
    )?;
    put_in_place(&unfinished, &project.tools.join(BINARYEN_FOLDER))
}

/// `npm ci` in a folder with a lock file, unless that very lock is installed already.
pub fn install_locked(project: &Project, folder: &Path, why: &str) -> Result<()> {
    let lock = folder.join("package-lock.json");
    let wanted =
        fs::read_to_string(&lock).with_context(|| format!("reading {}", lock.display()))?;
    let stamp = folder.join("node_modules/.xtask-lock");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let name = folder
        .strip_prefix(&project.root)
        .unwrap_or(folder)
        .display()
        .to_string();
    let mut command = project.command("npm");
    command.arg("ci").args(NPM_QUIET).current_dir(folder);
    let log = project
        .tools
        .join(format!("logs/npm-{}.log", name.replace('/', "-")));
    progress::step(&format!("npm packages of {name}"), why, &mut command, &log)?;
    fs::write(&stamp, wanted).with_context(|| format!("writing {}", stamp.display()))
}
