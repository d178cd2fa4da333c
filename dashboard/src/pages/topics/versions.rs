//! What a topic said during this visit, the newest first, and what changed from one to the next.

use std::rc::Rc;

use yew::prelude::*;

use super::row::preview;
use crate::browser;
use crate::components::diff_view::diff_view;
use crate::components::payload_panel::PayloadPanel;
use crate::model::message::Message;
use crate::model::topics::PER_TOPIC_MAX;

/// Listed before the viewer asks for more.
const LISTED_FIRST: usize = 20;

#[derive(Properties)]
pub struct Props {
    /// The newest first, and the one that is shown above among them.
    pub versions: Rc<[Rc<Message>]>,
}

impl PartialEq for Props {
    /// Messages never change; only others come first.
    fn eq(&self, other: &Self) -> bool {
        let first = |versions: &[Rc<Message>]| versions.first().map(Rc::as_ptr);
        first(&self.versions) == first(&other.versions)
            && self.versions.len() == other.versions.len()
    }
}

#[component]
pub fn Versions(props: &Props) -> Html {
    let all = use_state_eq(|| false);
    // By its message: others may come before it.
    let opened = use_state(|| None::<Rc<Message>>);
    let versions = &props.versions;
    let listed_max = if *all { usize::MAX } else { LISTED_FIRST };
    let listed = versions.iter().take(listed_max).enumerate().map(|(index, message)| {
        let is_open = opened.as_ref().is_some_and(|open| Rc::ptr_eq(open, message));
        let onclick = {
            let (opened, message) = (opened.clone(), Rc::clone(message));
            Callback::from(move |_: MouseEvent| {
                opened.set((!is_open).then(|| Rc::clone(&message)));
            })
        };
        let before = versions.get(index + 1);
        let expanded = if is_open { "true" } else { "false" };
        html! {
            <li key={format!("{:p}", Rc::as_ptr(message))} class="version">
                <button type="button" class="version-head" aria-expanded={expanded} {onclick}>
                    <time datetime={browser::iso_time(message.at_ms)}>{ browser::time_of_day(message.at_ms) }</time>
                    if message.retained {
                        <span class="mark-retained" title="Retained">{ "R" }<span class="visually-hidden">{ "etained" }</span></span>
                    }
                    <span class="topic-value">{ preview(&message.payload) }</span>
                </button>
                if is_open {
                    <div class="version-body">
                        if let Some(before) = before {
                            { diff_view(&before.payload, &message.payload, "Changes from the message before") }
                        } else {
                            <p class="note">{ "The first that this page has seen." }</p>
                        }
                        <PayloadPanel id="version" payload={message.payload.clone()} />
                    </div>
                }
            </li>
        }
    });
    let rest = versions.len().saturating_sub(LISTED_FIRST);
    let onclick = {
        let all = all.clone();
        Callback::from(move |_: MouseEvent| all.set(true))
    };
    html! {
        <>
            <ol class="versions" aria-label="Messages of this topic, the newest first">{ for listed }</ol>
            if rest > 0 && !*all {
                <p><button type="button" class="link-button" {onclick}>{ format!("Show {rest} more") }</button></p>
            }
            if versions.len() > PER_TOPIC_MAX {
                <p class="note">{ format!("Of each topic the last {PER_TOPIC_MAX} are remembered here.") }</p>
            }
        </>
    }
}
