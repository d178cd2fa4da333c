//! `cargo xtask package --out DIR`: what is shipped: the release build, which has the web assets in it, its manual pages and
//! completions, and the npm tarball.

use std::fs;
use std::path::{Path, PathBuf};

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
    describe(project, &copy, &out)?;
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

/// What the program says of itself: manual pages, and a script for each shell, named as the shells look for them.
fn describe(project: &Project, program: &Path, out: &Path) -> Result<()> {
    let said = |words: &[&str]| -> Result<Vec<u8>> {
        let output = project.command(program).args(words).output();
        let output = output.with_context(|| format!("starting {}", program.display()))?;
        if !output.status.success() {
            bail!(
                "ebbtide {words:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(output.stdout)
    };
    let pages = out.join("man/man1");
    said(&[
        "man",
        "--out",
        pages.to_str().context("a path that is no text")?,
    ])?;
    let completions = out.join("completions");
    fs::create_dir_all(&completions).context("creating the folder of completions")?;
    for (shell, file) in [
        ("bash", "ebbtide.bash"),
        ("elvish", "ebbtide.elv"),
        ("fish", "ebbtide.fish"),
        ("powershell", "_ebbtide.ps1"),
        ("zsh", "_ebbtide"),
    ] {
        fs::write(completions.join(file), said(&["completions", shell])?)
            .with_context(|| format!("writing {file}"))?;
    }
    Ok(())
}
