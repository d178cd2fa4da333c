//! `cargo xtask scale`: a lot on disk, measured with the release build.

use anyhow::{Result, bail};

use crate::project::Project;
use crate::server::{self, Profile};
use crate::web;

/// Everything but building is done by `tests/src/bin/scale.rs`.
pub fn run(project: &Project, arguments: Vec<String>) -> Result<()> {
    let broker = server::build(project, Profile::Release, &web::build(project)?)?;
    let mut cargo = project.cargo();
    cargo.args(["run", "--release", "--quiet", "-p", "ebbtide-tests"]);
    cargo.args(["--bin", "scale", "--"]);
    cargo.args(arguments).env("EBBTIDE_TEST_BROKER", broker);
    if !cargo.status()?.success() {
        bail!("not as it should be");
    }
    Ok(())
}
