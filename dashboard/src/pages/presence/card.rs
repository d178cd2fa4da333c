//! One client, device or person on the presence page. All cards have one height: what has no room is behind a disclosure.

use std::rc::Rc;

use yew::prelude::*;

use crate::components::now::RelativeTime;
use crate::components::topic_path::level_name;
use crate::model::board::Entry;
use crate::model::payload::shorten;
use crate::model::presence::{Presence, display_name};

/// As many lines of metadata as a card has room for.
const FIELDS_SHOWN: usize = 2;
/// A longer value may not fit its line: the whole of it is in the title.
const VALUE_BYTES_SHOWN: usize = 12;
/// Of a name; the whole topic is in the title.
const NAME_CHARS_MAX: usize = 120;

#[derive(Properties)]
pub struct PresenceCardProps {
    pub entry: Rc<Entry<Presence>>,
    /// The topic below the board's fixed part.
    pub name: AttrValue,
    /// Its place on the board.
    pub index: usize,
    /// How many there are on the board.
    pub items: usize,
}

impl PartialEq for PresenceCardProps {
    /// An entry that changed is another object.
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.entry, &other.entry)
            && self.name == other.name
            && (self.index, self.items) == (other.index, other.items)
    }
}

#[component]
pub fn PresenceCard(props: &PresenceCardProps) -> Html {
    let is_open = use_state_eq(|| false);
    let entry = &*props.entry;
    let presence = &entry.value;
    let status = presence.status.name();
    let name = shorten(&display_name(&props.name), NAME_CHARS_MAX);
    let has_more = presence.fields.len() > FIELDS_SHOWN;
    let shown = if *is_open { usize::MAX } else { FIELDS_SHOWN };
    let fields: Vec<_> = presence.fields.iter().take(shown).collect();
    let more = presence.fields.len().saturating_sub(fields.len());
    let when = match (presence.since_ms, entry.changed_at_ms) {
        (Some(since_ms), _) => html! { <RelativeTime at_ms={since_ms} lasting={true} /> },
        (None, Some(at_ms)) => html! { <>{ "changed " }<RelativeTime {at_ms} /></> },
        (None, None) => html! { "time not stated" },
    };
    let toggle = {
        let is_open = is_open.clone();
        Callback::from(move |_: MouseEvent| is_open.set(!*is_open))
    };
    let topic = AttrValue::Rc(Rc::clone(&entry.topic));
    html! {
        <li class="card presence-card" data-testid="presence-card" data-topic={topic.clone()} data-status={status}
            data-open={is_open.then_some("true")}
            aria-posinset={(props.index + 1).to_string()} aria-setsize={props.items.to_string()}>
            if entry.changes > 0 {
                <span class="flash" key={entry.changes} aria-hidden="true"></span>
            }
            <div class="presence-head">
                <h2 class="presence-name" title={topic} dir="auto">{ level_name(&name) }</h2>
                <span class="status" data-status={status}>{ presence.status.word() }</span>
            </div>
            <p class="presence-since">
                <span>{ when }</span>
                if has_more {
                    <button type="button" class="link-button" aria-expanded={if *is_open { "true" } else { "false" }} onclick={toggle}>
                        { if *is_open { "Less".to_owned() } else { format!("{more} more") } }
                        <span class="visually-hidden">{ format!(" about {name}") }</span>
                    </button>
                }
            </p>
            if let Some(raw) = &presence.raw {
                <p class="presence-raw" dir="auto" title={raw.clone()}>{ raw.clone() }</p>
            }
            if !fields.is_empty() {
                <dl class="fields">{ for fields.into_iter().map(field) }</dl>
            }
        </li>
    }
}

fn field((name, value): &(String, String)) -> Html {
    let long = value.len() > VALUE_BYTES_SHOWN;
    html! {
        <>
            <dt dir="auto">{ name.clone() }</dt>
            <dd dir="auto" title={long.then(|| value.clone())}>{ value.clone() }</dd>
        </>
    }
}
