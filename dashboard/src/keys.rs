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

/// Control and Z takes back what a notice offers to take back, F8 goes to the notice. In a text field both belong to it, and
/// before a dialog is answered nothing behind it is reached.
pub fn for_notices(
    undo: Option<Callback<()>>,
    to_notice: impl Fn() -> bool + 'static,
) -> EventListener {
    on_key(move |key| {
        if browser::is_asking() {
            return false;
        }
        match &*key.key() {
            "F8" => to_notice(),
            "z" if is_command(key) && !key.shift_key() && !browser::is_typing() => {
                let is_there = undo.is_some();
                if let Some(undo) = &undo {
                    undo.emit(());
                }
                is_there
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
