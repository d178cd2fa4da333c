//! A user being made or changed. The password stands in its field and in the request, and nowhere else.

use ebbtide_api::{Password, Scope, User, UserChange};
use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::scopes::scopes_field;
use crate::api;
use crate::components::dialog::Dialog;
use crate::components::form_field::{TextField, text_field};
use crate::model::access::{claims_text, parse_claims};

#[derive(Properties, PartialEq)]
pub struct Props {
    /// `None`: a new one.
    pub user: Option<User>,
    /// With what was done, in words; nothing: it was left.
    pub on_close: Callback<Option<String>>,
}

#[component]
pub fn UserDialog(props: &Props) -> Html {
    let known = props.user.as_ref();
    let name = use_state_eq(|| known.map_or_else(String::new, |user| user.name.clone()));
    let scopes =
        use_state_eq(|| known.map_or_else(|| vec![Scope::Read], |user| user.scopes.clone()));
    let claims = use_state_eq(|| known.map_or_else(String::new, |user| claims_text(&user.claims)));
    let problem = use_state_eq(String::new);
    let is_busy = use_state_eq(|| false);
    let password = use_node_ref();
    let parsed = parse_claims(&claims);
    let is_new = known.is_none();
    let onsubmit = {
        let (name, scopes, parsed) = (name.clone(), scopes.clone(), parsed.clone());
        let (problem, is_busy, password) = (problem.clone(), is_busy.clone(), password.clone());
        let on_close = props.on_close.clone();
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let (Ok(claims), false) = (&parsed, *is_busy) else {
                return;
            };
            let field = password.cast::<HtmlInputElement>();
            let typed = field
                .map(|field| field.value())
                .filter(|text| !text.is_empty());
            let change = UserChange {
                password: typed.map(Password),
                scopes: Some((*scopes).clone()),
                claims: Some(claims.clone()),
            };
            is_busy.set(true);
            let (name, problem) = (name.trim().to_owned(), problem.clone());
            let (is_busy, on_close) = (is_busy.clone(), on_close.clone());
            wasm_bindgen_futures::spawn_local(async move {
                match api::access::put_user(&name, &change).await {
                    Ok(_) if is_new => on_close.emit(Some(format!("Added {name}."))),
                    Ok(_) => on_close.emit(Some(format!("Changed {name}."))),
                    Err(fault) => {
                        problem.set(format!("It was not done. {fault}"));
                        is_busy.set(false);
                    }
                }
            });
        })
    };
    let close = props.on_close.reform(|()| None);
    let title = match known {
        Some(user) => format!("Change {}", user.name),
        None => "Add a user".to_owned(),
    };
    let hint = match is_new {
        true => "The user signs in with it, here and by MQTT.",
        false => "Left empty, it stays as it is. With another one the user has to sign in again.",
    };
    html! {
        <Dialog id="edit-user" {title} on_close={close.clone()}>
            <form class="form" method="post" {onsubmit}>
                if is_new {
                    { text_field(TextField {
                        id: "user-name",
                        label: "Name",
                        value: (*name).clone(),
                        on_input: {
                            let (name, problem) = (name.clone(), problem.clone());
                            Callback::from(move |text| {
                                name.set(text);
                                problem.set(String::new());
                            })
                        },
                        placeholder: "ann",
                        ..TextField::default()
                    }) }
                }
                <div class="field">
                    <label for="user-password">{ if is_new { "Password" } else { "New password" } }</label>
                    <input id="user-password" ref={password} class="input input-plain" type="password" autocomplete="new-password"
                        required={is_new} aria-describedby="user-password-hint" />
                    <p id="user-password-hint" class="note">{ hint }</p>
                </div>
                { scopes_field(&scopes, &{ let scopes = scopes.clone(); Callback::from(move |next| scopes.set(next)) }) }
                { text_field(TextField {
                    id: "user-claims",
                    label: "Claims that rules may ask for: name=value, one on a line",
                    value: (*claims).clone(),
                    on_input: { let claims = claims.clone(); Callback::from(move |text| claims.set(text)) },
                    problem: parsed.err().unwrap_or_default(),
                    is_long: true,
                    ..TextField::default()
                }) }
                <p class="problem" role="alert">{ (*problem).clone() }</p>
                <div class="dialog-actions">
                    <button type="button" class="button" onclick={close.reform(|_: MouseEvent| ())}>{ "Cancel" }</button>
                    <button type="submit" class="button button-primary">{ if is_new { "Add" } else { "Save" } }</button>
                </div>
            </form>
        </Dialog>
    }
}
