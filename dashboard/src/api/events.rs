//! What happens at the broker, as it happens: the stream of events.
//!
//! The browser reconnects by itself; what happened meanwhile is not told again, and the stream says so to nobody: whoever
//! shows events shows recent ones, not all.

use ebbtide_api::Event;
use gloo::events::EventListener;
use wasm_bindgen::JsCast;
use web_sys::{EventSource, MessageEvent};
use yew::Callback;

/// The types of events, as the stream names them.
const NAMES: [&str; 6] = [
    "connect",
    "disconnect",
    "session_end",
    "drops",
    "store",
    "missed",
];

/// Keeps the stream open; dropping it closes the stream.
pub struct Listening {
    source: EventSource,
    _listeners: Vec<EventListener>,
}

impl Listening {
    /// `None`: the browser cannot.
    pub fn start(sink: Callback<Event>) -> Option<Self> {
        let source = EventSource::new("/api/v1/events").ok()?;
        let listeners = NAMES.into_iter().map(|name| {
            let sink = sink.clone();
            EventListener::new(&source, name, move |event| {
                let text = event
                    .dyn_ref::<MessageEvent>()
                    .and_then(|event| event.data().as_string());
                // An event of a kind that this page does not know is passed over.
                let event = text.and_then(|text| serde_json::from_str(&text).ok());
                if let Some(event) = event {
                    sink.emit(event);
                }
            })
        });
        let listeners = listeners.collect();
        Some(Self {
            source,
            _listeners: listeners,
        })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.source.close();
    }
}
