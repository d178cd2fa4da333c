//! What must hold between the clauses, the code and the tests.

use std::collections::BTreeSet;

use super::catalogue::{self, Clause, Standard};
use super::scan::Citations;

pub fn faults(standards: &[Standard], citations: &Citations) -> Vec<String> {
    let mut faults = citations.faults.clone();
    let known: BTreeSet<&str> = catalogue::ids(standards).collect();
    for (cited, places) in &citations.places {
        if !known.contains(cited.as_str()) {
            let places: Vec<&str> = places.iter().map(String::as_str).collect();
            faults.push(format!("{}: there is no {cited}", places.join(", ")));
        }
    }
    for standard in standards {
        let of_clauses = standard.clauses().filter_map(|clause| {
            let fault = fault(clause, citations)?;
            Some(format!("{}: {}: {fault}", standard.file, clause.id))
        });
        faults.extend(of_clauses);
    }
    faults
}

fn fault(clause: &Clause, citations: &Citations) -> Option<&'static str> {
    let has_code = citations.code.contains_key(&clause.id);
    let has_test = citations.tests.contains_key(&clause.id);
    let has_code_of_another = || clause.like.iter().any(|id| citations.code.contains_key(id));
    match clause.not_applicable {
        Some(_) if has_code || has_test => Some("said not to be applicable, yet it is cited"),
        Some(_) => None,
        None if has_code && !has_test => Some("cited in code, and no test cites it"),
        None if clause.binds_server && !has_test => {
            Some("binds the server: it needs a test, or `not applicable:` and why")
        }
        None if clause.binds_server && !has_code && !has_code_of_another() => {
            Some("binds the server, and no code cites it")
        }
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::conformance::catalogue::tests::standard;

    fn check(catalogue: &str, code: &str, tests: &str, expected: Option<&str>) {
        let mut citations = Citations::default();
        citations.add("server/src/a.rs", code);
        citations.add("server/tests/a.rs", tests);
        let found = faults(
            &[standard(&format!("section 1 A\n{catalogue}"))],
            &citations,
        );
        assert_eq!(found.len(), expected.iter().len(), "{found:?}");
        if let Some(expected) = expected {
            assert!(found[0].contains(expected), "{found:?}");
        }
    }

    #[test]
    fn what_binds_the_server_has_code_and_a_test() {
        let clause = "1.1.1-1 both Be.";
        check(clause, "MQTT-1.1.1-1", "MQTT-1.1.1-1", None);
        check(clause, "MQTT-1.1.1-1", "", Some("no test cites it"));
        check(clause, "", "MQTT-1.1.1-1", Some("no code cites it"));
        check(clause, "", "", Some("needs a test"));
        check("1.1.1-1 both Be.\n  not applicable: we are.", "", "", None);
    }

    #[test]
    fn what_binds_clients_has_a_test_if_it_has_code() {
        let clause = "1.1.1-1 client Be.";
        check(clause, "", "", None);
        check(clause, "MQTT-1.1.1-1", "", Some("no test cites it"));
    }

    #[test]
    fn the_code_of_a_clause_that_is_like_it_counts_but_not_its_test() {
        let clauses = "1.1.1-1 both Be.\n1.1.1-2 both Be too.\n  as 1.1.1-1";
        check(clauses, "MQTT-1.1.1-1", "MQTT-1.1.1-1 MQTT-1.1.1-2", None);
        check(
            clauses,
            "MQTT-1.1.1-1",
            "MQTT-1.1.1-1",
            Some("MQTT-1.1.1-2: binds"),
        );
    }

    #[test]
    fn what_is_cited_exists_and_is_applicable() {
        check("", "MQTT-1.1.1-9", "", Some("there is no MQTT-1.1.1-9"));
        let clause = "1.1.1-1 both Be.\n  not applicable: we are.";
        check(clause, "", "MQTT-1.1.1-1", Some("yet it is cited"));
    }
}
