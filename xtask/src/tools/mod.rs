//! What the builds and tests need beyond rustup, a C compiler, make and Node. Each tool: is it there in the right version? Else get it.
//!
//! Versions are pinned here. A tool on PATH is used when its version fits; what is missing goes into the per-user cache, one
//! folder for each name and version, so several clones and branches live side by side.

mod alone;
mod apt;
mod cargo_tool;
mod npm;
mod python;
mod rustup;

pub use apt::{SystemTool, ensure as ensure_system};
pub use npm::install_locked as npm_install_locked;
pub use python::environment as python_environment;
pub use rustup::{ensure_component, ensure_wasm_target, require_nightly};

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, anyhow, bail};

use crate::args;
use crate::project::Project;

/// `cargo xtask setup [build|test|all]`.
pub fn run(project: &Project, arguments: Vec<String>) -> Result<()> {
    args::only(&arguments, &["build", "test", "all"])?;
    let which = arguments.first().map_or("all", String::as_str);
    if which != "test" {
        ensure_wasm_target(project)?;
        ensure_wasm_tools(project)?;
        ensure_trunk(project)?;
    }
    if which != "build" {
        ensure_deny(project)?;
        let missing = ensure_system(&[
            SystemTool::CADDY,
            SystemTool::CHROMIUM,
            SystemTool::FAKETIME,
            SystemTool::MOSQUITTO_CLIENTS,
            SystemTool::NGINX,
            SystemTool::VALGRIND,
        ]);
        if !missing.is_empty() {
            bail!("missing: {}", missing.join("; "));
        }
        python::environment(project)?;
    }
    eprintln!("tools are in {}", project.tools.display());
    Ok(())
}

pub fn ensure_deny(project: &Project) -> Result<()> {
    cargo_tool::ensure(project, &cargo_tool::DENY)
}

pub fn ensure_fuzz(project: &Project) -> Result<()> {
    cargo_tool::ensure(project, &cargo_tool::FUZZ)
}

/// The broker of that name; found on the search path from then on.
pub fn ensure_rumqttd(project: &Project) -> Result<&'static str> {
    cargo_tool::ensure(project, &cargo_tool::RUMQTTD)?;
    Ok(cargo_tool::RUMQTTD.program)
}

pub fn ensure_trunk(project: &Project) -> Result<()> {
    cargo_tool::ensure(project, &cargo_tool::TRUNK)
}

/// wasm-bindgen and wasm-opt, installed side by side.
pub fn ensure_wasm_tools(project: &Project) -> Result<()> {
    require_node(project)?;
    thread::scope(|scope| {
        let wasm_opt = scope.spawn(|| npm::ensure_wasm_opt(project));
        cargo_tool::ensure(project, &cargo_tool::WASM_BINDGEN)?;
        wasm_opt
            .join()
            .unwrap_or_else(|_| Err(anyhow!("the thread that installs wasm-opt panicked")))
    })
}

/// Folders of the cache that belong on PATH. Wrong versions never get there: the folder names carry the version.
pub fn cached_bin_directories(project: &Project) -> Vec<PathBuf> {
    let tools = &project.tools;
    let candidates = [
        tools.join(cargo_tool::TRUNK.folder()).join("bin"),
        tools.join(cargo_tool::WASM_BINDGEN.folder()).join("bin"),
        tools.join(cargo_tool::DENY.folder()).join("bin"),
        tools.join(cargo_tool::FUZZ.folder()).join("bin"),
        tools.join(cargo_tool::RUMQTTD.folder()).join("bin"),
        tools.join(npm::BINARYEN_FOLDER).join("node_modules/.bin"),
    ];
    candidates
        .into_iter()
        .filter(|directory| directory.is_dir())
        .collect()
}

/// True if `program --version`, found on PATH or in the cache, prints `version`.
fn version_fits(project: &Project, program: &str, version: &str) -> bool {
    let output = project.command(program).arg("--version").output();
    output.is_ok_and(|output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.success() && text.split_whitespace().any(|word| word == version)
    })
}

/// Moves a finished installation into its place, so that an interrupted one is never taken for a whole one.
fn put_in_place(unfinished: &Path, place: &Path) -> Result<()> {
    if place.exists() {
        fs::remove_dir_all(place).with_context(|| format!("removing {}", place.display()))?;
    }
    fs::rename(unfinished, place)
        .with_context(|| format!("moving the installation to {}", place.display()))
}

fn require_node(project: &Project) -> Result<()> {
    let remedy =
        "install Node (20.19, or 22.12 and later) with npm, for example from https://nodejs.org";
    let output = project
        .command("node")
        .arg("--version")
        .output()
        .map_err(|_| anyhow!("Node is missing: {remedy}"))?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let major: u32 = version
        .trim_start_matches('v')
        .split('.')
        .next()
        .and_then(|part| part.parse().ok())
        .unwrap_or(0);
    if major < 20 {
        bail!("Node {version} is too old: {remedy}");
    }
    Ok(())
}
