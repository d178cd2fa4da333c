//! Asks the browser to keep the shell of the page: see service-worker.js.
//!
//! After everything else, so that it takes nothing from the first paint. Where the browser has no service workers, as on
//! plain http from elsewhere, the page works all the same and needs the broker to open.

use gloo::events::EventListener;
use wasm_bindgen_futures::{JsFuture, spawn_local};

const WORKER: &str = "/service-worker.js";

pub fn keep_shell() {
    let Some(window) = web_sys::window() else {
        return;
    };
    let is_loaded = window
        .document()
        .is_some_and(|document| document.ready_state() == "complete");
    if is_loaded {
        register();
    } else {
        // Once, as long as the page lives.
        EventListener::once(&window, "load", |_| register()).forget();
    }
}

fn register() {
    let Some(window) = web_sys::window() else {
        return;
    };
    let navigator = window.navigator();
    let has = js_sys::Reflect::has(&navigator, &"serviceWorker".into());
    if !has.unwrap_or_default() {
        return;
    }
    let registered = navigator.service_worker().register(WORKER);
    spawn_local(async move {
        // Refused in private windows of some browsers: nothing is lost but the shell without a broker.
        let _refused = JsFuture::from(registered).await;
    });
}
