//! Walks the tree and notes where each clause is cited: in code, or in a test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::Result;

use super::{citation, rust, wire};
use crate::project::Project;
use crate::tidy::files;

/// Files of code and tests. In documents a citation must exist, and counts for nothing.
const SOURCES: [&str; 5] = ["rs", "ts", "mjs", "js", "py"];
/// Its tests cite clauses that do not exist.
const SELF: &str = "xtask/";
/// What runs the tests shows nothing by itself.
const HARNESS: &str = "tests/src/";
/// Tests that every store runs, written as a library.
const SUITE: &str = "server/store/src/conformance/";

/// Where clauses are cited.
#[derive(Debug, Default)]
pub struct Citations {
    pub code: BTreeMap<String, BTreeSet<String>>,
    /// By file, the test functions or cases in it; empty: the file as a whole.
    pub tests: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    /// Every file that cites it, documents too.
    pub places: BTreeMap<String, BTreeSet<String>>,
    /// What is wrong with a case.
    pub faults: Vec<String>,
}

pub fn scan(project: &Project) -> Result<Citations> {
    let mut citations = Citations::default();
    for path in files::listed(project)? {
        if let Ok(text) = fs::read_to_string(project.root.join(&path)) {
            citations.add(&path, &text);
        }
    }
    Ok(citations)
}

impl Citations {
    pub fn add(&mut self, path: &str, text: &str) {
        if path.starts_with(SELF) || path.starts_with("docs/conformance") {
            return;
        }
        let extension = Path::new(path).extension();
        match extension.and_then(|extension| extension.to_str()) {
            Some("wire") => {
                for case in wire::cases(text) {
                    self.faults.extend(case.faults(path));
                    for clause in case.clauses {
                        self.test(clause, path, Some(case.title));
                    }
                }
            }
            _ if path.starts_with(HARNESS) => {
                citation::find(text).for_each(|clause| self.place(clause, path));
            }
            Some("rs") => {
                for cited in rust::citations(text, is_test(path)) {
                    match cited.is_test {
                        true => self.test(cited.clause, path, cited.function),
                        false => self.code(cited.clause, path),
                    }
                }
            }
            Some(extension) if SOURCES.contains(&extension) => {
                for clause in citation::find(text) {
                    match is_test(path) {
                        true => self.test(clause, path, None),
                        false => self.code(clause, path),
                    }
                }
            }
            Some("md") => citation::find(text).for_each(|clause| self.place(clause, path)),
            _ => {}
        }
    }

    fn code(&mut self, clause: &str, path: &str) {
        self.place(clause, path);
        let code = self.code.entry(clause.to_owned()).or_default();
        code.insert(path.to_owned());
    }

    fn test(&mut self, clause: &str, path: &str, name: Option<&str>) {
        self.place(clause, path);
        let tests = self.tests.entry(clause.to_owned()).or_default();
        let names = tests.entry(path.to_owned()).or_default();
        names.extend(name.map(str::to_owned));
    }

    fn place(&mut self, clause: &str, path: &str) {
        let places = self.places.entry(clause.to_owned()).or_default();
        places.insert(path.to_owned());
    }
}

fn is_test(path: &str) -> bool {
    path.starts_with(SUITE)
        || path.starts_with("tests/")
        || path.contains("/tests/")
        || path.contains("/test/")
        || path.ends_with("/tests.rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_told_from_code() {
        let mut citations = Citations::default();
        citations.add("server/src/tcp/mod.rs", "// [MQTT-1.1.1-1]");
        citations.add("server/tests/tcp.rs", "// [MQTT-1.1.1-2]");
        citations.add("tests/python/a.py", "# [MQTT-1.1.1-3]");
        citations.add(
            "tests/wire/a.wire",
            "case A\nclauses [MQTT-1.1.1-4]\nversion 5",
        );
        citations.add("xtask/src/main.rs", "// [MQTT-1.1.1-5]");
        citations.add("tests/src/lib.rs", "// [MQTT-1.1.1-7]");
        citations.add("a.md", "[MQTT-1.1.1-6], section MQTT-1.1.1");
        let of = |map: Vec<&String>| map.into_iter().map(|id| &id[11..]).collect::<String>();
        assert_eq!(of(citations.code.keys().collect()), "1");
        assert_eq!(of(citations.tests.keys().collect()), "234");
        assert_eq!(of(citations.places.keys().collect()), "123467");
    }
}
