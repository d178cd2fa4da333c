//! `cargo xtask package --out DIR`: what is shipped: the release build, which has the web assets in it, and the npm tarball.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::progress;
use crate::project::Project;
use crate::server::{self, Profile};
use crate::web;

pub fn run(project: &Project, arguments: Vec<String>) -> Result<()> {
    let out = match arguments.as_slice() {
        [flag, folder] if flag == "--out" => PathBuf::from(folder),
        _ => bail!("say where to: cargo xtask package --out DIR"),
    };
    let program = server::build(project, Profile::Release, &web::build(project)?)?;
    fs::create_dir_all(&out).with_context(|| format!("creating {}", out.display()))?;
    let name = program.file_name().context("a program has a name")?;
    let copy = out.join(name);
    fs::copy(&program, &copy).with_context(|| format!("writing {}", copy.display()))?;
    let mut pack = project.command("npm");
    pack.args(["pack", "--pack-destination"]).arg(&out);
    pack.current_dir(project.web().join("pkg"));
    progress::step(
        "npm tarball",
        "web apps import it",
        &mut pack,
        &project.target.join("logs/pack.log"),
    )?;
    eprintln!("packaged in {}", out.display());
    Ok(())
}
