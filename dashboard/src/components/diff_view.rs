//! Two versions of a payload, line by line: what went, what came. Said with signs as well as with colour.

use yew::prelude::*;

use crate::model::diff::{Diff, Line, Side, diff};
use crate::model::format::counted;
use crate::model::payload::Payload;

/// Drawn at the most.
const LINES_SHOWN_MAX: usize = 400;

/// `label` says what the two are, for those who do not see them side by side.
pub fn diff_view(old: &Payload, new: &Payload, label: &'static str) -> Html {
    match diff(old, new) {
        Diff::Same => html! { <p class="note">{ "They say the same." }</p> },
        Diff::Binary => html! {
            <p class="note">
                { "Binary content has no lines to compare. Its size: " }
                { format!("{} before, {} after.", old.bytes(), new.bytes()) }
            </p>
        },
        Diff::Lines {
            lines,
            added,
            removed,
            is_cut,
        } => {
            let rest = lines.len().saturating_sub(LINES_SHOWN_MAX);
            html! {
                <>
                    <p class="diff-sum note">
                        <span class="diff-added">{ format!("+{added}") }</span>{ " " }
                        <span class="diff-removed">{ format!("−{removed}") }</span>
                        { if is_cut { " Only the beginnings were compared." } else { "" } }
                    </p>
                    <div class="diff payload" role="group" tabindex="0" aria-label={label} translate="no">
                        { for lines.iter().take(LINES_SHOWN_MAX).map(line) }
                        if rest > 0 {
                            <p class="json-rest">{ format!("{rest} more lines") }</p>
                        }
                    </div>
                </>
            }
        }
    }
}

fn line(line: &Line) -> Html {
    let (class, sign, text) = match line {
        Line::Same(count) => {
            return html! { <div class="diff-gap">{ format!("{} unchanged", counted(*count as u64, "line")) }</div> };
        }
        Line::Text(Side::Both, text) => ("diff-both", " ", text),
        Line::Text(Side::Old, text) => ("diff-old", "−", text),
        Line::Text(Side::New, text) => ("diff-new", "+", text),
    };
    html! {
        <div class={classes!("diff-line", class)}>
            <span class="diff-sign">{ sign }</span><span class="diff-text"><bdi>{ text.clone() }</bdi></span>
        </div>
    }
}
