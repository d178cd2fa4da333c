//! `cargo xtask tidy`: what neither the compiler nor clippy checks.

mod conformance;
mod docs;
mod figures;
mod files;
mod imports;
mod links;

use anyhow::{Result, bail};

use crate::args;
use crate::project::Project;

pub fn run(project: &Project, arguments: Vec<String>) -> Result<()> {
    args::only(&arguments, &["--write"])?;
    let mut faults = Vec::new();
    if arguments.is_empty() {
        faults.extend(docs::check(project)?);
    } else {
        docs::write(project)?;
    }
    faults.extend(conformance::check(project)?);
    faults.extend(figures::check(project)?);
    faults.extend(imports::check(project)?);
    faults.extend(files::check(project)?);
    faults.extend(links::check(project)?);
    if faults.is_empty() {
        return Ok(());
    }
    for fault in &faults {
        eprintln!("  {fault}");
    }
    bail!("tidy found {} fault(s)", faults.len())
}
