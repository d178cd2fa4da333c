//! Builds the broker program and says where it is.

use std::path::PathBuf;

use anyhow::Result;

use crate::progress;
use crate::project::Project;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    Dev,
    Release,
}

/// Builds `ebbtide`. `web_mark` changes when the web assets do: a release build holds them and is then made anew.
pub fn build(project: &Project, profile: Profile, web_mark: &str) -> Result<PathBuf> {
    let mut cargo = project.cargo();
    cargo.args(["build", "--package", "ebbtide"]);
    if profile == Profile::Release {
        cargo.arg("--release").env("EBBTIDE_WEB_STAMP", web_mark);
    }
    progress::step(
        "broker",
        "cargo builds what changed",
        &mut cargo,
        &project.target.join("logs/broker.log"),
    )?;
    let folder = match profile {
        Profile::Dev => "debug",
        Profile::Release => "release",
    };
    Ok(project.target.join(folder).join("ebbtide"))
}
