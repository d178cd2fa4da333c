//! The moments at which the world may have changed: the network came or went, the page is looked at again.

use alloc::vec;
use alloc::vec::Vec;

use js_sys::{Function, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Document, EventTarget, VisibilityState};

/// Listens as long as it lives; in a worker to what a worker has.
#[derive(Debug)]
pub(crate) struct WakeUps {
    callback: Function,
    targets: Vec<(EventTarget, &'static str)>,
}

impl WakeUps {
    pub(crate) fn new(callback: &Function) -> Self {
        let global: EventTarget = js_sys::global().unchecked_into();
        let mut targets = vec![
            (global.clone(), "online"),
            (global.clone(), "offline"),
            (global, "pageshow"),
        ];
        if let Some(document) = document() {
            targets.push((document.unchecked_into(), "visibilitychange"));
        }
        // Outside of browsers there may be no events at all: then nothing is listened to.
        targets.retain(|(target, event)| {
            Reflect::has(target, &JsValue::from_str("addEventListener")).unwrap_or(false)
                && target
                    .add_event_listener_with_callback(event, callback)
                    .is_ok()
        });
        Self {
            callback: callback.clone(),
            targets,
        }
    }

    /// Whether somebody looks at the page; always in a worker.
    pub(crate) fn is_visible() -> bool {
        document().is_none_or(|document| document.visibility_state() != VisibilityState::Hidden)
    }
}

impl Drop for WakeUps {
    fn drop(&mut self) {
        for (target, event) in &self.targets {
            // It fails for arguments of a wrong type only.
            let _ = target.remove_event_listener_with_callback(event, &self.callback);
        }
    }
}

fn document() -> Option<Document> {
    let document = Reflect::get(&js_sys::global(), &JsValue::from_str("document")).ok()?;
    document.is_object().then(|| document.unchecked_into())
}
