//! Builds the web assets that the broker serves: `<target>/web/{dashboard,pkg,docs}`.
//!
//! An asset is built again only when the content of something it is made of changed. Tools are asked for only then, so an
//! unchanged tree needs none.

mod compress;
mod dashboard;
mod package;
mod paths;
mod script;
mod site;
mod stamp;
mod worker;

use std::fs;
use std::path::Path;
use std::thread;

use anyhow::{Context, Result, anyhow};

use crate::args;
use crate::progress;
use crate::project::Project;
use crate::tools;

/// One folder under `<target>/web`.
struct Asset {
    folder: &'static str,
    /// Files and folders, relative to the repository, whose content decides what comes out.
    inputs: &'static [&'static str],
    build: fn(&Project, &Path) -> Result<()>,
}

/// `cargo xtask web`.
pub fn run(project: &Project, arguments: Vec<String>) -> Result<()> {
    args::only(&arguments, &[])?;
    build(project)?;
    println!("{}", project.web().display());
    Ok(())
}

/// Trunk builds with `--offline`, so that it never fetches tools of its own; and where the sources are is left out of what is built.
fn fetch(project: &Project) -> Result<()> {
    let mut fetch = project.cargo();
    progress::step(
        "crates",
        "what the browser code depends on",
        fetch.args(["fetch", "--quiet"]),
        &project.target.join("logs/fetch.log"),
    )
}

/// Brings all assets up to date. Returns a mark that changes whenever one of them does.
pub fn build(project: &Project) -> Result<String> {
    let stale_dashboard = stale(project, &dashboard::ASSET)?;
    let stale_package = stale(project, &package::ASSET)?;
    if stale_dashboard || stale_package {
        tools::ensure_wasm_target(project)?;
        fetch(project)?;
        thread::scope(|scope| {
            // Trunk takes longest to compile: the package is built meanwhile.
            let trunk = scope.spawn(|| {
                if stale_dashboard {
                    tools::ensure_trunk(project)
                } else {
                    Ok(())
                }
            });
            tools::ensure_wasm_tools(project)?;
            refresh(project, &package::ASSET)?;
            trunk
                .join()
                .unwrap_or_else(|_| Err(anyhow!("the thread that installs Trunk panicked")))
        })?;
        refresh(project, &dashboard::ASSET)?;
    }
    refresh(project, &site::ASSET)?;
    let assets = [&dashboard::ASSET, &package::ASSET, &site::ASSET];
    assets
        .iter()
        .map(|asset| stamp::fingerprint(project, asset.inputs))
        .collect::<Result<Vec<_>>>()
        .map(|marks| marks.join("-"))
}

fn stale(project: &Project, asset: &Asset) -> Result<bool> {
    let current = stamp::fingerprint(project, asset.inputs)?;
    Ok(!project.web().join(asset.folder).is_dir()
        || !compress::is_done(project, asset.folder)
        || stamp::read(project, asset.folder).as_deref() != Some(&current))
}

fn refresh(project: &Project, asset: &Asset) -> Result<()> {
    if !stale(project, asset)? {
        return Ok(());
    }
    // Taken before the build: what changes meanwhile is built the next time.
    let fingerprint = stamp::fingerprint(project, asset.inputs)?;
    let output = project.web().join(asset.folder);
    fs::create_dir_all(&output).with_context(|| format!("creating {}", output.display()))?;
    (asset.build)(project, &output)
        .with_context(|| format!("building the web asset `{}`", asset.folder))?;
    compress::folder(project, asset.folder)?;
    stamp::write(project, asset.folder, &fingerprint)
}

/// Copies a folder and all that is in it.
fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("creating {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)
                .with_context(|| format!("copying to {}", target.display()))?;
        }
    }
    Ok(())
}

/// Leaves an empty folder.
fn empty_folder(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))
}
