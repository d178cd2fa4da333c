//! One WebSocket at a time, opened and let go at the driver's word.
//!
//! A socket that was let go calls nothing any more: browsers may take minutes to report the close of a dead one.

use js_sys::{Array, Function, JsString, Uint8Array};
use wasm_bindgen::JsCast;
use web_sys::{BinaryType, MessageEvent, WebSocket};

/// What is called when something happens on the current socket.
#[derive(Debug)]
pub(crate) struct Handlers<'a> {
    pub(crate) open: &'a Function,
    pub(crate) message: &'a Function,
    pub(crate) close: &'a Function,
}

/// A WebSocket with its handlers; dropping it closes it.
#[derive(Debug)]
pub(crate) struct Socket(WebSocket);

impl Socket {
    /// Starts to open. `None`: the browser refuses the address (mixed content, a forbidden port).
    pub(crate) fn open(url: &str, handlers: &Handlers<'_>) -> Option<Self> {
        // [MQTT-6.0.0-3]
        let protocols = Array::of1(&JsString::from("mqtt"));
        let socket = WebSocket::new_with_str_sequence(url, &protocols).ok()?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        socket.set_onopen(Some(handlers.open));
        socket.set_onmessage(Some(handlers.message));
        socket.set_onclose(Some(handlers.close));
        Some(Self(socket))
    }

    /// Sends what the browser takes; a socket that is closing swallows it.
    pub(crate) fn send(&self, bytes: &[u8]) {
        // It fails only before the socket is open, and then there is nothing to send.
        let _ = self.0.send_with_u8_array(bytes);
    }

    /// What was sent and has not left yet, bytes.
    pub(crate) fn buffered_bytes(&self) -> u32 {
        self.0.buffered_amount()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.0.set_onopen(None);
        self.0.set_onmessage(None);
        self.0.set_onclose(None);
        // It fails for a bad close code only.
        let _ = self.0.close();
    }
}

/// The bytes of a frame; `None` for text.
pub(crate) fn bytes_of(event: &MessageEvent) -> Option<Uint8Array> {
    let buffer = event.data().dyn_into::<js_sys::ArrayBuffer>().ok()?;
    Some(Uint8Array::new(&buffer))
}
