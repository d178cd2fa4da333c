//! What changed between two versions of a payload, line by line; JSON is laid out first, so that only what it says counts.

use diff::Result as Piece;

use super::json;
use super::payload::{Content, Payload};

/// Longer ones are compared by their first lines: comparing takes time and memory by the square where little is alike.
pub const LINES_MAX: usize = 1_000;
/// Of a line. Text without line ends is one.
const LINE_CHARS_MAX: usize = 2_000;
/// Lines that stay the same, shown before and after what changed.
const CONTEXT_LINES: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Both,
    Old,
    New,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    Text(Side, String),
    /// So many lines are the same on both sides.
    Same(usize),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Diff {
    /// They say the same.
    Same,
    Lines {
        lines: Vec<Line>,
        added: usize,
        removed: usize,
        /// Only the beginnings were compared.
        is_cut: bool,
    },
    /// At least one of them is no text.
    Binary,
}

pub fn diff(old: &Payload, new: &Payload) -> Diff {
    if old.is_empty() && new.is_empty() || !old.differs(new) {
        return Diff::Same;
    }
    let (Some(old_lines), Some(new_lines)) = (lines(old), lines(new)) else {
        return Diff::Binary;
    };
    let is_cut =
        old.is_cut() || new.is_cut() || old_lines.len() > LINES_MAX || new_lines.len() > LINES_MAX;
    let mut diff = compare(head(&old_lines), head(&new_lines));
    match &mut diff {
        Diff::Same if is_cut => {
            diff = Diff::Lines {
                lines: Vec::new(),
                added: 0,
                removed: 0,
                is_cut,
            };
        }
        Diff::Lines { is_cut: cut, .. } => *cut = is_cut,
        Diff::Same | Diff::Binary => {}
    }
    diff
}

fn head(lines: &[String]) -> &[String] {
    &lines[..lines.len().min(LINES_MAX)]
}

/// `None`: binary.
fn lines(payload: &Payload) -> Option<Vec<String>> {
    match payload.content() {
        Content::Json(lines) => Some(lines.iter().map(json::Line::text).collect()),
        Content::Text(text) => {
            let line = |line: &str| super::payload::shorten(line, LINE_CHARS_MAX);
            Some(text.lines().map(line).collect())
        }
        Content::Binary(_) => None,
    }
}

fn compare(old: &[String], new: &[String]) -> Diff {
    let (mut added, mut removed) = (0, 0);
    let mut lines = Vec::new();
    // Lines that stay the same, until it is known what follows; what changed is told the old side first.
    let (mut same, mut gone, mut come) = (Vec::new(), Vec::new(), Vec::new());
    for piece in diff::slice(old, new) {
        match piece {
            Piece::Both(text, _) => {
                lines.append(&mut gone);
                lines.append(&mut come);
                same.push(text);
            }
            Piece::Left(text) => {
                add_context(&mut same, lines.is_empty(), false, &mut lines);
                gone.push(Line::Text(Side::Old, text.clone()));
                removed += 1;
            }
            Piece::Right(text) => {
                add_context(&mut same, lines.is_empty(), false, &mut lines);
                come.push(Line::Text(Side::New, text.clone()));
                added += 1;
            }
        }
    }
    if added + removed == 0 {
        return Diff::Same;
    }
    lines.append(&mut gone);
    lines.append(&mut come);
    add_context(&mut same, false, true, &mut lines);
    Diff::Lines {
        lines,
        added,
        removed,
        is_cut: false,
    }
}

/// Leaves none in `same`.
fn add_context(same: &mut Vec<&String>, is_first: bool, is_last: bool, lines: &mut Vec<Line>) {
    let before = if is_first { 0 } else { CONTEXT_LINES };
    let after = if is_last { 0 } else { CONTEXT_LINES };
    let both = |text: &&String| Line::Text(Side::Both, (*text).clone());
    // A gap of one line takes as much room as the line.
    if same.len() <= before + after + 1 {
        lines.extend(same.iter().map(both));
    } else {
        let rest = same.len() - after;
        lines.extend(same[..before].iter().map(both));
        lines.push(Line::Same(rest - before));
        lines.extend(same[rest..].iter().map(both));
    }
    same.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(old: &[u8], new: &[u8], expected: &str) {
        let shown = match diff(&Payload::new(old), &Payload::new(new)) {
            Diff::Same => "same".to_owned(),
            Diff::Binary => "binary".to_owned(),
            Diff::Lines { lines, .. } => {
                let line = |line: &Line| match line {
                    Line::Text(Side::Both, text) => format!("  {text}\n"),
                    Line::Text(Side::Old, text) => format!("- {text}\n"),
                    Line::Text(Side::New, text) => format!("+ {text}\n"),
                    Line::Same(count) => format!("… {count}\n"),
                };
                lines.iter().map(line).collect()
            }
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn json_is_compared_by_what_it_says() {
        check(br#"{"a":1,"b":2}"#, b"{\n\"a\": 1, \"b\": 2 }", "same");
        check(
            br#"{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7}"#,
            br#"{"a":1,"b":2,"c":3,"d":4,"e":5,"f":0,"g":7}"#,
            "… 4\n    \"d\": 4,\n    \"e\": 5,\n-   \"f\": 6,\n+   \"f\": 0,\n    \"g\": 7\n  }\n",
        );
    }

    #[test]
    fn text_and_what_is_new_or_gone() {
        check(b"a\nb", b"a\nc", "  a\n- b\n+ c\n");
        check(b"", b"x", "+ x\n");
        check(b"x", b"", "- x\n");
        check(b"", b"", "same");
    }

    #[test]
    fn binary_content_has_no_lines() {
        check(&[0xff], &[0xfe], "binary");
        check(&[0xff], &[0xff], "same");
        check(&[0xff], b"text", "binary");
    }

    #[test]
    fn long_ones_end_and_say_so() {
        let long = |last: &str| format!("{}{last}", "line\n".repeat(LINES_MAX + 5));
        let (old, new) = (long("a"), long("b"));
        let found = diff(&Payload::new(old.as_bytes()), &Payload::new(new.as_bytes()));
        let Diff::Lines { is_cut, added, .. } = found else {
            panic!("{found:?}")
        };
        assert!(is_cut);
        assert_eq!(added, 0);
    }
}
