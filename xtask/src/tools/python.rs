//! A virtual environment with the pinned Python packages of the tests, in the cache, one for each content of the pin file.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{alone, apt};
use crate::progress;
use crate::project::Project;

const PINS: &str = "tests/python/requirements.txt";

/// The `python` of the environment, made when it is missing.
pub fn environment(project: &Project) -> Result<PathBuf> {
    let pins = project.root.join(PINS);
    let text = fs::read_to_string(&pins).with_context(|| format!("reading {}", pins.display()))?;
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let folder = format!("python-{:016x}", hasher.finish());
    let place = project.tools.join(&folder);
    let complete = place.join("complete");
    let is_there = || complete.exists();
    alone::unless_there(&project.tools, &folder, is_there, || {
        make(project, &place)?;
        fs::write(&complete, &text).with_context(|| format!("writing {}", complete.display()))
    })?;
    Ok(python_of(&place))
}

fn python_of(place: &Path) -> PathBuf {
    place.join("bin/python")
}

fn make(project: &Project, place: &Path) -> Result<()> {
    let has_venv = project
        .command("python3")
        .args(["-c", "import ensurepip, venv"])
        .output();
    if !has_venv.is_ok_and(|output| output.status.success()) {
        // Debian has it in a package of its own.
        apt::install(&["python3-venv"])?;
    }
    // An environment holds absolute paths, so it is made in place and marked when it is whole.
    if place.exists() {
        fs::remove_dir_all(place).with_context(|| format!("removing {}", place.display()))?;
    }
    let log = project.tools.join("logs/python.log");
    let why = "real MQTT clients in Python for the tests";
    let mut venv = project.command("python3");
    venv.args(["-m", "venv"]).arg(place);
    progress::step("Python environment", why, &mut venv, &log)
        .context("Python 3 with its venv module is needed (try: apt-get install python3-venv)")?;
    let mut pip = project.command(python_of(place));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
        "-r",
    ])
    .arg(project.root.join(PINS));
    progress::step("Python packages", why, &mut pip, &log)
}
