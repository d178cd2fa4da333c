//! Placeholder.
use crate::project::Project;
use anyhow::Result;
pub fn run(_project: &Project, _arguments: Vec<String>) -> Result<()> {
    Ok(())
}
