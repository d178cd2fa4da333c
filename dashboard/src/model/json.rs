//! JSON laid out for reading, token by token as it was published.
//!
//! Numbers, escapes, duplicate keys and their order stay as they came, which a parse into values would lose.
//! Text that is no JSON, or nested deeper than [`DEPTH_MAX`], gives `None` and is shown as plain text.

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

impl Line<'_> {
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
        let shown: Vec<String> = lines
            .iter()
            .map(|line| {
                let tokens: String = line.tokens.iter().map(|token| token.text).collect();
                format!("{}{tokens}", "  ".repeat(line.depth))
            })
            .collect();
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
