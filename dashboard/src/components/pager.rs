//! The way through the pages of a long answer.

use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct PagerProps {
    /// Of what, for those who do not see where it stands.
    pub label: AttrValue,
    /// Which part is shown, in words.
    pub range: String,
    /// `None`: this is the first one.
    pub previous: Option<Callback<()>>,
    /// `None`: this is the last one.
    pub next: Option<Callback<()>>,
}

#[component]
pub fn Pager(props: &PagerProps) -> Html {
    let button = |words: &'static str, to: &Option<Callback<()>>| {
        let onclick = to.clone().map(|to| to.reform(|_: MouseEvent| ()));
        html! { <button type="button" class="button button-small" disabled={to.is_none()} {onclick}>{ words }</button> }
    };
    html! {
        <nav class="pager" aria-label={props.label.clone()}>
            <span class="note" role="status">{ props.range.clone() }</span>
            { button("Previous", &props.previous) }
            { button("Next", &props.next) }
        </nav>
    }
}
