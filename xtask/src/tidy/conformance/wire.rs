//! What the wire cases cite: the `clauses` of each case, and whether the case is run in the version whose clauses it cites.

use super::citation;

/// A case, as far as it matters here.
#[derive(Debug, Default)]
pub struct Case<'a> {
    pub title: &'a str,
    pub clauses: Vec<&'a str>,
    /// It names something: a clause, or a section whose words have no number.
    has_place: bool,
    versions: Vec<&'a str>,
}

pub fn cases(text: &str) -> Vec<Case<'_>> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        let (word, rest) = line.trim().split_once(' ').unwrap_or((line, ""));
        match (word, cases.last_mut()) {
            ("case", _) => cases.push(Case {
                title: rest,
                ..Case::default()
            }),
            ("clauses", Some(case)) => {
                case.has_place = rest.contains("[MQTT");
                case.clauses.extend(citation::find(rest));
            }
            ("version", Some(case)) => case.versions.extend(rest.split_whitespace()),
            _ => {}
        }
    }
    cases
}

impl Case<'_> {
    /// A case shows nothing about a standard whose version it does not speak, nor one that names no place in it.
    pub fn faults(&self, path: &str) -> Vec<String> {
        let mut faults = Vec::new();
        let title = self.title;
        if !self.has_place {
            faults.push(format!(
                "{path}: {title:?} names neither clause nor section"
            ));
        }
        for clause in &self.clauses {
            let is_spoken = match clause.starts_with("MQTT3-") {
                true => self.versions.contains(&"3.1.1"),
                false => self.versions.contains(&"5"),
            };
            if !is_spoken {
                faults.push(format!(
                    "{path}: {title:?} cites {clause} but is not run in that version"
                ));
            }
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> usize {
        let cases = cases(text);
        cases.iter().map(|case| case.faults("a.wire").len()).sum()
    }

    #[test]
    fn a_case_has_its_clauses() {
        let text = "case One\nclauses [MQTT-1.1.1-1] [MQTT3-1.1.1-2]\nversion 3.1.1 5\n> PINGREQ\n\ncase Two\n";
        let cases = cases(text);
        assert_eq!(cases[0].clauses, ["MQTT-1.1.1-1", "MQTT3-1.1.1-2"]);
        assert!(cases[1].clauses.is_empty());
    }

    #[test]
    fn a_case_is_run_in_the_version_that_it_is_about() {
        assert_eq!(
            faults("case A\nclauses [MQTT-1.1.1-1] [MQTT3-1.1.1-1]\nversion 3.1.1 5"),
            0
        );
        assert_eq!(
            faults("case A\nclauses [MQTT-1.1.1-1] [MQTT3-1.1.1-1]\nversion 5"),
            1
        );
        assert_eq!(
            faults("case A\nclauses [MQTT-1.1.1-1] [MQTT3-1.1.1-1]\nversion 3.1"),
            2
        );
        assert_eq!(faults("case A\nversion 5"), 1);
        assert_eq!(faults("case A\nclauses [MQTT-1.1.1]\nversion 5"), 0);
    }
}
