//! Keys that work everywhere on the page.

use gloo::events::{EventListener, EventListenerOptions};
use wasm_bindgen::JsCast;
use web_sys::KeyboardEvent;
use yew::Callback;

use crate::browser;

/// `/` goes to a field, unless the viewer is typing somewhere.
pub fn slash_focuses(id: &'static str) -> EventListener {
    on_key(move |key| {
        let is_slash = key.key() == "/" && !is_command(key) && !key.alt_key();
        if is_slash && !browser::is_typing() {
            browser::focus(id);
            return true;
        }
        false
    })
}

/// For the notice that is shown: Control and Z takes back what it offers to take back, except in a text field, F8 goes to it,
/// Escape leaves it. Before a dialog is answered nothing behind it is reached.
pub fn for_notice(undo: Option<Callback<()>>, dismiss: Callback<()>) -> EventListener {
    on_key(move |key| {
        if browser::finds("dialog[open]") {
            return false;
        }
        match (&*key.key(), &undo) {
            ("F8", _) => {
                browser::first(".toast button").is_some_and(|button| browser::focus_on(&button))
            }
            ("Escape", _) if browser::finds(".toast:focus-within") => {
                dismiss.emit(());
                true
            }
            ("z", Some(undo)) if is_command(key) && !key.shift_key() && !browser::is_typing() => {
                undo.emit(());
                true
            }
            _ => false,
        }
    })
}

fn is_command(key: &KeyboardEvent) -> bool {
    key.ctrl_key() || key.meta_key()
}

/// `act` tells whether the key was meant for it: then the browser does nothing else with it.
fn on_key(act: impl Fn(&KeyboardEvent) -> bool + 'static) -> EventListener {
    let document = web_sys::window()
        .and_then(|window| window.document())
        .expect("the dashboard runs in a page");
    EventListener::new_with_options(
        &document,
        "keydown",
        EventListenerOptions::enable_prevent_default(),
        move |event| {
            if event.dyn_ref::<KeyboardEvent>().is_some_and(&act) {
                event.prevent_default();
            }
        },
    )
}
