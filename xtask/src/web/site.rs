//! The static site, copied as it is.

use std::path::Path;

use anyhow::Result;

use super::{Asset, copy_folder, empty_folder};
use crate::project::Project;

pub const ASSET: Asset = Asset {
    folder: "docs",
    inputs: &["www"],
    build,
};

fn build(project: &Project, output: &Path) -> Result<()> {
    empty_folder(output)?;
    let site = project.root.join("www");
    if site.is_dir() {
        copy_folder(&site, output)
    } else {
        Ok(())
    }
}
