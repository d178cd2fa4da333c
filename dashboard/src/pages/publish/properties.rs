//! The MQTT 5 properties of the message: folded away until somebody wants them.

use yew::prelude::*;

use super::editing;
use crate::browser;
use crate::components::form_field::{TextField, text_field};
use crate::model::publish::{Draft, USER_PROPERTIES_MAX};

/// A sentence each; empty: nothing is wrong.
pub struct Problems {
    pub expiry: String,
    pub response_topic: String,
    pub correlation: String,
}

pub fn property_fields(draft: &Draft, problems: Problems, on_change: &Callback<Draft>) -> Html {
    let edit = |change: fn(&mut Draft, String)| editing(draft, on_change, change);
    let pairs = draft.user_properties.iter().enumerate().map(|(index, (name, value))| {
        let oninput = |is_name: bool| {
            editing(draft, on_change, move |draft, event: InputEvent| {
                let text = browser::value_of(&event).unwrap_or_default();
                let (name, value) = &mut draft.user_properties[index];
                *(if is_name { name } else { value }) = text;
            })
        };
        let onclick = editing(draft, on_change, move |draft, _: MouseEvent| {
            draft.user_properties.remove(index);
        });
        let number = index + 1;
        html! {
            <li key={index} class="pair">
                <input class="input" type="text" value={name.clone()} oninput={oninput(true)} aria-label={format!("Name of user property {number}")} placeholder="name" autocomplete="off" spellcheck="false" />
                <input class="input" type="text" value={value.clone()} oninput={oninput(false)} aria-label={format!("Value of user property {number}")} placeholder="value" autocomplete="off" spellcheck="false" />
                <button type="button" class="button button-small" {onclick}>{ "Remove" }<span class="visually-hidden">{ format!(" user property {number}") }</span></button>
            </li>
        }
    });
    let onclick = editing(draft, on_change, |draft, _: MouseEvent| {
        draft.user_properties.push(Default::default());
    });
    let is_full = draft.user_properties.len() >= USER_PROPERTIES_MAX;
    let content_type = text_field(TextField {
        id: "publish-content-type",
        label: "Content Type",
        value: draft.content_type.clone(),
        placeholder: "application/json",
        on_input: edit(|draft, text| draft.content_type = text),
        ..TextField::default()
    });
    let expiry = text_field(TextField {
        id: "publish-expiry",
        label: "Message Expiry Interval, seconds",
        value: draft.expiry_s.clone(),
        problem: problems.expiry,
        on_input: edit(|draft, text| draft.expiry_s = text),
        ..TextField::default()
    });
    let response = text_field(TextField {
        id: "publish-response",
        label: "Response Topic",
        value: draft.response_topic.clone(),
        problem: problems.response_topic,
        on_input: edit(|draft, text| draft.response_topic = text),
        ..TextField::default()
    });
    let correlation = text_field(TextField {
        id: "publish-correlation",
        label: "Correlation Data, hex",
        value: draft.correlation.clone(),
        problem: problems.correlation,
        on_input: edit(|draft, text| draft.correlation = text),
        ..TextField::default()
    });
    html! {
        <details class="fold" open={draft.has_properties()}>
            <summary>{ "Properties of MQTT 5" }</summary>
            <div class="form">
                <div class="form-grid">
                    { content_type }
                    { expiry }
                    { response }
                    { correlation }
                </div>
                <div class="field" role="group" aria-labelledby="user-properties">
                    <span id="user-properties" class="field-label">{ "User Properties" }</span>
                    <ol class="pair-list">{ for pairs }</ol>
                    <p><button type="button" class="button button-small" disabled={is_full} {onclick}>{ "Add a user property" }</button></p>
                </div>
            </div>
        </details>
    }
}
