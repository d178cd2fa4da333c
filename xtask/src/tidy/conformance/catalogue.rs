//! The clauses of both standards, as `docs/conformance/*.clauses` has them: number, whom it binds, what it says in our words,
//! and why it needs no test if it needs none. The form is described in CONTRIBUTING.md.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, bail};

use crate::project::Project;

/// A standard: its name, what stands before the number when a clause of it is cited, and where its clauses are.
const STANDARDS: [(&str, &str, &str); 2] = [
    ("MQTT 5.0", "MQTT-", "docs/conformance/mqtt-5.0.clauses"),
    (
        "MQTT 3.1.1",
        "MQTT3-",
        "docs/conformance/mqtt-3.1.1.clauses",
    ),
];
/// What a clause of 3.1.1 is like is a clause of 5.0.
const LIKE: &str = STANDARDS[0].1;

#[derive(Debug)]
pub struct Standard {
    pub name: &'static str,
    /// `MQTT-`
    pub prefix: &'static str,
    /// Where its clauses stand.
    pub file: &'static str,
    pub sections: Vec<Section>,
}

#[derive(Debug)]
pub struct Section {
    /// `3.1 CONNECT`
    pub title: String,
    pub clauses: Vec<Clause>,
}

#[derive(Debug)]
pub struct Clause {
    /// As it is cited: `MQTT-3.1.2-4`.
    pub id: String,
    /// Whether it binds a server, alone or with its clients.
    pub binds_server: bool,
    pub text: String,
    /// Clauses of the other standard whose code does this too.
    pub like: Vec<String>,
    pub not_applicable: Option<String>,
}

impl Standard {
    pub fn clauses(&self) -> impl Iterator<Item = &Clause> {
        self.sections.iter().flat_map(|section| &section.clauses)
    }
}

pub fn read(project: &Project) -> Result<Vec<Standard>> {
    let standards = STANDARDS.iter().map(|(name, prefix, file)| {
        let text = fs::read_to_string(project.root.join(file))
            .with_context(|| format!("reading {file}"))?;
        Ok(Standard {
            name,
            prefix,
            file,
            sections: parse(prefix, &text).with_context(|| format!("in {file}"))?,
        })
    });
    let standards = standards.collect::<Result<Vec<_>>>()?;
    let known: BTreeSet<&str> = ids(&standards).collect();
    for clause in standards.iter().flat_map(Standard::clauses) {
        if let Some(unknown) = clause.like.iter().find(|id| !known.contains(id.as_str())) {
            bail!("{} is said to be like {unknown}, which is none", clause.id);
        }
    }
    Ok(standards)
}

pub fn ids(standards: &[Standard]) -> impl Iterator<Item = &str> {
    let clauses = standards.iter().flat_map(Standard::clauses);
    clauses.map(|clause| clause.id.as_str())
}

fn parse(prefix: &str, text: &str) -> Result<Vec<Section>> {
    let mut sections: Vec<Section> = Vec::new();
    let mut seen = BTreeSet::new();
    for (number, line) in text.lines().enumerate() {
        read_line(prefix, line, &mut sections, &mut seen)
            .with_context(|| format!("line {}: {line}", number + 1))?;
    }
    Ok(sections)
}

fn read_line(
    prefix: &str,
    line: &str,
    sections: &mut Vec<Section>,
    seen: &mut BTreeSet<String>,
) -> Result<()> {
    if line.is_empty() || line.starts_with('#') {
        return Ok(());
    }
    if let Some(title) = line.strip_prefix("section ") {
        sections.push(Section {
            title: title.to_owned(),
            clauses: Vec::new(),
        });
        return Ok(());
    }
    let section = sections.last_mut().context("stands in no section")?;
    if let Some(more) = line.strip_prefix("  ") {
        let clause = section.clauses.last_mut().context("belongs to no clause")?;
        if let Some(reason) = more.strip_prefix("not applicable: ") {
            clause.not_applicable = Some(reason.to_owned());
        } else if let Some(numbers) = more.strip_prefix("as ") {
            let like = numbers.split(' ').map(|number| format!("{LIKE}{number}"));
            clause.like.extend(like);
        } else {
            bail!("neither `not applicable:` nor `as`");
        }
        return Ok(());
    }
    let mut words = line.splitn(3, ' ');
    let (Some(number), Some(whom), Some(text)) = (words.next(), words.next(), words.next()) else {
        bail!("not a number, whom it binds, and what it says");
    };
    let id = format!("{prefix}{number}");
    if !seen.insert(id.clone()) {
        bail!("{id} was there before");
    }
    section.clauses.push(Clause {
        id,
        binds_server: match whom {
            "server" | "both" => true,
            "client" => false,
            _ => bail!("binds neither server, client nor both"),
        },
        text: text.to_owned(),
        like: Vec::new(),
        not_applicable: None,
    });
    Ok(())
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A standard with these clauses.
    pub fn standard(text: &str) -> Standard {
        let (name, prefix, file) = STANDARDS[0];
        let sections = parse(prefix, text).expect("a catalogue");
        Standard {
            name,
            prefix,
            file,
            sections,
        }
    }

    #[test]
    fn a_clause_says_whom_it_binds_and_why_it_needs_no_test() {
        let standard = standard(
            "# words\n\nsection 1.2 Names\n1.2.3-4 both Names are short.\n  not applicable: all are.\n\
             1.2.3-5 client Be kind.\n  as 2.2.1-1 2.2.1-2\n",
        );
        assert_eq!(standard.sections[0].title, "1.2 Names");
        let clauses: Vec<_> = standard.clauses().collect();
        assert_eq!(clauses[0].id, "MQTT-1.2.3-4");
        assert!(clauses[0].binds_server && !clauses[1].binds_server);
        assert_eq!(clauses[0].text, "Names are short.");
        assert_eq!(clauses[0].not_applicable.as_deref(), Some("all are."));
        assert_eq!(clauses[1].like, ["MQTT-2.2.1-1", "MQTT-2.2.1-2"]);
    }

    #[test]
    fn what_is_not_in_that_form_is_refused() {
        for wrong in [
            "1.2.3-4 both In no section.",
            "section 1 A\n  as 1.2.3-4",
            "section 1 A\n1.2.3-4 nobody Binds.",
            "section 1 A\n1.2.3-4 both",
            "section 1 A\n1.2.3-4 both Once.\n1.2.3-4 both Twice.",
            "section 1 A\n1.2.3-4 both Once.\n  because",
        ] {
            assert!(parse("MQTT-", wrong).is_err(), "{wrong}");
        }
    }
}
