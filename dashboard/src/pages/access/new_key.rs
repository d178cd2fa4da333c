//! A key being made, and the one time that it is shown. With the dialog it goes from the page.

use ebbtide_api::{KeyRequest, Scope};
use yew::prelude::*;

use super::scopes::scopes_field;
use crate::api;
use crate::components::code_line::code_line;
use crate::components::dialog::Dialog;
use crate::components::form_field::{TextField, text_field};

#[derive(Properties, PartialEq)]
pub struct Props {
    pub on_close: Callback<()>,
}

#[component]
pub fn NewKeyDialog(props: &Props) -> Html {
    let label = use_state_eq(String::new);
    let scopes = use_state_eq(|| vec![Scope::Read]);
    let problem = use_state_eq(String::new);
    let made = use_state_eq(|| None::<String>);
    let onsubmit = {
        let (label, scopes) = (label.clone(), scopes.clone());
        let (problem, made) = (problem.clone(), made.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let request = KeyRequest {
                label: label.trim().to_owned(),
                scopes: (*scopes).clone(),
            };
            if request.label.is_empty() {
                problem.set(
                    "Say what it is for: so it is known later what may be revoked.".to_owned(),
                );
                return;
            }
            let (problem, made) = (problem.clone(), made.clone());
            wasm_bindgen_futures::spawn_local(async move {
                match api::access::make_key(&request).await {
                    Ok(new) => made.set(Some(new.key.0)),
                    Err(fault) => problem.set(format!("It was not made. {fault}")),
                }
            });
        })
    };
    let close = props.on_close.reform(|_: MouseEvent| ());
    if let Some(key) = &*made {
        return html! {
            <Dialog key="made" id="key-made" title="The key" on_close={Callback::noop()}>
                <p class="lead">{ "Copy it now: it is shown this once. The broker keeps a hash of it only." }</p>
                <div data-testid="new-key">{ code_line(key, "Key", "the key") }</div>
                <div class="dialog-actions">
                    <button type="button" class="button button-primary" onclick={close}>{ "I have it" }</button>
                </div>
            </Dialog>
        };
    }
    html! {
        <Dialog key="make" id="make-key" title="Make a key" on_close={props.on_close.clone()}>
            <form class="form" {onsubmit}>
                { text_field(TextField {
                    id: "key-label",
                    label: "What it is for",
                    value: (*label).clone(),
                    on_input: { let label = label.clone(); Callback::from(move |text| label.set(text)) },
                    placeholder: "backup at night",
                    ..TextField::default()
                }) }
                { scopes_field(&scopes, &{ let scopes = scopes.clone(); Callback::from(move |next| scopes.set(next)) }) }
                <p class="problem" role="alert">{ (*problem).clone() }</p>
                <div class="dialog-actions">
                    <button type="button" class="button" onclick={close}>{ "Cancel" }</button>
                    <button type="submit" class="button button-primary">{ "Make it" }</button>
                </div>
            </form>
        </Dialog>
    }
}
