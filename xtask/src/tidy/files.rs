//! Every source file says what it is for, stays short, and leaves no note about work undone.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::project::Project;

const LINES_MAX: usize = 500;
const HEADER_LINES_MAX: usize = 25;
/// Written in two parts so that this file passes its own check.
const UNDONE: [&str; 4] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("#[ig", "nore]"),
];
const CODE: [&str; 8] = ["rs", "ts", "js", "mjs", "css", "html", "py", "toml"];

/// Every file that belongs to the repository, or would after `git add`.
pub fn listed(project: &Project) -> Result<Vec<String>> {
    let output = project
        .command("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .output();
    let output = output.context("starting git")?;
    if !output.status.success() {
        bail!(
            "git ls-files failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let text = String::from_utf8(output.stdout).context("a file name that is no UTF-8")?;
    Ok(text.lines().map(str::to_owned).collect())
}

pub fn check(project: &Project) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for path in listed(project)? {
        let extension = Path::new(&path)
            .extension()
            .and_then(|extension| extension.to_str())
            .unwrap_or_default();
        if !CODE.contains(&extension) {
            continue;
        }
        // Listed by git, yet deleted in the working tree: nothing to check.
        let Ok(text) = fs::read_to_string(project.root.join(&path)) else {
            continue;
        };
        faults.extend(faults_of(&path, extension, &text));
    }
    Ok(faults)
}

fn faults_of(path: &str, extension: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let lines = text.lines().count();
    if lines > LINES_MAX {
        faults.push(format!(
            "{path}: {lines} lines, above {LINES_MAX}: what second thing does it do?"
        ));
    }
    if extension == "rs" {
        let header = text
            .lines()
            .take_while(|line| line.starts_with("//!") || line.starts_with("#!"))
            .count();
        if !text.starts_with("//!") && !text.starts_with("#!") {
            faults.push(format!("{path}: does not open with `//!` and what it owns"));
        } else if header > HEADER_LINES_MAX {
            faults.push(format!(
                "{path}: {header} lines of header: that is a page for docs/"
            ));
        }
        if text.contains(concat!("(see the ", "crate description)")) {
            faults.push(format!("{path}: its header says nothing"));
        }
    }
    for word in UNDONE {
        if let Some(line) = text.lines().position(|line| has_word(line, word)) {
            faults.push(format!(
                "{path}:{}: {word}: do it, or write an issue",
                line + 1
            ));
        }
    }
    faults
}

fn has_word(line: &str, word: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        !before.is_some_and(part_of_word) && !after.is_some_and(part_of_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_without_header_is_a_fault() {
        assert_eq!(faults_of("a.rs", "rs", "fn main() {}").len(), 1);
        assert!(faults_of("a.rs", "rs", "//! Owns nothing.\nfn main() {}").is_empty());
        assert!(faults_of("a.ts", "ts", "export {}").is_empty());
    }

    #[test]
    fn a_file_of_501_lines_is_a_fault() {
        let text = format!("//! Long.\n{}", "\n".repeat(LINES_MAX - 1));
        assert!(faults_of("a.rs", "rs", &text).is_empty());
        assert_eq!(faults_of("a.rs", "rs", &(text + "\n")).len(), 1);
    }

    #[test]
    fn undone_work_is_a_fault_but_not_inside_a_word() {
        let word = UNDONE[2];
        assert_eq!(faults_of("a.py", "py", &format!("# {word} later")).len(), 1);
        assert!(faults_of("a.py", "py", &format!("mktemp e2e-{word}{word}")).is_empty());
    }
}
