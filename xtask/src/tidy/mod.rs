//! `cargo xtask tidy`: what neither the compiler nor clippy checks.

mod docs;
mod files;
mod imports;

use anyhow::{Result, bail};

use crate::args;
use crate::project::Project;

pub fn run(project: &Project, arguments: Vec<String>) -> Result<()> {
    args::only(&arguments, &["--write"])?;
    let mut faults = imports::check(project)?;
    faults.extend(files::check(project)?);
    if arguments.is_empty() {
        faults.extend(docs::check(project)?);
    } else {
        docs::write(project)?;
    }
    if faults.is_empty() {
        return Ok(());
    }
    for fault in &faults {
        eprintln!("  {fault}");
    }
    bail!("tidy found {} fault(s)", faults.len())
}
