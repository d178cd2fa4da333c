//! A payload as a block: JSON by its structure, text as it is, anything else as hexadecimal digits.

use yew::prelude::*;

use crate::model::hex;
use crate::model::json::Line;
use crate::model::payload::{Content, KEPT_BYTES_MAX, Payload, shorten, size};

/// Drawn before the viewer asks for more.
const LINES_FIRST: usize = 14;
const TEXT_CHARS_FIRST: usize = 480;
/// Drawn at most.
const LINES_MAX: usize = 4_000;
const HEX_ROWS_MAX: usize = 512;

#[derive(Properties, PartialEq)]
pub struct PayloadViewProps {
    pub payload: Payload,
}

#[component]
pub fn PayloadView(props: &PayloadViewProps) -> Html {
    let open = use_state_eq(|| false);
    let payload = &props.payload;
    let (block, more) = match payload.content() {
        Content::Json(lines) => json(&lines, *open),
        Content::Text(text) => plain(text, *open),
        Content::Binary(bytes) => binary(bytes, *open),
    };
    let toggle = {
        let open = open.clone();
        Callback::from(move |_: MouseEvent| open.set(!*open))
    };
    let note = note(payload);
    html! {
        <>
            { block }
            if more || *open || note.is_some() {
                <p class="payload-foot">
                    if more || *open {
                        <button type="button" class="link-button" aria-expanded={if *open { "true" } else { "false" }} onclick={toggle}>
                            { if *open { "Show less" } else { "Show all" } }
                        </button>
                    }
                    if let Some(note) = note {
                        <span class="payload-note">{ note }</span>
                    }
                </p>
            }
        </>
    }
}

fn note(payload: &Payload) -> Option<String> {
    if payload.is_cut() {
        let whole = size(payload.bytes());
        return Some(format!("The first {} of {whole}", size(KEPT_BYTES_MAX)));
    }
    payload
        .text()
        .is_none()
        .then(|| format!("Binary, {}", size(payload.bytes())))
}

fn json(lines: &[Line<'_>], open: bool) -> (Html, bool) {
    let shown_max = if open { LINES_MAX } else { LINES_FIRST };
    let chars_max = if open { usize::MAX } else { TEXT_CHARS_FIRST };
    let mut cut = lines.len() > shown_max;
    let mut nodes: Vec<Html> = Vec::new();
    // Punctuation and indentation between two coloured tokens are one text node: a board has thousands of them.
    let mut plain = String::new();
    for (index, line) in lines.iter().take(shown_max).enumerate() {
        if index > 0 {
            plain.push('\n');
        }
        plain.push_str(&"  ".repeat(line.depth));
        for token in &line.tokens {
            let Some(class) = token.kind.class() else {
                plain.push_str(token.text);
                continue;
            };
            if !plain.is_empty() {
                nodes.push(html! { std::mem::take(&mut plain) });
            }
            let text = shorten(token.text, chars_max);
            cut |= text.len() < token.text.len();
            nodes.push(html! { <span {class}>{ text }</span> });
        }
    }
    nodes.push(html! { plain });
    let block = html! { <pre class="payload payload-json" translate="no">{ for nodes }</pre> };
    (block, cut)
}

fn plain(text: &str, open: bool) -> (Html, bool) {
    let lines_first = text
        .match_indices('\n')
        .nth(LINES_FIRST)
        .map_or(text, |(end, _)| &text[..end]);
    let first = shorten(lines_first, TEXT_CHARS_FIRST);
    let cut = first.len() < text.len();
    let shown = if open { text.to_owned() } else { first };
    let block =
        html! { <pre class="payload payload-text" dir="auto" translate="no">{ shown }</pre> };
    (block, cut)
}

fn binary(bytes: &[u8], open: bool) -> (Html, bool) {
    let rows_max = if open { HEX_ROWS_MAX } else { LINES_FIRST };
    let rows = hex::rows(bytes, rows_max);
    let block = html! { <pre class="payload payload-hex" translate="no">{ rows.join("\n") }</pre> };
    (block, bytes.len() > LINES_FIRST * hex::BYTES_PER_ROW)
}
