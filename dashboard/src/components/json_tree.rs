//! JSON as a tree: laid out line by line, each object and list folded and opened on its own.
//!
//! Only text nodes come of it. Long ones end after a named number of lines and say so.

use yew::prelude::*;

use crate::model::json::{self, Line};
use crate::model::payload::shorten;

/// Drawn at most; the rest is one click away.
const LINES_FIRST: usize = 400;
const LINES_MAX: usize = 4_000;
const TOKEN_CHARS_MAX: usize = 4_000;

#[derive(Properties, PartialEq)]
pub struct JsonTreeProps {
    /// Valid JSON, not too deep; else nothing is drawn.
    pub text: AttrValue,
}

#[component]
pub fn JsonTree(props: &JsonTreeProps) -> Html {
    let folded = use_state(Vec::<usize>::new);
    let all = use_state_eq(|| false);
    let Some(lines) = json::pretty(&props.text) else {
        return Html::default();
    };
    let ends = json::ends(&lines);
    let lines_max = if *all { LINES_MAX } else { LINES_FIRST };
    let mut drawn = Vec::new();
    let mut at = 0;
    while at < lines.len() && drawn.len() < lines_max {
        let end = ends[at];
        let is_folded = folded.contains(&at) && end.is_some();
        drawn.push(row(&lines, at, end, is_folded, &folded));
        at = match end {
            Some(end) if is_folded => end + 1,
            _ => at + 1,
        };
    }
    let rest = lines.len() - at;
    let more = {
        let all = all.clone();
        Callback::from(move |_: MouseEvent| all.set(true))
    };
    html! {
        <div class="json-tree payload" translate="no">
            { for drawn }
            if rest > 0 {
                <p class="json-rest">
                    { format!("{rest} more lines") }
                    if !*all {
                        { " " }<button type="button" class="link-button" onclick={more}>{ "Show more" }</button>
                    }
                </p>
            }
        </div>
    }
}

fn row(
    lines: &[Line<'_>],
    at: usize,
    end: Option<usize>,
    is_folded: bool,
    folded: &UseStateHandle<Vec<usize>>,
) -> Html {
    let line = &lines[at];
    let toggle = end.map(|_| {
        let folded = folded.clone();
        let onclick = Callback::from(move |_: MouseEvent| {
            let mut next = (*folded).clone();
            match next.iter().position(|line| *line == at) {
                Some(place) => drop(next.swap_remove(place)),
                None => next.push(at),
            }
            folded.set(next);
        });
        let expanded = if is_folded { "false" } else { "true" };
        html! {
            <button type="button" class="json-fold" aria-expanded={expanded} aria-label={format!("Line {}", at + 1)} {onclick}></button>
        }
    });
    let tokens = line.tokens.iter().map(|token| {
        let text = shorten(token.text, TOKEN_CHARS_MAX);
        match token.kind.class() {
            Some(class) => html! { <span {class}>{ text }</span> },
            None => html! { { text } },
        }
    });
    let indent = (0..line.depth).map(|_| html! { <span class="json-indent"></span> });
    let closing = end.filter(|_| is_folded).map(|end| {
        let tokens = lines[end].tokens.iter().map(|token| token.text);
        let inside = end - at - 1;
        html! {
            <>
                <span class="json-folded">{ format!("{inside} {}", if inside == 1 { "line" } else { "lines" }) }</span>
                { for tokens }
            </>
        }
    });
    html! {
        <div class="json-line" key={at}>
            <span class="json-gutter">{ toggle }</span>{ for indent }<span class="json-text">{ for tokens }{ closing }</span>
        </div>
    }
}
