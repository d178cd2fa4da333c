//! Keys that work everywhere on the page.

use gloo::events::{EventListener, EventListenerOptions};
use wasm_bindgen::JsCast;
use web_sys::KeyboardEvent;

use crate::browser;

/// `/` goes to a field, unless the viewer is typing somewhere.
pub fn slash_focuses(id: &'static str) -> EventListener {
    let document = web_sys::window()
        .and_then(|window| window.document())
        .expect("the dashboard runs in a page");
    EventListener::new_with_options(
        &document,
        "keydown",
        EventListenerOptions::enable_prevent_default(),
        move |event| {
            let Some(key) = event.dyn_ref::<KeyboardEvent>() else {
                return;
            };
            let modified = key.ctrl_key() || key.meta_key() || key.alt_key();
            if key.key() == "/" && !modified && !browser::is_typing() {
                event.prevent_default();
                browser::focus(id);
            }
        },
    )
}
