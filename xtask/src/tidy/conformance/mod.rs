//! Which clause of the standards is implemented where, and what shows it: read from citations in code and tests, held
//! against all the clauses that there are, and written to `docs/conformance.md`.

mod catalogue;
mod citation;
mod page;
mod rules;
mod rust;
mod scan;
mod wire;

use anyhow::Result;

use crate::project::Project;

pub const PAGE: &str = "docs/conformance.md";

/// The page as it should be.
pub fn page(project: &Project) -> Result<String> {
    Ok(page::page(
        &catalogue::read(project)?,
        &scan::scan(project)?,
    ))
}

/// Citations of what is not there, clauses without test, cases that show nothing.
pub fn check(project: &Project) -> Result<Vec<String>> {
    Ok(rules::faults(
        &catalogue::read(project)?,
        &scan::scan(project)?,
    ))
}
