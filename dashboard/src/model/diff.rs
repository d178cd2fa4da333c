//! What changed between two versions of a payload, line by line; JSON is laid out first, so that only what it says counts.

use similar::{Algorithm, DiffTag, capture_diff_slices};

use super::json;
use super::payload::{Content, Payload};

/// Longer ones are compared by their first lines: comparing takes long where little is alike.
pub const LINES_MAX: usize = 2_000;
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
    let parts = capture_diff_slices(Algorithm::Myers, old, new);
    let last = parts.len().saturating_sub(1);
    for (index, part) in parts.iter().enumerate() {
        let (tag, old_range, new_range) = part.as_tag_tuple();
        if tag == DiffTag::Equal {
            let before = if index == 0 { 0 } else { CONTEXT_LINES };
            let after = if index == last { 0 } else { CONTEXT_LINES };
            add_context(&old[old_range], before, after, &mut lines);
            continue;
        }
        removed += old_range.len();
        added += new_range.len();
        let side = |side, text: &[String]| {
            let line = move |text: &String| Line::Text(side, text.clone());
            text.iter().map(line).collect::<Vec<_>>()
        };
        lines.extend(side(Side::Old, &old[old_range]));
        lines.extend(side(Side::New, &new[new_range]));
    }
    if added + removed == 0 {
        return Diff::Same;
    }
    Diff::Lines {
        lines,
        added,
        removed,
        is_cut: false,
    }
}

fn add_context(same: &[String], before: usize, after: usize, lines: &mut Vec<Line>) {
    let both = |text: &String| Line::Text(Side::Both, text.clone());
    // A gap of one line takes as much room as the line.
    if same.len() <= before + after + 1 {
        lines.extend(same.iter().map(both));
        return;
    }
    lines.extend(same[..before].iter().map(both));
    lines.push(Line::Same(same.len() - before - after));
    lines.extend(same[same.len() - after..].iter().map(both));
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
