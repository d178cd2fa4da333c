//! The static site, copied as it is, with the pictures that README shows as well.

use std::path::Path;

use anyhow::Result;

use super::{Asset, copy_folder, empty_folder};
use crate::project::Project;

pub const ASSET: Asset = Asset {
    folder: "docs",
    inputs: &["www", "docs/images"],
    build,
};

fn build(project: &Project, output: &Path) -> Result<()> {
    empty_folder(output)?;
    copy_folder(&project.root.join("www"), output)?;
    copy_folder(&project.root.join("docs/images"), &output.join("images"))
}
