//! `cargo xtask reference`: the API reference of the npm package, written by TypeDoc from its types.
//!
//! It is committed, so that it can be read where the repository is; `--check` fails when it is not what the types say.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::project::Project;
use crate::{args, progress, tools};

const PAGES: &str = "docs/client/reference";

pub fn run(project: &Project, arguments: Vec<String>) -> Result<()> {
    args::only(&arguments, &["--check"])?;
    let written = project.target.join("reference");
    let tool = project.root.join("wasm-client/npm/reference");
    // TypeDoc reads the types of what the package is made with, React among it.
    tools::npm_install_locked(project, &project.root.join("wasm-client/npm"), "React")?;
    tools::npm_install_locked(project, &tool, "TypeDoc writes the API reference")?;
    let mut typedoc = project.command(tool.join("node_modules/.bin/typedoc"));
    typedoc
        .current_dir(&tool)
        .args(["--logLevel", "Error", "--out"])
        .arg(&written);
    progress::step(
        "API reference",
        "from the types of the npm package",
        &mut typedoc,
        &project.target.join("logs/reference.log"),
    )?;
    let (new, pages) = (read(&written)?, project.root.join(PAGES));
    if arguments.is_empty() {
        if pages.exists() {
            fs::remove_dir_all(&pages).with_context(|| format!("removing {}", pages.display()))?;
        }
        fs::create_dir_all(&pages)?;
        for (name, text) in new {
            fs::write(pages.join(&name), text).with_context(|| format!("writing {name}"))?;
        }
    } else if read(&pages)? != new {
        bail!("{PAGES}: not what the types say; run `cargo xtask reference`");
    }
    Ok(())
}

/// The pages of a folder by name; none when there is no folder.
fn read(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut pages = BTreeMap::new();
    if !folder.exists() {
        return Ok(pages);
    }
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        pages.insert(name, fs::read_to_string(entry.path())?);
    }
    Ok(pages)
}
