//! One client, device or person on the presence board.

use std::rc::Rc;

use yew::prelude::*;

use super::now::RelativeTime;
use super::topic_path::level_name;
use crate::model::board::Entry;
use crate::model::payload::shorten;
use crate::model::presence::{Presence, display_name};

/// More metadata than this is behind a disclosure.
const FIELDS_FIRST: usize = 4;
/// A longer value may not fit its line: the whole of it is in the title.
const VALUE_BYTES_SHOWN: usize = 12;
/// Of a name; the whole topic is in the title.
const NAME_CHARS_MAX: usize = 120;

#[derive(Properties)]
pub struct PresenceCardProps {
    pub entry: Rc<Entry<Presence>>,
    /// The topic below the board's fixed part.
    pub name: AttrValue,
}

impl PartialEq for PresenceCardProps {
    /// An entry that changed is another object.
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.entry, &other.entry) && self.name == other.name
    }
}

#[component]
pub fn PresenceCard(props: &PresenceCardProps) -> Html {
    let entry = &*props.entry;
    let presence = &entry.value;
    let status = presence.status.name();
    let name = shorten(&display_name(&props.name), NAME_CHARS_MAX);
    let (first, rest) = presence
        .fields
        .split_at(presence.fields.len().min(FIELDS_FIRST));
    let when = match (presence.since_ms, entry.changed_at_ms) {
        (Some(since_ms), _) => html! { <RelativeTime at_ms={since_ms} lasting={true} /> },
        (None, Some(at_ms)) => html! { <>{ "changed " }<RelativeTime {at_ms} /></> },
        (None, None) => html! { "time not stated" },
    };
    html! {
        <li class="card presence-card" data-testid="presence-card" data-topic={AttrValue::Rc(Rc::clone(&entry.topic))} data-status={status}>
            if entry.changes > 0 {
                <span class="flash" key={entry.changes} aria-hidden="true"></span>
            }
            <div class="presence-head">
                <h3 class="presence-name" title={AttrValue::Rc(Rc::clone(&entry.topic))} dir="auto">{ level_name(&name) }</h3>
                <span class="status" data-status={status}>{ presence.status.word() }</span>
            </div>
            <p class="presence-since">{ when }</p>
            if let Some(raw) = &presence.raw {
                <p class="presence-raw" dir="auto">{ raw.clone() }</p>
            }
            if !first.is_empty() {
                { fields(first) }
            }
            if !rest.is_empty() {
                <details class="presence-more">
                    <summary>{ format!("{} more", rest.len()) }</summary>
                    { fields(rest) }
                </details>
            }
        </li>
    }
}

fn fields(fields: &[(String, String)]) -> Html {
    let rows = fields.iter().map(|(name, value)| {
        let long = value.len() > VALUE_BYTES_SHOWN;
        html! {
            <>
                <dt dir="auto">{ name.clone() }</dt>
                <dd dir="auto" title={long.then(|| value.clone())}>{ value.clone() }</dd>
            </>
        }
    });
    html! { <dl class="fields">{ for rows }</dl> }
}
