//! What the machine tells, as calls to one object of JavaScript.
//!
//! The calls come from the event loop only, never from inside a call to the connection.

use alloc::vec::Vec;

use ebbtide_protocol::client::{
    Event, IncomingMessage, JournalBatch, JournalEntry, Session, State, SubscriptionChange,
    SubscriptionHandle,
};
use ebbtide_protocol::packet::Auth;
use ebbtide_protocol::{PacketId, ReasonCode};
use js_sys::{Uint8Array, Uint32Array};
use wasm_bindgen::prelude::*;

use super::errors::{code, describe, reason};
use super::{inspect, properties, settings};
use crate::driver::Sink;

#[wasm_bindgen]
extern "C" {
    pub type Hooks;

    #[wasm_bindgen(method)]
    fn state(
        this: &Hooks,
        kind: &str,
        session: Option<&str>,
        reason: &str,
        reason_code: Option<u8>,
        retry_in_ms: Option<u32>,
    );
    #[wasm_bindgen(method)]
    fn credentials(this: &Hooks);
    #[wasm_bindgen(method)]
    fn message(
        this: &Hooks,
        topic: &str,
        payload: Uint8Array,
        qos: u8,
        retain: bool,
        dup: bool,
        subscriptions: Uint32Array,
        properties: JsValue,
    );
    #[wasm_bindgen(method)]
    fn change(this: &Hooks, subscription: u32, kind: &str, value: u8);
    #[wasm_bindgen(method)]
    fn settled(
        this: &Hooks,
        handle: f64,
        code: Option<&str>,
        message: Option<&str>,
        reason_code: Option<u8>,
    );
    #[wasm_bindgen(method)]
    fn deferred(this: &Hooks, handle: f64, reason_code: u8, retry_in_ms: u32);
    #[wasm_bindgen(method)]
    fn auth(this: &Hooks, kind: &str, data: Option<Uint8Array>);
    #[wasm_bindgen(method)]
    fn connected(this: &Hooks, connack: JsValue);

    #[wasm_bindgen(method)]
    fn sent(this: &Hooks, handle: f64, packet_id: u16);
    #[wasm_bindgen(method)]
    fn released(this: &Hooks, handle: f64);
    #[wasm_bindgen(method)]
    fn finished(this: &Hooks, handle: f64, code: Option<&str>, reason_code: Option<u8>);
    #[wasm_bindgen(method)]
    fn withdrawn(this: &Hooks, handle: f64);
    #[wasm_bindgen(method)]
    fn received(
        this: &Hooks,
        packet_id: u16,
        topic: &str,
        payload: Uint8Array,
        qos: u8,
        retain: bool,
        dup: bool,
        subscriptions: Uint32Array,
        properties: JsValue,
    );
    #[wasm_bindgen(method)]
    fn completed(this: &Hooks, packet_id: u16);
    #[wasm_bindgen(method)]
    fn restarted(this: &Hooks);
    #[wasm_bindgen(method)]
    fn subscribed(this: &Hooks, identifier: u32, filter: &str, qos: u8, flags: u8);
    #[wasm_bindgen(method)]
    fn unsubscribed(this: &Hooks, identifier: u32);
    #[wasm_bindgen(method)]
    fn commit(this: &Hooks, ticket: u32);
}

pub(super) struct Calls(pub(super) Hooks);

impl Sink for Calls {
    /// The TypeScript does.
    const WATCHES_PAGE: bool = false;

    fn deliver(&self, event: Event) {
        let hooks = &self.0;
        match event {
            Event::State(state) => self.tell(&state),
            Event::Connected(connack) => hooks.connected(inspect::connack(&connack)),
            Event::Message {
                message,
                subscriptions,
            } => hooks.message(
                message.topic.as_str(),
                payload(&message),
                message.qos as u8,
                message.retain,
                message.dup,
                numbers(&subscriptions),
                properties::write(&message.properties),
            ),
            Event::Acked { handle, result } => {
                let handle = handle.number() as f64;
                match result {
                    Ok(reason) => hooks.settled(handle, None, None, Some(reason as u8)),
                    Err(error) => {
                        let (code, text, reason) = describe(error.into());
                        hooks.settled(handle, Some(code), Some(text), reason);
                    }
                }
            }
            Event::Deferred {
                handle,
                reason,
                retry_in_ms,
            } => hooks.deferred(handle.number() as f64, reason as u8, retry_in_ms),
            Event::Subscription { handle, change } => {
                let (kind, value) = match change {
                    SubscriptionChange::Granted(reason) => ("granted", reason as u8),
                    SubscriptionChange::Refused(reason) => ("refused", reason as u8),
                    SubscriptionChange::SnapshotComplete { inferred } => {
                        ("snapshot", u8::from(inferred))
                    }
                };
                hooks.change(handle.number(), kind, value);
            }
            Event::Unsubscribed { handle } => hooks.change(handle.number(), "unsubscribed", 0),
            Event::Auth(Auth {
                reason,
                authentication_data,
                ..
            }) => {
                let kind = match reason {
                    ReasonCode::Success => "success",
                    _ => "continue",
                };
                let data = authentication_data.map(|data| Uint8Array::from(&data[..]));
                hooks.auth(kind, data);
            }
        }
    }

    fn store(&self, batch: JournalBatch) {
        for entry in batch.entries {
            self.write(entry);
        }
        self.0.commit(batch.ticket);
    }

    fn ask_for_credentials(&self) {
        self.0.credentials();
    }
}

impl Calls {
    fn tell(&self, state: &State) {
        let (kind, session, reason, reason_code, retry_in_ms) = match state {
            State::Connecting => ("connecting", None, "", None, None),
            State::Online { session } => ("online", Some(name(*session)), "", None, None),
            State::Offline {
                reason,
                reason_code,
                retry_in_ms,
            } => ("offline", None, reason.as_str(), *reason_code, *retry_in_ms),
            State::NeedsAuth {
                reason,
                reason_code,
            } => (
                "needs-auth",
                None,
                reason.as_str(),
                Some(*reason_code),
                None,
            ),
            State::Closed => ("closed", None, "", None, None),
        };
        let reason_code = reason_code.map(|code| code as u8);
        self.0
            .state(kind, session, reason, reason_code, retry_in_ms);
    }

    fn write(&self, entry: JournalEntry) {
        let hooks = &self.0;
        match entry {
            JournalEntry::Sent { handle, packet_id } => {
                hooks.sent(handle.number() as f64, packet_id.get());
            }
            JournalEntry::Released { handle } => hooks.released(handle.number() as f64),
            JournalEntry::Finished { handle, result } => {
                let handle = handle.number() as f64;
                match result {
                    Ok(reason) => hooks.finished(handle, None, Some(reason as u8)),
                    Err(error) => hooks.finished(handle, Some(code(error)), reason(error)),
                }
            }
            JournalEntry::Withdrawn { handle } => hooks.withdrawn(handle.number() as f64),
            JournalEntry::Received {
                packet_id,
                message,
                subscriptions,
            } => hooks.received(
                packet_id.map_or(0, PacketId::get),
                message.topic.as_str(),
                payload(&message),
                message.qos as u8,
                message.retain,
                message.dup,
                numbers(&subscriptions),
                properties::write(&message.properties),
            ),
            JournalEntry::Completed { packet_id } => hooks.completed(packet_id.get()),
            JournalEntry::Restarted => hooks.restarted(),
            JournalEntry::Subscribed {
                identifier,
                filter,
                used,
            } => hooks.subscribed(
                identifier,
                filter.as_str(),
                used.options.qos as u8,
                settings::flags(used),
            ),
            JournalEntry::Unsubscribed { identifier } => hooks.unsubscribed(identifier),
        }
    }
}

fn name(session: Session) -> &'static str {
    match session {
        Session::Resumed => "resumed",
        Session::Fresh => "fresh",
        Session::Gap => "gap",
        Session::Evicted => "evicted",
    }
}

fn payload(message: &IncomingMessage) -> Uint8Array {
    Uint8Array::from(&message.payload[..])
}

fn numbers(handles: &[SubscriptionHandle]) -> Uint32Array {
    let numbers: Vec<u32> = handles.iter().map(|handle| handle.number()).collect();
    Uint32Array::from(&numbers[..])
}
