//! From files to cases. What cannot be read is an error with its place.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};

use super::{Action, Case, How, Step, Transport, Version, Words, value::milliseconds};

/// All cases of a folder and those below it, by path.
///
/// # Errors
/// A file that cannot be read or parsed.
pub fn parse_folder(folder: &Path) -> Result<Vec<Case>> {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .with_context(|| format!("reading {}", folder.display()))?
        .collect::<Result<_, _>>()?;
    entries.sort_by_key(|entry| entry.path());
    let mut cases = Vec::new();
    for entry in entries {
        let path = entry.path();
        if path.is_dir() {
            cases.extend(parse_folder(&path)?);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "wire")
        {
            let text = fs::read_to_string(&path)?;
            cases.extend(parse_file(&path.display().to_string(), &text)?);
        }
    }
    Ok(cases)
}

/// The cases of one file: one for each version and each row of its table.
///
/// # Errors
/// A line that says nothing known.
pub fn parse_file(name: &str, text: &str) -> Result<Vec<Case>> {
    let mut drafts: Vec<Draft> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let number = at + 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(title) = line.strip_prefix("case ") {
            drafts.push(Draft::new(title.trim(), number));
            continue;
        }
        drafts
            .last_mut()
            .context("a line before the first `case`")
            .and_then(|draft| draft.line(number, line))
            .with_context(|| format!("{name}:{number}: {line}"))?;
    }
    let mut cases = Vec::new();
    for draft in drafts {
        let place = format!("{name}:{}", draft.line);
        cases.extend(draft.cases(&place).with_context(|| place)?);
    }
    Ok(cases)
}

struct Draft {
    title: String,
    line: usize,
    clauses: Vec<String>,
    versions: Vec<Version>,
    transport: Option<Transport>,
    beyond: Option<String>,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Before the table's values are filled in.
    steps: Vec<(usize, String)>,
}

impl Draft {
    fn new(title: &str, line: usize) -> Self {
        Self {
            title: title.to_owned(),
            line,
            clauses: Vec::new(),
            versions: Vec::new(),
            transport: None,
            beyond: None,
            columns: Vec::new(),
            rows: Vec::new(),
            steps: Vec::new(),
        }
    }

    fn line(&mut self, number: usize, line: &str) -> Result<()> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "clauses" => {
                let clauses = rest.split(['[', ']', ',', ' ']);
                let clauses = clauses.filter(|clause| !clause.is_empty());
                self.clauses.extend(clauses.map(ToOwned::to_owned));
            }
            "version" => {
                for name in rest.split_whitespace() {
                    self.versions.push(version(name)?);
                }
            }
            "transport" => {
                self.transport = Some(match rest {
                    "tcp" => Transport::Tcp,
                    "tls" => Transport::Tls,
                    "ws" => Transport::WebSocket,
                    other => bail!("`{other}` is no transport: tcp or ws"),
                });
            }
            "beyond" if rest.is_empty() => bail!("say what the standard allows"),
            "beyond" => self.beyond = Some(rest.to_owned()),
            "with" => self.columns = cells(rest),
            "|" => {
                let row = cells(rest);
                if row.len() != self.columns.len() {
                    bail!("{} values for {} columns", row.len(), self.columns.len());
                }
                self.rows.push(row);
            }
            _ => self.steps.push((number, line.to_owned())),
        }
        Ok(())
    }

    fn cases(self, place: &str) -> Result<Vec<Case>> {
        if self.versions.is_empty() {
            bail!("no `version`");
        }
        let rows = if self.rows.is_empty() {
            vec![Vec::new()]
        } else {
            self.rows.clone()
        };
        let mut cases = Vec::new();
        for row in &rows {
            let fill = |text: &str| {
                let mut text = text.to_owned();
                for (column, value) in self.columns.iter().zip(row) {
                    text = text.replace(&format!("{{{column}}}"), value);
                }
                text
            };
            for &version in &self.versions {
                let mut steps: Vec<Step> = Vec::new();
                for (line, text) in &self.steps {
                    let text = fill(text).replace("{protocol-level}", &version.level().to_string());
                    step(*line, &text, version, &mut steps)
                        .with_context(|| format!("line {line}: {text}"))?;
                }
                cases.push(Case {
                    place: place.to_owned(),
                    title: fill(&self.title),
                    clauses: self.clauses.clone(),
                    version,
                    transport: self.transport,
                    beyond: self.beyond.clone(),
                    steps,
                });
            }
        }
        Ok(cases)
    }
}

fn cells(line: &str) -> Vec<String> {
    line.split(" | ")
        .map(|cell| cell.trim().to_owned())
        .collect()
}

fn version(name: &str) -> Result<Version> {
    Ok(match name {
        "3.1" => Version::V3_1,
        "3.1.1" => Version::V3_1_1,
        "5" => Version::V5,
        other => bail!("`{other}` is no version: 3.1, 3.1.1 or 5"),
    })
}

/// Adds what a line says in this version.
fn step(line: usize, text: &str, version: Version, steps: &mut Vec<Step>) -> Result<()> {
    if let Some(time) = text.strip_prefix("wait ") {
        let action = Action::Wait(milliseconds(time.trim())?);
        steps.push(Step {
            line,
            who: "a".into(),
            action,
        });
        return Ok(());
    }
    if let Some(rest) = text.strip_prefix("+ ") {
        let words = words(rest)?;
        let last = steps.last_mut().map(|step| &mut step.action);
        match last {
            Some(Action::Send { packets, .. }) => packets.push(words),
            Some(Action::AnyOrder(all)) => all.push(words),
            Some(Action::Expect(first)) => {
                let all = vec![std::mem::take(first), words];
                if let Some(last) = steps.last_mut() {
                    last.action = Action::AnyOrder(all);
                }
            }
            _ => bail!("`+` adds to what is sent or expected in the line before"),
        }
        return Ok(());
    }
    let at = text.find(['>', '<']).context("neither `>` nor `<`")?;
    let who = text[..at].trim();
    let who = if who.is_empty() { "a" } else { who }.to_owned();
    let is_sent = text[at..].starts_with('>');
    let mut rest = &text[at + 1..];
    for (mark, is_meant) in [("5", version == Version::V5), ("3", version != Version::V5)] {
        if let Some(after) = rest.strip_prefix(mark) {
            if !is_meant {
                return Ok(());
            }
            rest = after;
        }
    }
    let action = if is_sent {
        sent(rest.trim())?
    } else {
        expected(rest.trim())?
    };
    steps.push(Step { line, who, action });
    Ok(())
}

fn sent(text: &str) -> Result<Action> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let counted = |rest: &str| -> Result<(usize, Words)> {
        let (count, rest) = rest.split_once(' ').context("how many bytes, and what")?;
        Ok((count.parse()?, words(rest)?))
    };
    Ok(match word {
        "connect" => Action::Connect(words(text)?),
        "publish" => Action::Publish(words(text)?),
        "drop" => Action::Drop,
        "half-close" => Action::HalfClose,
        "frame" => Action::SendFrame(words(rest)?),
        "pieces" => {
            let (size, words) = counted(rest)?;
            let how = How::Pieces(size);
            Action::Send {
                packets: vec![words],
                how,
            }
        }
        "fragments" => {
            let (size, words) = counted(rest)?;
            let how = How::Fragments(size);
            Action::Send {
                packets: vec![words],
                how,
            }
        }
        _ => Action::Send {
            packets: vec![words(text)?],
            how: How::Whole,
        },
    })
}

fn expected(text: &str) -> Result<Action> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    Ok(match word {
        "close" => Action::Closed,
        "disconnected" => Action::Disconnected(words(&format!("DISCONNECT reason={rest}"))?),
        "refused" => Action::Refused(words(&format!("CONNACK reason={rest} session-present=0"))?),
        "silence" if rest.is_empty() => Action::Silence(200),
        "silence" => Action::Silence(milliseconds(rest)?),
        "frame" => Action::ExpectFrame(words(rest)?),
        _ => Action::Expect(words(text)?),
    })
}

/// `NAME key=value …`; quotes hold a value together, parentheses too.
fn words(text: &str) -> Result<Words> {
    let mut tokens: Vec<String> = Vec::new();
    let (mut is_quoted, mut depth, mut is_new) = (false, 0, true);
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        if c.is_whitespace() && !is_quoted && depth == 0 {
            is_new = true;
            continue;
        }
        if is_new {
            tokens.push(String::new());
            is_new = false;
        }
        let Some(token) = tokens.last_mut() else {
            unreachable!("one was pushed")
        };
        token.push(c);
        match c {
            '\\' => token.extend(characters.next()),
            '"' => is_quoted = !is_quoted,
            '(' if !is_quoted && (token.ends_with("hex(") || token.ends_with("repeat(")) => {
                depth += 1;
            }
            ')' if depth > 0 => depth -= 1,
            _ => {}
        }
    }
    if is_quoted || depth > 0 {
        bail!("a quote or parenthesis is not closed");
    }
    let mut tokens = tokens.into_iter();
    let name = tokens.next().context("nothing is said")?;
    if name.starts_with(|c: char| !c.is_ascii_alphabetic()) {
        bail!("`{name}` is no packet");
    }
    let field = |token: String| match token.split_once('=') {
        Some((key, value)) => (key.to_owned(), value.to_owned()),
        None => (token, String::new()),
    };
    Ok(Words {
        name,
        fields: tokens.map(field).collect(),
    })
}
