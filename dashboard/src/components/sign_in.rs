//! The form that asks for user and password: a page of its own at first, a dialog over the page when the token has run out.
//!
//! The password is in its field and in the request that carries it, and nowhere else.

use ebbtide_api::LoginResponse;
use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::dialog::Dialog;
use super::icon;
use crate::api::{self, Fault};

/// Who has signed in, and what the broker gave.
pub type SignedIn = (String, LoginResponse);

#[derive(Properties, PartialEq)]
struct FormProps {
    /// Filled in already.
    #[prop_or_default]
    user: AttrValue,
    /// Beside the button.
    #[prop_or_default]
    other: Html,
    on_signed_in: Callback<SignedIn>,
}

#[component]
fn SignInForm(props: &FormProps) -> Html {
    let (user, password) = (use_node_ref(), use_node_ref());
    let problem = use_state_eq(String::new);
    let is_asking = use_state_eq(|| false);
    use_effect_with(props.user.clone(), {
        let (user, password) = (user.clone(), password.clone());
        move |known: &AttrValue| {
            let user = user.cast::<HtmlInputElement>();
            // Once: what is typed is the viewer's.
            if let Some(user) = &user {
                user.set_value(known);
            }
            let first = user.filter(|_| known.is_empty());
            if let Some(field) = first.or_else(|| password.cast()) {
                let _refused = field.focus();
            }
        }
    });
    let onsubmit = {
        let (user, password) = (user.clone(), password.clone());
        let (problem, is_asking, on_signed_in) = (
            problem.clone(),
            is_asking.clone(),
            props.on_signed_in.clone(),
        );
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let (Some(user), Some(field)) = (
                user.cast::<HtmlInputElement>(),
                password.cast::<HtmlInputElement>(),
            ) else {
                return;
            };
            if *is_asking {
                return;
            }
            is_asking.set(true);
            let (problem, is_asking, on_signed_in) =
                (problem.clone(), is_asking.clone(), on_signed_in.clone());
            wasm_bindgen_futures::spawn_local(async move {
                let name = user.value();
                match api::login::log_in(name.clone(), field.value()).await {
                    Ok(answer) => {
                        field.set_value("");
                        on_signed_in.emit((name, answer));
                    }
                    Err(fault) => {
                        problem.set(said(&fault));
                        is_asking.set(false);
                        field.select();
                        let _refused = field.focus();
                    }
                }
            });
        })
    };
    let is_wrong = !problem.is_empty();
    let invalid = is_wrong.then_some("true");
    let described = is_wrong.then_some("sign-in-problem");
    html! {
        <form class="form sign-in-form" method="post" {onsubmit}>
            <p id="sign-in-problem" class="sign-in-problem" role="alert">{ (*problem).clone() }</p>
            <div class="field">
                <label for="sign-in-user">{ "User" }</label>
                <input id="sign-in-user" ref={user} class="input input-plain" type="text" name="username" required={true}
                    autocomplete="username" autocapitalize="off" spellcheck="false"
                    aria-invalid={invalid} aria-describedby={described} />
            </div>
            <div class="field">
                <label for="sign-in-password">{ "Password" }</label>
                <input id="sign-in-password" ref={password} class="input input-plain" type="password" name="password" required={true}
                    autocomplete="current-password" autofocus={!props.user.is_empty()} aria-invalid={invalid} aria-describedby={described} />
            </div>
            <div class="dialog-actions">
                { props.other.clone() }
                <button type="submit" class="button button-primary" aria-disabled={is_asking.then_some("true")}>
                    { if *is_asking { "Signing in…" } else { "Sign in" } }
                </button>
            </div>
        </form>
    }
}

/// What went wrong, and what to do.
fn said(fault: &Fault) -> String {
    match fault {
        Fault::Unreachable => {
            "The broker did not answer. Is it running, and is this computer on its network?"
                .to_owned()
        }
        fault if fault.has_status(401) => {
            "There is no such user with this password. Look at both, and try again.".to_owned()
        }
        fault => fault.to_string(),
    }
}

/// Instead of everything else.
pub fn sign_in_page(by_password: bool, has_left: bool, on_signed_in: &Callback<SignedIn>) -> Html {
    html! {
        <main id="main" class="sign-in" tabindex="-1" data-testid="sign-in">
            <div class="sign-in-card">
                <p class="sign-in-brand">{ icon::brand() }<span>{ "Ebbtide" }</span></p>
                <h1>{ "Sign in" }</h1>
                if has_left {
                    <p class="lead" role="status">{ "You have signed out. Nothing of you is kept in this browser." }</p>
                } else {
                    <p class="lead">{ "This broker asks who you are." }</p>
                }
                if by_password {
                    <SignInForm on_signed_in={on_signed_in.clone()} />
                } else {
                    <p>{ "It takes tokens of others only, and the dashboard needs a user of the broker: add “password” to auth in its configuration." }</p>
                }
            </div>
        </main>
    }
}

/// Over the page as it stands.
pub fn sign_in_again(
    user: &str,
    on_signed_in: &Callback<SignedIn>,
    on_sign_out: &Callback<()>,
) -> Html {
    let sign_out = on_sign_out.reform(|_: MouseEvent| ());
    let other =
        html! { <button type="button" class="button" onclick={sign_out}>{ "Sign out" }</button> };
    html! {
        <Dialog id="sign-in-again" title="Sign in again" class="sign-in-dialog" on_close={Callback::noop()}>
            <p class="lead">{ "Your sign-in does not count any more. The page stays as it is, and goes on when you are back." }</p>
            <SignInForm user={user.to_owned()} {other} on_signed_in={on_signed_in.clone()} />
        </Dialog>
    }
}
