//! The way through the pages of a long answer.

use yew::prelude::*;

/// `label` says of what, `range` which part is shown. Without `previous` this is the first one, without `next` the last.
pub fn pager(
    label: &'static str,
    range: String,
    previous: Option<Callback<()>>,
    next: Option<Callback<()>>,
) -> Html {
    let button = |words: &'static str, to: Option<Callback<()>>| {
        let disabled = to.is_none();
        let onclick = to.map(|to| to.reform(|_: MouseEvent| ()));
        html! { <button type="button" class="button button-small" {disabled} {onclick}>{ words }</button> }
    };
    html! {
        <nav class="pager" aria-label={label}>
            <span class="note" role="status">{ range }</span>
            { button("Previous", previous) }
            { button("Next", next) }
        </nav>
    }
}
