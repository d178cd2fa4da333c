//! One row of the tree: the level's name, what its topic said last, and how much is below it.

use yew::prelude::*;

use crate::components::topic_path::level_name;
use crate::model::format::count;
use crate::model::hex;
use crate::model::payload::{Payload, shorten};
use crate::model::topics::rows::Row;
use crate::model::topics::{NodeId, Tree};

/// Of a payload.
const PREVIEW_CHARS_MAX: usize = 160;
const PREVIEW_BYTES_MAX: usize = 24;
/// Of a level's name.
const NAME_CHARS_MAX: usize = 200;
/// Deeper levels are not moved further to the right.
const INDENT_MAX: usize = 12;

pub struct RowState {
    pub is_selected: bool,
    /// The keys act on it.
    pub is_active: bool,
    pub on_click: Callback<MouseEvent>,
    pub on_toggle: Callback<MouseEvent>,
}

pub fn id(node: NodeId) -> String {
    format!("topic-{node}")
}

pub fn row(tree: &Tree, row: Row, state: RowState) -> Html {
    let node = tree.node(row.node);
    let topic = node.topic.as_ref();
    let path = tree.path(row.node);
    let below = node.topics - usize::from(topic.is_some());
    let expanded = row
        .is_branch
        .then_some(if row.is_open { "true" } else { "false" });
    let indent = (0..row.depth.min(INDENT_MAX)).map(|_| html! { <span class="indent"></span> });
    let class = classes!(
        "topic-row",
        state.is_active.then_some("is-active"),
        row.is_open.then_some("is-open"),
    );
    html! {
        <li key={row.node} id={id(row.node)} {class} role="treeitem" data-topic={path.clone()}
            aria-level={(row.depth + 1).to_string()} aria-posinset={row.place.to_string()} aria-setsize={row.siblings.to_string()}
            aria-expanded={expanded} aria-selected={if state.is_selected { "true" } else { "false" }}
            onclick={state.on_click} title={path}>
            if let Some(topic) = topic.filter(|topic| topic.messages > 1) {
                <span class="flash" key={topic.messages} aria-hidden="true"></span>
            }
            { for indent }
            <span class="twist" data-branch={row.is_branch.then_some("true")} onclick={state.on_toggle} aria-hidden="true"></span>
            <bdi class="topic-name">{ level_name(&shorten(&node.name, NAME_CHARS_MAX)) }</bdi>
            if let Some(topic) = topic {
                if topic.newest.retained {
                    <span class="mark-retained" title="Retained">{ "R" }<span class="visually-hidden">{ "etained" }</span></span>
                } else if topic.is_retained {
                    <span class="mark-retained" data-other="true" title="Another message is retained">{ "R" }<span class="visually-hidden">{ ": another message is retained" }</span></span>
                }
                <span class="topic-value">{ preview(&topic.newest.payload) }</span>
            }
            if below > 0 {
                <span class="topic-below">{ count(below as u64) }<span class="visually-hidden">{ " topics below" }</span></span>
            }
        </li>
    }
}

/// A payload on one line.
pub fn preview(payload: &Payload) -> Html {
    if payload.is_empty() {
        return html! { <span class="topic-empty">{ "empty" }</span> };
    }
    match payload.text() {
        Some(text) => {
            let text = shorten(text, PREVIEW_CHARS_MAX).replace(['\n', '\r', '\t'], " ");
            html! { <bdi>{ text }</bdi> }
        }
        None => html! { hex::start(payload.kept(), PREVIEW_BYTES_MAX) },
    }
}
