//! One configuration topic and its value.

use std::rc::Rc;

use ebbtide_api::Scope;
use yew::prelude::*;

use crate::browser;
use crate::components::content::PayloadView;
use crate::components::link::PageLink;
use crate::components::now::RelativeTime;
use crate::components::topic_path::topic_path;
use crate::model::board::Entry;
use crate::model::location::Location;
use crate::pages::topics;
use crate::retained;
use crate::shell::use_shell;

#[derive(Properties)]
pub struct ConfigEntryProps {
    pub entry: Rc<Entry<()>>,
    /// The topic below the board's fixed part.
    pub path: AttrValue,
    /// Where it is edited.
    pub edit: Location,
}

impl PartialEq for ConfigEntryProps {
    /// An entry that changed is another object.
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.entry, &other.entry) && self.path == other.path && self.edit == other.edit
    }
}

#[component]
pub fn ConfigEntry(props: &ConfigEntryProps) -> Html {
    let shell = use_shell();
    let entry = &*props.entry;
    let on_clear = {
        let (shell, entry) = (shell.clone(), Rc::clone(&props.entry));
        Callback::from(move |event: MouseEvent| {
            browser::focus_beside(&event);
            retained::clear(&shell, &entry.topic);
        })
    };
    let may = shell.may(Scope::Publish);
    html! {
        <li class="card config-entry" tabindex="-1" data-testid="config-entry" data-topic={AttrValue::Rc(Rc::clone(&entry.topic))}>
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
            <div class="config-actions">
                if may {
                    <PageLink to={props.edit.clone()} class="button button-small">{ "Edit" }<span class="visually-hidden">{ format!(" {}", props.path) }</span></PageLink>
                } else {
                    <button type="button" class="button button-small" disabled={true}>{ "Edit" }<span class="visually-hidden">{ format!(" {}", props.path) }</span></button>
                }
                <PageLink to={topics::location_of(&entry.topic)} class="button button-small">{ "History" }<span class="visually-hidden">{ format!(" of {}", props.path) }</span></PageLink>
                <button type="button" class="button button-small" disabled={!may || !shell.connection.is_online()} onclick={on_clear}>{ "Clear" }<span class="visually-hidden">{ format!(" {}", props.path) }</span></button>
            </div>
        </li>
    }
}
