//! The line that is not valid, with a mark under the place.

use yew::prelude::*;

use crate::model::json::Fault;

/// Shown of the line, before the place and after it.
const CHARS_BESIDE: usize = 40;

pub fn fault_place(text: &str, fault: &Fault) -> Html {
    let line: Vec<char> = text
        .lines()
        .nth(fault.line - 1)
        .unwrap_or_default()
        .chars()
        .collect();
    let at = (fault.column - 1).min(line.len());
    let from = at.saturating_sub(CHARS_BESIDE);
    let to = (at + CHARS_BESIDE).min(line.len());
    let before: String = line[from..at].iter().collect();
    let after: String = line[(at + 1).min(to)..to].iter().collect();
    // At the end of a line there is no character to mark.
    let marked = line.get(at).map_or_else(|| " ".to_owned(), char::to_string);
    html! {
        <p class="fault payload" data-testid="fault-place" translate="no">
            <span class="fault-line">{ fault.line }</span>{ before }<mark>{ marked }</mark>{ after }
        </p>
    }
}
