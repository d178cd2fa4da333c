//! What happens at the broker, as it happens: the stream of events, read by `fetch` for its header with the token.
//!
//! It is opened again by itself when it ends; what happened meanwhile is not told again, and the stream says so to nobody:
//! whoever shows events shows recent ones, not all.

use std::cell::Cell;
use std::rc::Rc;

use ebbtide_api::Event;
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, ReadableStreamDefaultReader};
use yew::Callback;

use super::bearer::Bearer;
use super::{Asking, send};
use crate::browser;
use crate::model::sse::Stream;
use crate::model::value;

const PATH: &str = "/api/v1/events";
/// After an end, and twice as much after each failure, up to the most.
const WAIT_MS: u32 = 1_000;
const WAIT_MS_MAX: u32 = 30_000;

/// Keeps the stream open; dropping it closes the stream.
pub struct Listening {
    is_wanted: Rc<Cell<bool>>,
    abort: AbortController,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.is_wanted.set(false);
        self.abort.abort();
    }
}

impl Listening {
    /// `None`: the browser cannot.
    pub fn start(sink: Callback<Event>) -> Option<Self> {
        let abort = AbortController::new().ok()?;
        let is_wanted = Rc::new(Cell::new(true));
        wasm_bindgen_futures::spawn_local(listen(sink, Rc::clone(&is_wanted), abort.clone()));
        Some(Self { is_wanted, abort })
    }
}

async fn listen(sink: Callback<Event>, is_wanted: Rc<Cell<bool>>, abort: AbortController) {
    let mut wait_ms = WAIT_MS;
    while is_wanted.get() {
        match read(&sink, &abort).await {
            // Not for this user, or not there: asking again changes nothing.
            Ok(400..) => return,
            Ok(_) => wait_ms = WAIT_MS,
            Err(_) => wait_ms = (wait_ms * 2).min(WAIT_MS_MAX),
        }
        if is_wanted.get() {
            browser::sleep_ms(wait_ms).await;
        }
    }
}

/// To its end. The status of the answer.
async fn read(sink: &Callback<Event>, abort: &AbortController) -> Result<u16, JsValue> {
    let asking = Asking {
        path: PATH,
        signal: abort.signal(),
        ..Asking::default()
    };
    if asking.bearer == Bearer::Closed {
        return Ok(401);
    }
    let response = send(asking).await?;
    let status = response.status();
    let Some(body) = response.body().filter(|_| response.ok()) else {
        // Busy: the next time may be better.
        return if status >= 500 {
            Err(JsValue::NULL)
        } else {
            Ok(status)
        };
    };
    let reader: ReadableStreamDefaultReader = body.get_reader().dyn_into()?;
    let mut stream = Stream::default();
    loop {
        let piece = JsFuture::from(reader.read()).await?;
        let value = js_sys::Reflect::get(&piece, &"value".into())?;
        // `undefined` at the end.
        let Ok(bytes) = value.dyn_into::<Uint8Array>() else {
            return Ok(status);
        };
        let events = stream.take(&bytes.to_vec()).map_err(|_| JsValue::NULL)?;
        for text in events {
            // An event of a kind that this page does not know is passed over.
            if let Ok(event) = value::from_text(&text) {
                sink.emit(event);
            }
        }
    }
}
