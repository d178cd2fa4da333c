//! What stands in place of a board's entries when there are none to show: loading, refused, no match, not reachable.

use yew::prelude::*;

const SKELETONS: usize = 12;

/// Placeholders of the size of what is coming.
pub fn skeleton(class: &'static str) -> Html {
    let shapes = (0..SKELETONS).map(|_| {
        html! {
            <li class={classes!("card", "skeleton", class)}>
                <span class="bone bone-title"></span>
                <span class="bone"></span>
                <span class="bone bone-short"></span>
            </li>
        }
    });
    html! {
        <>
            <p class="visually-hidden">{ "Loading" }</p>
            <ul class={classes!("grid", format!("{class}-grid"))} aria-hidden="true">{ for shapes }</ul>
        </>
    }
}

pub fn message(title: &str, text: &str, action: Html) -> Html {
    html! {
        <div class="panel message">
            <h2>{ title.to_owned() }</h2>
            <p class="lead">{ text.to_owned() }</p>
            { action }
        </div>
    }
}

/// Placeholders for the rows of a table.
pub fn rows_skeleton() -> Html {
    let rows =
        (0..SKELETONS).map(|_| html! { <li class="skeleton-row"><span class="bone"></span></li> });
    html! {
        <>
            <p class="visually-hidden">{ "Loading" }</p>
            <ul class="panel skeleton-rows" aria-hidden="true">{ for rows }</ul>
        </>
    }
}
