//! The Yew dashboard, built by Trunk.

use std::path::Path;

use anyhow::Result;

use super::{Asset, paths, script, worker};
use crate::progress;
use crate::project::Project;

pub const ASSET: Asset = Asset {
    folder: "dashboard",
    inputs: &[
        "dashboard",
        "wasm-client/src",
        "wasm-client/Cargo.toml",
        "protocol/src",
        "protocol/Cargo.toml",
        "server/api",
        "Cargo.toml",
        "Cargo.lock",
        "Trunk.toml",
        "rust-toolchain.toml",
        "xtask/src/web",
        "xtask/src/tools/cargo_tool.rs",
        "xtask/src/tools/npm.rs",
    ],
    build,
};

fn build(project: &Project, output: &Path) -> Result<()> {
    let mut trunk = project.command("trunk");
    trunk.args(["build", "--release", "--dist"]).arg(output);
    // Some CI systems set NO_COLOR to a number, which Trunk refuses.
    trunk.env_remove("NO_COLOR");
    paths::shorten(&mut trunk);
    let log = project.target.join("logs/dashboard.log");
    progress::step(
        "dashboard",
        "its sources changed since the last build",
        &mut trunk,
        &log,
    )?;
    script::move_inline_modules_to_files(output)?;
    worker::write(project, output)
}
