//! Generated pages must equal what generates them. `cargo xtask tidy --write` brings them up to date.

use std::fs;

use anyhow::{Context, Result, bail};

use super::conformance;
use crate::project::Project;
use crate::server::{self, Profile};

/// A page and the words after `ebbtide` that print it.
const GENERATED: &[(&str, &[&str])] = &[
    ("docs/cli.md", &["man", "--markdown"]),
    ("docs/configuration.md", &["config", "reference"]),
];

pub fn check(project: &Project) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for (page, text) in generate(project)? {
        if fs::read_to_string(project.root.join(page)).unwrap_or_default() != text {
            faults.push(format!(
                "{page}: not current; run `cargo xtask tidy --write`"
            ));
        }
    }
    Ok(faults)
}

pub fn write(project: &Project) -> Result<()> {
    for (page, text) in generate(project)? {
        fs::write(project.root.join(page), text).with_context(|| format!("writing {page}"))?;
    }
    Ok(())
}

fn generate(project: &Project) -> Result<Vec<(&'static str, String)>> {
    let program = server::build(project, Profile::Dev, "")?;
    let mut pages = Vec::new();
    for (page, words) in GENERATED {
        let output = project
            .command(&program)
            .args(*words)
            .output()
            .with_context(|| format!("generating {page}"))?;
        if !output.status.success() {
            bail!(
                "generating {page}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        pages.push((
            *page,
            String::from_utf8(output.stdout).context("a page that is no UTF-8")?,
        ));
    }
    pages.push((conformance::PAGE, conformance::page(project)?));
    Ok(pages)
}
