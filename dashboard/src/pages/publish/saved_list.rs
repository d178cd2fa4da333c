//! Messages kept for another time, in this browser.

use yew::prelude::*;

use crate::browser;
use crate::components::toast::Notice;
use crate::model::publish::{Draft, Saved};
use crate::shell::use_shell;
use crate::storage;

/// Its name in the browser's storage.
const STORED_AS: &str = "ebbtide.dashboard.saved-messages";

#[derive(Properties, PartialEq)]
pub struct Props {
    /// What would be saved.
    pub draft: Draft,
    pub on_choose: Callback<Draft>,
}

#[component]
pub fn SavedList(props: &Props) -> Html {
    let shell = use_shell();
    let saved = use_state_eq(|| Saved::read(&storage::kept(STORED_AS).unwrap_or_default()));
    let name = use_state_eq(String::new);
    let problem = use_state_eq(String::new);
    let chosen = saved.names().any(|known| known == *name);
    let store = {
        let (saved, notify) = (saved.clone(), shell.notify.clone());
        move |next: Saved| {
            if !storage::keep(STORED_AS, &next.write()) {
                let text =
                    "This browser has no room to keep it; it stays until the page is closed.";
                notify.emit(Notice::new(text));
            }
            saved.set(next);
        }
    };
    let on_pick = {
        let (saved, name, on_choose) = (saved.clone(), name.clone(), props.on_choose.clone());
        Callback::from(move |event: Event| {
            let picked = browser::value_of(&event).unwrap_or_default();
            if let Some(draft) = saved.get(&picked) {
                on_choose.emit(draft.clone());
            }
            name.set(picked);
        })
    };
    let on_name = {
        let (name, problem) = (name.clone(), problem.clone());
        Callback::from(move |event: InputEvent| {
            name.set(browser::value_of(&event).unwrap_or_default());
            problem.set(String::new());
        })
    };
    let on_save = {
        let (saved, name, problem) = (saved.clone(), name.clone(), problem.clone());
        let (draft, store) = (props.draft.clone(), store.clone());
        Callback::from(move |_: MouseEvent| {
            let mut next = (*saved).clone();
            match next.keep(&name, draft.clone()) {
                Ok(()) => store(next),
                Err(reason) => problem.set(reason),
            }
        })
    };
    let on_remove = {
        let (saved, name) = (saved.clone(), name.clone());
        let notify = shell.notify.clone();
        Callback::from(move |_: MouseEvent| {
            let before = (*saved).clone();
            let mut next = before.clone();
            next.remove(&name);
            store(next);
            let undo = {
                let store = store.clone();
                Callback::from(move |()| store(before.clone()))
            };
            notify.emit(Notice::new(format!("Removed “{}”.", *name)).with_undo(undo));
            name.set(String::new());
        })
    };
    let options = saved.names().map(|known| {
        html! { <option value={known.to_owned()} selected={*name == known}>{ known.to_owned() }</option> }
    });
    let is_empty = saved.names().next().is_none();
    html! {
        <div class="saved">
            <div class="form-row">
                <label class="sort">{ "Saved" }
                    <select onchange={on_pick} disabled={is_empty} data-testid="saved-messages">
                        <option value="" selected={!chosen}>{ if is_empty { "none yet" } else { "choose…" } }</option>
                        { for options }
                    </select>
                </label>
                <span class="saved-name">
                    <input class="input" type="text" aria-label="Name to save this message under" placeholder="name"
                        value={(*name).clone()} oninput={on_name} autocomplete="off" />
                    <button type="button" class="button button-small" onclick={on_save}>{ "Save" }<span class="visually-hidden">{ " this message" }</span></button>
                    if chosen {
                        <button type="button" class="button button-small" onclick={on_remove}>{ "Remove" }<span class="visually-hidden">{ " the saved message" }</span></button>
                    }
                </span>
            </div>
            if shell.account.is_some() && !is_empty {
                <p class="note">{ "Saved until you sign out or close this tab." }</p>
            }
            <p class="field-problem" role="alert">{ (*problem).clone() }</p>
        </div>
    }
}
