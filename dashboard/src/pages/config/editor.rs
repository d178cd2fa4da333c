//! Editing one value: what is stored beside what would be, the place where it is not valid, and what somebody else did to
//! it meanwhile.
//!
//! MQTT has no conditional publish: a change of somebody else's is seen as soon as it arrives here, and not before.

use ebbtide_api::Scope;
use yew::prelude::*;

use crate::components::dialog::Dialog;
use crate::components::diff_view::diff_view;
use crate::components::fault_place::fault_place;
use crate::components::form_field::{TextField, text_field};
use crate::components::needs::needs;
use crate::components::segmented::{Segmented, segmented};
use crate::components::topic_path::topic_path;
use crate::components::unsaved::{button, use_unsaved};
use crate::model::bytes::{Form, encode};
use crate::model::edit::{Draft, Obstacle};
use crate::model::filter;
use crate::model::message::Properties;
use crate::model::payload::Payload;
use crate::retained;
use crate::shell::{Shell, use_shell};

#[derive(Properties, PartialEq)]
pub struct Props {
    /// `None`: a new value, whose topic is still to be named.
    pub topic: Option<String>,
    /// With what a new topic begins.
    pub prefix: String,
    /// What the broker keeps there now, with its properties.
    pub stored: Option<(Payload, Properties)>,
    pub on_close: Callback<()>,
}

#[component]
pub fn Editor(props: &Props) -> Html {
    let shell = use_shell();
    let stored = props.stored.as_ref().map(|(payload, _)| payload);
    let draft = use_state_eq(|| match stored {
        Some(stored) => Draft::of(stored),
        None => Some(Draft::new()),
    });
    let is_cut = |(_, properties): &(_, Properties)| properties.is_cut;
    let is_cut = props.stored.as_ref().is_some_and(is_cut);
    let new_topic = use_state_eq(|| props.prefix.clone());
    let failed = use_state_eq(String::new);
    let is_dirty = draft.as_ref().is_some_and(Draft::is_dirty);
    let unsaved = use_unsaved(is_dirty, &props.on_close);
    let title = if props.topic.is_some() {
        "Edit a value"
    } else {
        "A new value"
    };
    let topic = props.topic.clone().unwrap_or_else(|| (*new_topic).clone());
    let Some(current) = draft.as_ref().filter(|_| !is_cut) else {
        return html! {
            <Dialog id="edit-value" title={title} on_close={props.on_close.clone()}>
                <p class="dialog-topic">{ topic_path(&topic) }</p>
                <p class="lead">{ "This value or its properties are too large to be edited here. Publish it with a program." }</p>
                <div class="dialog-actions">{ button("Close", "button", props.on_close.clone()) }</div>
            </Dialog>
        };
    };
    let change = {
        let (draft, failed, go_on) = (draft.clone(), failed.clone(), unsaved.go_on());
        Callback::from(move |next: Draft| {
            draft.set(Some(next));
            failed.set(String::new());
            go_on.emit(());
        })
    };
    let on_mine = change.reform({
        let (current, stored) = (current.clone(), stored.cloned());
        move |()| {
            let mut next = current.clone();
            next.keep_mine(stored.as_ref());
            next
        }
    });
    let on_theirs = change.reform({
        let stored = stored.cloned();
        move |()| {
            stored
                .as_ref()
                .and_then(Draft::of)
                .unwrap_or_else(Draft::new)
        }
    });
    let checked = current.check(stored);
    let topic_problem = match (&props.topic, filter::check_name(&topic)) {
        (None, Err(problem)) => problem,
        _ => String::new(),
    };
    let online = shell.connection.is_online();
    let may = shell.may(Scope::Publish);
    let can_publish = checked.is_ok() && online && topic_problem.is_empty() && may;
    let problem = (*failed).clone();
    let on_publish = {
        let on_close = props.on_close.clone();
        let done = Callback::from(move |answer: Result<(), String>| match answer {
            Ok(()) => on_close.emit(()),
            Err(reason) => failed.set(format!("Nothing was published: {reason}.")),
        });
        let (topic, before) = (topic.clone(), props.stored.clone());
        publishing(&shell, topic, checked.clone().ok(), before, done)
    };
    let topic_field = text_field(TextField {
        id: "edit-topic",
        label: "Topic",
        value: topic.clone(),
        on_input: Callback::from(move |text| new_topic.set(text)),
        problem: topic_problem,
        ..TextField::default()
    });
    let would_be = encode(current.form, &current.text).ok();
    let actions = html! {
        <>
            if !online {
                <p class="note dialog-question">{ "There is no connection: publish when it is back." }</p>
            }
            { needs(&shell, Scope::Publish) }
            { button("Cancel", "button", unsaved.close.clone()) }
            <button type="button" class="button button-primary" disabled={!can_publish} onclick={on_publish}>{ "Publish" }</button>
        </>
    };
    html! {
        <Dialog id="edit-value" {title} class="dialog-wide" on_close={unsaved.close.clone()}>
            if props.topic.is_some() {
                <p class="dialog-topic">{ topic_path(&topic) }</p>
            } else {
                { topic_field }
            }
            if let Err(Obstacle::Conflict(theirs)) = &checked {
                { conflict(theirs.as_ref(), would_be.as_deref(), on_theirs, on_mine) }
            }
            <div class="editor-columns">
                { value_fields(current, &checked, &change) }
                <section aria-labelledby="edit-changes">
                    <h3 id="edit-changes" class="field-label">{ "What would change" }</h3>
                    { changes(stored, would_be) }
                </section>
            </div>
            if !problem.is_empty() {
                <p class="problem" role="alert">{ problem }</p>
            }
            { unsaved.actions("Your changes are not published. Leave them?", actions) }
        </Dialog>
    }
}

/// Publishes the bytes, if there are any to publish.
fn publishing(
    shell: &Shell,
    topic: String,
    bytes: Option<Vec<u8>>,
    before: Option<(Payload, Properties)>,
    done: Callback<Result<(), String>>,
) -> Callback<MouseEvent> {
    let shell = shell.clone();
    Callback::from(move |_: MouseEvent| {
        let Some(bytes) = bytes.clone() else { return };
        let (before, done) = (before.clone(), done.clone());
        // What came with the old value goes with the new one.
        let properties = before.as_ref().map(|(_, properties)| properties.clone());
        let properties = properties.unwrap_or_default();
        retained::set(&shell, &topic, bytes, properties, before, done);
    })
}

/// The value, in one of its forms, and where it is not valid.
fn value_fields(
    current: &Draft,
    checked: &Result<Vec<u8>, Obstacle>,
    change: &Callback<Draft>,
) -> Html {
    let forms = segmented(Segmented {
        name: "edit-form".to_owned(),
        label: "Edit as",
        show_label: true,
        choices: Form::ALL.map(|form| (form.name(), form.words())).to_vec(),
        chosen: current.form.name().to_owned(),
        on_choose: change.reform({
            let current = current.clone();
            move |form: &'static str| {
                let form = Form::from_name(form).unwrap_or_default();
                current.clone().with_form(form)
            }
        }),
    });
    let value = text_field(TextField {
        id: "edit-text",
        label: "Value",
        value: current.text.clone(),
        on_input: change.reform({
            let current = current.clone();
            move |text| current.clone().with_text(text)
        }),
        problem: said(checked),
        is_long: true,
        ..TextField::default()
    });
    html! {
        <div class="form">
            { forms }
            { value }
            if let Err(Obstacle::Invalid(fault)) = checked {
                { fault_place(&current.text, fault) }
            }
        </div>
    }
}

fn conflict(
    theirs: Option<&Payload>,
    mine: Option<&[u8]>,
    on_theirs: Callback<()>,
    on_mine: Callback<()>,
) -> Html {
    let words = match theirs {
        Some(_) => "Somebody else changed this value while you were editing.",
        None => "Somebody else cleared this value while you were editing.",
    };
    html! {
        <section class="conflict" role="alert" data-testid="edit-conflict">
            <h3>{ words }</h3>
            if let (Some(theirs), Some(mine)) = (theirs, mine) {
                { diff_view(theirs, &Payload::new(mine), "From their value to yours") }
            }
            <div class="form-row">
                if theirs.is_some() {
                    { button("Take theirs", "button", on_theirs) }
                }
                { button("Keep mine, and publish over it", "button", on_mine) }
            </div>
        </section>
    }
}

fn changes(stored: Option<&Payload>, would_be: Option<Vec<u8>>) -> Html {
    match would_be {
        None => html! { <p class="note">{ "Shown as soon as the value is valid." }</p> },
        Some(bytes) => {
            let old = stored.cloned().unwrap_or_else(|| Payload::new(&[]));
            diff_view(
                &old,
                &Payload::new(&bytes),
                "From what is stored to your value",
            )
        }
    }
}

/// What stands in the way, for the field.
fn said(checked: &Result<Vec<u8>, Obstacle>) -> String {
    match checked {
        Err(Obstacle::Invalid(fault)) => format!("Not valid: {fault}."),
        Err(Obstacle::Empty) => "Empty: to take the value away, use Clear.".to_owned(),
        _ => String::new(),
    }
}
