//! One configuration topic and its value.

use std::rc::Rc;

use yew::prelude::*;

use crate::components::content::PayloadView;
use crate::components::now::RelativeTime;
use crate::components::topic_path::topic_path;
use crate::model::board::Entry;

#[derive(Properties)]
pub struct ConfigEntryProps {
    pub entry: Rc<Entry<()>>,
    /// The topic below the board's fixed part.
    pub path: AttrValue,
}

impl PartialEq for ConfigEntryProps {
    /// An entry that changed is another object.
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.entry, &other.entry) && self.path == other.path
    }
}

#[component]
pub fn ConfigEntry(props: &ConfigEntryProps) -> Html {
    let entry = &*props.entry;
    html! {
        <li class="card config-entry" data-testid="config-entry" data-topic={AttrValue::Rc(Rc::clone(&entry.topic))}>
            if entry.changes > 0 {
                <span class="flash" key={entry.changes} aria-hidden="true"></span>
            }
            <div class="config-head">
                <h2 class="config-path" title={AttrValue::Rc(Rc::clone(&entry.topic))}>{ topic_path(&props.path) }</h2>
                if let Some(at_ms) = entry.changed_at_ms {
                    <span class="config-changed">{ "changed " }<RelativeTime {at_ms} /></span>
                }
            </div>
            <PayloadView payload={entry.payload.clone()} />
        </li>
    }
}
