//! What the documents point to is there: links, pictures, and every source file that they name in code type.

use std::fs;
use std::path::Path;

use anyhow::Result;

use super::files;
use crate::project::Project;

/// What stands before a target, and what ends it.
const MARKS: [(&str, char); 3] = [("](", ')'), ("src=\"", '"'), ("srcset=\"", '"')];
const SOURCES: [&str; 6] = ["rs", "ts", "mjs", "js", "py", "toml"];
/// The page that names files of these folders so often that it leaves out what all their paths have in common, and says so.
const MAP: &str = "ARCHITECTURE.md";
const SHORT: [(&str, &str); 3] = [
    ("broker/", "server/broker/src/"),
    ("store/", "server/store/src/"),
    ("engine/", "wasm-client/npm/src/engine/"),
];

pub fn check(project: &Project) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for path in files::listed(project)? {
        if !path.ends_with(".md") {
            continue;
        }
        let Ok(text) = fs::read_to_string(project.root.join(&path)) else {
            continue;
        };
        let folder = Path::new(&path).parent().unwrap_or(Path::new(""));
        let there = |place: &Path| project.root.join(place).exists();
        for target in targets(&text) {
            if !there(&folder.join(target)) {
                faults.push(format!("{path}: points to {target}, which is not there"));
            }
        }
        for source in sources(&text) {
            let is_short = path == MAP && there(Path::new(&whole(source)));
            if !is_short && !there(Path::new(source)) {
                faults.push(format!(
                    "{path}: names `{source}`, which is not there (write paths from the root)"
                ));
            }
        }
    }
    Ok(faults)
}

/// Relative targets of links and pictures, without their `#place`.
fn targets(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (opening, closing) in MARKS {
        for (start, _) in text.match_indices(opening) {
            let rest = &text[start + opening.len()..];
            let target = rest.split([closing, '\n']).next().unwrap_or_default();
            let target = target.split('#').next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                found.push(target);
            }
        }
    }
    found
}

/// Words in code type that are the path of a source file.
fn sources(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut is_fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_fenced = !is_fenced;
        }
        if is_fenced {
            continue;
        }
        found.extend(line.split('`').skip(1).step_by(2).filter(|word| {
            let extension = word.rsplit_once('.').map_or("", |(_, extension)| extension);
            word.contains('/') && !word.contains([' ', '*', '<']) && SOURCES.contains(&extension)
        }));
    }
    found
}

/// A path as the map shortens it, from the root.
fn whole(source: &str) -> String {
    let mut whole = SHORT
        .iter()
        .filter_map(|(short, long)| Some(format!("{long}{}", source.strip_prefix(short)?)));
    whole.next().unwrap_or_else(|| source.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_links_and_pictures_but_nothing_on_the_web() {
        let text =
            "[a](a.md#b) [c](https://c) [d](#d) <img src=\"e.png\"> <source srcset=\"f.png\">";
        assert_eq!(targets(text), ["a.md", "e.png", "f.png"]);
    }

    #[test]
    fn the_map_may_leave_out_what_all_paths_of_a_crate_have_in_common() {
        assert_eq!(
            whole("broker/route/mod.rs"),
            "server/broker/src/route/mod.rs"
        );
        assert_eq!(whole("store/row.rs"), "server/store/src/row.rs");
        assert_eq!(whole("server/broker/src/a.rs"), "server/broker/src/a.rs");
    }

    #[test]
    fn finds_paths_in_code_type_but_not_in_blocks() {
        let text = "see `a/b.rs`, `b.rs`, `x y/z.rs` and `NNN/c.md`\n```\n`d/e.rs`\n```\n`f/g.ts`";
        assert_eq!(sources(text), ["a/b.rs", "f/g.ts"]);
    }
}
