//! Fingerprints of what an asset is made of, and the note of what was built last.
//!
//! By content, not by time: a fresh checkout or a switched branch gives new times to equal files.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::project::Project;

/// Folders that hold no sources.
const SKIPPED_FOLDERS: [&str; 3] = ["node_modules", "target", "dist"];

/// A hash of the names and contents of all files at `inputs`. A missing input counts as empty.
pub fn fingerprint(project: &Project, inputs: &[&str]) -> Result<String> {
    let mut files = Vec::new();
    for input in inputs {
        collect(&project.root.join(input), &mut files)?;
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.strip_prefix(&project.root)
            .unwrap_or(&file)
            .hash(&mut hasher);
        fs::read(&file)
            .with_context(|| format!("reading {}", file.display()))?
            .hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

pub fn read(project: &Project, name: &str) -> Option<String> {
    fs::read_to_string(path(project, name)).ok()
}

pub fn write(project: &Project, name: &str, fingerprint: &str) -> Result<()> {
    let path = path(project, name);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    }
    fs::write(&path, fingerprint).with_context(|| format!("writing {}", path.display()))
}

/// Beside `web`, not in it: whatever is in there ends up in the binary.
fn path(project: &Project, name: &str) -> PathBuf {
    project.target.join("web-stamps").join(name)
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_file() {
        files.push(path.to_path_buf());
    } else if path.is_dir() {
        for entry in fs::read_dir(path).with_context(|| format!("reading {}", path.display()))? {
            let entry = entry?;
            if !SKIPPED_FOLDERS
                .iter()
                .any(|skipped| entry.file_name() == *skipped)
            {
                collect(&entry.path(), files)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_content_and_names_but_not_build_output() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let project = Project {
            root: folder.path().into(),
            target: folder.path().join("target"),
            tools: folder.path().join("tools"),
        };
        let source = folder.path().join("app/src");
        fs::create_dir_all(&source)?;
        fs::write(source.join("a.rs"), "a")?;
        let first = fingerprint(&project, &["app", "missing"])?;

        fs::create_dir_all(folder.path().join("app/node_modules"))?;
        fs::write(folder.path().join("app/node_modules/x.js"), "x")?;
        fs::write(source.join("a.rs"), "a")?;
        assert_eq!(fingerprint(&project, &["app", "missing"])?, first);

        fs::write(source.join("a.rs"), "b")?;
        let changed = fingerprint(&project, &["app", "missing"])?;
        assert_ne!(changed, first);

        fs::rename(source.join("a.rs"), source.join("b.rs"))?;
        assert_ne!(fingerprint(&project, &["app", "missing"])?, changed);
        Ok(())
    }
}
