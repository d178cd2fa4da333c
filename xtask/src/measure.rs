//! `cargo xtask bench` and `cargo xtask scale`: what the release build does, as cited in docs. Everything but building is done by
//! the programs in `tests/src/bin`.

use anyhow::{Result, bail};

use crate::project::Project;
use crate::server::{self, Profile};
use crate::test::Environment;
use crate::web;

pub fn bench(project: &Project, arguments: Vec<String>) -> Result<()> {
    run(project, "bench", arguments)
}

pub fn scale(project: &Project, arguments: Vec<String>) -> Result<()> {
    run(project, "scale", arguments)
}

fn run(project: &Project, program: &str, arguments: Vec<String>) -> Result<()> {
    let broker = server::build(project, Profile::Release, &web::build(project)?)?;
    let mut cargo = project.cargo();
    cargo.args(["run", "--release", "--quiet", "-p", "ebbtide-tests"]);
    cargo.args(["--bin", program, "--"]);
    // The browser, and what runs in it.
    Environment::prepare(project)?.apply(&mut cargo);
    cargo.args(arguments).env("EBBTIDE_TEST_BROKER", broker);
    if !cargo.status()?.success() {
        bail!("not as it should be");
    }
    Ok(())
}
