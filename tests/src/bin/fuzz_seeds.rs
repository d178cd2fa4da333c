//! Writes what the wire cases send as inputs of the fuzz target `decoder`, into the folder that is named.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use ebbtide_tests::cases::{self, Version};

fn main() -> Result<()> {
    let folder = std::env::args().nth(1).context("a folder is to be named")?;
    let folder = Path::new(&folder);
    fs::create_dir_all(folder)?;
    let wire = Path::new(env!("CARGO_MANIFEST_DIR")).join("wire");
    for (number, case) in cases::parse_folder(&wire)?.iter().enumerate() {
        // The first byte tells the target that a server reads, what its version is, and that it knows that.
        let version = match case.version {
            Version::V3_1 => 0,
            Version::V3_1_1 => 1,
            Version::V5 => 2,
        };
        let mut input = vec![0x80 | version << 1];
        input.extend(case.sent());
        // The rest is long, not interesting.
        input.truncate(1_000);
        fs::write(folder.join(format!("wire-{number}")), input)?;
    }
    Ok(())
}
