//! Compresses what the broker serves, once and at its best: `<target>/web/br/…` has the same files as Brotli. A client that takes
//! Brotli gets those (server/src/http/assets.rs); the broker itself never compresses anything.

use std::path::Path;

use anyhow::{Result, bail};

use crate::project::Project;

/// Beside the folders of the assets.
const FOLDER: &str = "br";
const SCRIPT: &str = "xtask/src/web/compress.mjs";

/// The folder of one asset.
pub fn folder(project: &Project, asset: &str) -> Result<()> {
    let from = project.web().join(asset);
    let to = project.web().join(FOLDER).join(asset);
    run(project, &from, &to)
}

/// Whether that has been done.
pub fn is_done(project: &Project, asset: &str) -> bool {
    project.web().join(FOLDER).join(asset).is_dir()
}

fn run(project: &Project, from: &Path, to: &Path) -> Result<()> {
    let mut node = project.command("node");
    node.arg(project.root.join(SCRIPT)).arg(from).arg(to);
    if !node.status()?.success() {
        bail!("{} could not be compressed", from.display());
    }
    Ok(())
}
