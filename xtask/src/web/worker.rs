//! Writes the dashboard's service worker: `dashboard/service-worker.js` with the files of this build and a name for it.
//!
//! Runs last, when every file has its final content: the worker keeps exactly what the page is made of.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::project::Project;

const SOURCE: &str = "dashboard/service-worker.js";
/// Not hashed in its name: the browser looks here for another build.
const NAME: &str = "service-worker.js";
const PAGE: &str = "index.html";
const BUILD: &str = "__BUILD__";
const FILES: &str = "__FILES__";

pub fn write(project: &Project, folder: &Path) -> Result<()> {
    let source = fs::read_to_string(project.root.join(SOURCE))
        .with_context(|| format!("reading {SOURCE}"))?;
    let page = fs::read_to_string(folder.join(PAGE)).with_context(|| format!("reading {PAGE}"))?;
    let worker = fill_in(&source, &page, files(folder)?)?;
    fs::write(folder.join(NAME), worker).with_context(|| format!("writing {NAME}"))
}

/// Their names carry a hash of what is in them, so the page and their names name the build.
fn fill_in(source: &str, page: &str, mut files: Vec<String>) -> Result<String> {
    for mark in [BUILD, FILES] {
        ensure!(
            source.matches(mark).count() == 1,
            "{SOURCE} has to name {mark} once"
        );
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    (source, page, &files).hash(&mut hasher);
    let build = format!("{:016x}", hasher.finish());
    let names: Vec<String> = files.iter().map(|name| format!("'/{name}'")).collect();
    let list = format!("[{}]", names.join(", "));
    Ok(source.replace(BUILD, &build).replace(FILES, &list))
}

fn files(folder: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        // Trunk's lock begins with a dot.
        if name != PAGE && name != NAME && !name.starts_with('.') {
            files.push(name);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKER: &str = "const BUILD = '__BUILD__';\nconst FILES = __FILES__;\n";

    fn filled(page: &str, files: &[&str]) -> Result<String> {
        let files = files.iter().map(|name| (*name).to_owned()).collect();
        fill_in(WORKER, page, files)
    }

    #[test]
    fn names_the_files_and_the_build() -> Result<()> {
        let worker = filled("page", &["b-2.js", "a-1.css"])?;
        assert!(worker.contains("const FILES = ['/a-1.css', '/b-2.js'];"));
        assert_eq!(worker, filled("page", &["a-1.css", "b-2.js"])?);
        assert_ne!(worker, filled("other page", &["a-1.css", "b-2.js"])?);
        assert_ne!(worker, filled("page", &["a-1.css", "b-3.js"])?);
        assert!(!worker.contains("__"));
        Ok(())
    }

    #[test]
    fn a_worker_without_its_marks_is_refused() {
        assert!(fill_in("const BUILD = '__BUILD__';", "", Vec::new()).is_err());
    }
}
