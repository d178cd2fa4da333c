//! JSON laid out for reading, token by token as it was published.
//!
//! Numbers, escapes, duplicate keys and their order stay as they came, which a parse into values would lose.
//! Text that is no JSON, or nested deeper than [`DEPTH_MAX`], gives `None` and is shown as plain text.

use std::fmt;

use serde::de::IgnoredAny;

/// Deeper nesting is not laid out: its indentation alone would be larger than the text.
pub const DEPTH_MAX: usize = 64;
/// A list of plain values up to this length stays on one line.
const INLINE_LIST_CHARS_MAX: usize = 60;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Key,
    String,
    Number,
    /// `true`, `false`, `null`.
    Literal,
    Punctuation,
}

impl Kind {
    /// How it is coloured; punctuation is not.
    pub fn class(self) -> Option<&'static str> {
        match self {
            Self::Key => Some("json-key"),
            Self::String => Some("json-string"),
            Self::Number => Some("json-number"),
            Self::Literal => Some("json-literal"),
            Self::Punctuation => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    pub kind: Kind,
    pub text: &'a str,
}

/// One line, indented by `depth` steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line<'a> {
    pub depth: usize,
    pub tokens: Vec<Token<'a>>,
}

pub fn pretty(text: &str) -> Option<Vec<Line<'_>>> {
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let tokens = tokens(text);
    let mut lines = vec![Line::default()];
    let mut depth = 0;
    let mut index = 0;
    while let Some(token) = tokens.get(index) {
        match token.text {
            "{" | "[" => {
                push(&mut lines, *token);
                if let Some(end) = inline_end(&tokens, index) {
                    for (place, inner) in tokens[index + 1..=end].iter().enumerate() {
                        if place > 0 && tokens[index + place].text == "," {
                            push_text(&mut lines, " ");
                        }
                        push(&mut lines, *inner);
                    }
                    index = end;
                } else {
                    depth += 1;
                    if depth > DEPTH_MAX {
                        return None;
                    }
                    lines.push(Line::at(depth));
                }
            }
            "}" | "]" => {
                depth -= 1;
                lines.push(Line::at(depth));
                push(&mut lines, *token);
            }
            "," => {
                push(&mut lines, *token);
                lines.push(Line::at(depth));
            }
            ":" => {
                push(&mut lines, *token);
                push_text(&mut lines, " ");
            }
            _ => push(&mut lines, *token),
        }
        index += 1;
    }
    Some(lines)
}

/// For each line that opens an object or a list: the line that closes it.
pub fn ends(lines: &[Line<'_>]) -> Vec<Option<usize>> {
    let mut ends = vec![None; lines.len()];
    let mut open: Vec<usize> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        if let Some(start) = open.last().copied()
            && line.depth == lines[start].depth
        {
            ends[start] = Some(index);
            open.pop();
        }
        if lines
            .get(index + 1)
            .is_some_and(|next| next.depth > line.depth)
        {
            open.push(index);
        }
    }
    ends
}

/// Laid out as text; as it came when it is no JSON or too deep.
pub fn pretty_text(text: &str) -> String {
    let Some(lines) = pretty(text) else {
        return text.to_owned();
    };
    let lines: Vec<String> = lines.iter().map(Line::text).collect();
    lines.join("\n")
}

/// Where text stops being JSON, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// From one.
    pub line: usize,
    /// In characters, from one.
    pub column: usize,
    pub reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line,
            column,
            reason,
        } = self;
        write!(f, "line {line}, column {column}: {reason}")
    }
}

pub fn check(text: &str) -> Result<(), Fault> {
    let Err(error) = serde_json::from_str::<IgnoredAny>(text) else {
        return Ok(());
    };
    let reason = error.to_string();
    // The place is told apart from it.
    let reason = reason
        .rsplit_once(" at line ")
        .map_or(&*reason, |(reason, _)| reason);
    let (mut line, mut bytes) = (error.line().max(1), error.column());
    if bytes == 0 && line > 1 && !error.is_eof() {
        // A line end in the wrong place: it belongs to the line that it ends.
        line -= 1;
        bytes = usize::MAX;
    }
    let text = text.split('\n').nth(line - 1).unwrap_or_default();
    let before = &text.as_bytes()[..bytes.min(text.len())];
    let column = String::from_utf8_lossy(before).chars().count();
    let reason = reason.replace("EOF while parsing", "it ends in the middle of");
    Err(Fault {
        line,
        column: column.max(1),
        reason,
    })
}

impl Line<'_> {
    /// As one reads it, with its indentation.
    pub fn text(&self) -> String {
        let mut text = "  ".repeat(self.depth);
        text.extend(self.tokens.iter().map(|token| token.text));
        text
    }

    fn at(depth: usize) -> Self {
        Self {
            depth,
            tokens: Vec::new(),
        }
    }
}

fn push<'a>(lines: &mut [Line<'a>], token: Token<'a>) {
    if let Some(line) = lines.last_mut() {
        line.tokens.push(token);
    }
}

fn push_text<'a>(lines: &mut [Line<'a>], text: &'a str) {
    let kind = Kind::Punctuation;
    push(lines, Token { kind, text });
}

/// Where the bracket at `start` closes, if what it holds belongs on the same line.
fn inline_end(tokens: &[Token<'_>], start: usize) -> Option<usize> {
    let list = tokens[start].text == "[";
    let mut chars = 0;
    for (index, token) in tokens.iter().enumerate().skip(start + 1) {
        match token.text {
            "]" | "}" => return (list || index == start + 1).then_some(index),
            "[" | "{" => return None,
            text => chars += text.len() + 1,
        }
        if chars > INLINE_LIST_CHARS_MAX {
            return None;
        }
    }
    None
}

/// The tokens of valid JSON. Punctuation is told from strings by its quotes, so `","` is no comma.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let kind = match bytes[at] {
            b' ' | b'\n' | b'\r' | b'\t' => {
                at += 1;
                continue;
            }
            b'"' => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
                let key = text[at.min(text.len())..]
                    .trim_start_matches([' ', '\n', '\r', '\t'])
                    .starts_with(':');
                if key { Kind::Key } else { Kind::String }
            }
            b'{' | b'}' | b'[' | b']' | b',' | b':' => {
                at += 1;
                Kind::Punctuation
            }
            first => {
                let ends = |b: &u8| matches!(b, b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t');
                at += bytes[at..]
                    .iter()
                    .position(ends)
                    .unwrap_or(bytes.len() - at);
                if first == b'-' || first.is_ascii_digit() {
                    Kind::Number
                } else {
                    Kind::Literal
                }
            }
        };
        tokens.push(Token {
            kind,
            text: &text[start..at.min(text.len())],
        });
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let lines = pretty(text).expect("valid JSON");
        let shown: Vec<String> = lines.iter().map(Line::text).collect();
        assert_eq!(shown.join("\n"), expected);
    }

    #[test]
    fn objects_open_up_and_short_lists_stay_on_a_line() {
        check(
            r#"{"on":true,"levels":[1,2,3],"empty":{},"deep":{"a":[{"b":null}]}}"#,
            "{\n  \"on\": true,\n  \"levels\": [1, 2, 3],\n  \"empty\": {},\n  \"deep\": {\n    \"a\": [\n      {\n        \"b\": null\n      }\n    ]\n  }\n}",
        );
    }

    #[test]
    fn numbers_escapes_and_repeated_keys_stay_as_published() {
        check(
            r#"{"n":1.00e400,"n":12345678901234567890123,"s":"a\"},:[ \u0041"}"#,
            "{\n  \"n\": 1.00e400,\n  \"n\": 12345678901234567890123,\n  \"s\": \"a\\\"},:[ \\u0041\"\n}",
        );
        check(" [ \",\" ] ", "[\",\"]");
        check(" 21.5\n", "21.5");
    }

    #[test]
    fn a_fault_has_its_place_in_characters() {
        let fault = |text: &str| {
            let fault = super::check(text).expect_err(text);
            (fault.line, fault.column, fault.reason)
        };
        assert_eq!(super::check(r#"{"a": [1, null]}"#), Ok(()));
        assert_eq!(
            fault("{\n  \"ä\": tru\n}"),
            (2, 10, "expected ident".to_owned())
        );
        assert_eq!(fault("[1, ]"), (1, 5, "expected value".to_owned()));
        assert_eq!(
            fault(""),
            (1, 1, "it ends in the middle of a value".to_owned())
        );
        assert_eq!(
            fault("[1\n\n"),
            (3, 1, "it ends in the middle of a list".to_owned())
        );
    }

    #[test]
    fn what_opens_knows_where_it_closes() {
        let lines = pretty(r#"{"a":{"b":[{"c":1},{}]},"d":[1],"e":{}}"#).expect("valid JSON");
        let found: Vec<(usize, usize)> = ends(&lines)
            .iter()
            .enumerate()
            .filter_map(|(start, end)| Some((start, (*end)?)))
            .collect();
        let shown: Vec<String> = lines.iter().map(Line::text).collect();
        // {  a: {  b: [  {  c  },  {}  ]  },  d  e  }
        assert_eq!(found, [(0, 11), (1, 8), (2, 7), (3, 5)], "{shown:#?}");
    }

    #[test]
    fn kinds_follow_the_structure() {
        let lines = pretty(r#"{"a" : "b"}"#).expect("valid JSON");
        let kinds: Vec<Kind> = lines[1].tokens.iter().map(|token| token.kind).collect();
        assert_eq!(
            kinds,
            [
                Kind::Key,
                Kind::Punctuation,
                Kind::Punctuation,
                Kind::String
            ]
        );
    }

    #[test]
    fn what_is_no_json_or_too_deep_is_left_to_plain_text() {
        assert_eq!(pretty("{'a': 1}"), None);
        assert_eq!(pretty(""), None);
        for depth in [DEPTH_MAX + 2, 100_000] {
            assert_eq!(
                pretty(&format!("{}1{}", "[".repeat(depth), "]".repeat(depth))),
                None
            );
        }
    }
}
