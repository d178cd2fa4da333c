//! The inside of the npm package: the client for callers that are JavaScript.
//!
//! Thin on purpose: plain values and functions go across, and the TypeScript in `npm/` makes promises, iterators and
//! types of them. Errors are thrown as `[code, message, reason code]`; the codes are listed in `npm/src/error.ts`.

use bytes::Bytes;
use ebbtide_protocol::client;
use js_sys::{Array, Function, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::{
    Client, Error, Listener, MessageProperties, Options, OutgoingMessage, QoS, State, Subscription,
    SubscriptionEvent, SubscriptionOptions, Version,
};

/// A client. Freeing it ends the connection.
#[wasm_bindgen]
pub struct Connection {
    client: Client,
    _listener: Listener,
}

/// A subscription. Freeing it unsubscribes.
#[wasm_bindgen]
pub struct SubscriptionToken {
    _subscription: Subscription,
}

#[wasm_bindgen]
impl Connection {
    /// The options in the order of [`Options`], `version` as protocol level (4 or 5), and
    /// `on_state(kind, session present, reason, retry in ms)`.
    ///
    /// # Errors
    /// As [`Client::connect`].
    #[wasm_bindgen(constructor)]
    #[expect(
        clippy::too_many_arguments,
        reason = "a class for them would cost its accessors in every download"
    )]
    pub fn new(
        url: String,
        client_id: Option<String>,
        username: Option<String>,
        password: Option<String>,
        keep_alive_s: u16,
        session_expiry_interval_s: u32,
        clean_start: bool,
        version: u8,
        on_state: Function,
    ) -> Result<Self, JsValue> {
        let client = Client::connect(Options {
            url,
            client_id,
            username,
            password,
            keep_alive_s,
            session_expiry_interval_s,
            clean_start,
            version: if version == Version::V3_1_1.level() {
                Version::V3_1_1
            } else {
                Version::V5
            },
        })
        .map_err(thrown)?;
        let listener = client.on_state(move |state| {
            let (kind, present, reason, retry_in_ms) = match state {
                State::Connecting => ("connecting", false, "", None),
                State::Online { session_present } => ("online", *session_present, "", None),
                State::Offline {
                    reason,
                    retry_in_ms,
                } => ("offline", false, reason.as_str(), *retry_in_ms),
                State::NeedsAuth { reason } => ("needs-auth", false, reason.as_str(), None),
                State::Closed => ("closed", false, "", None),
            };
            call(
                &on_state,
                [
                    kind.into(),
                    present.into(),
                    reason.into(),
                    retry_in_ms.into(),
                ],
            );
        });
        Ok(Self {
            client,
            _listener: listener,
        })
    }

    /// `on_message(topic, payload, qos, retain, dup)`; `on_change(kind, value)` with `granted` and the QoS, `refused` and
    /// the reason code, `snapshot` and whether it was inferred.
    ///
    /// # Errors
    /// As [`Client::subscribe`].
    pub fn subscribe(
        &self,
        filter: &str,
        qos: u8,
        no_local: bool,
        on_message: Function,
        on_change: Function,
    ) -> Result<SubscriptionToken, JsValue> {
        let options = SubscriptionOptions {
            qos: QoS::from_bits(qos).unwrap_or_default(),
            no_local,
            ..SubscriptionOptions::default()
        };
        let subscription = self
            .client
            .subscribe(filter, options, move |event| match event {
                SubscriptionEvent::Message(message) => call(
                    &on_message,
                    [
                        message.topic.as_str().into(),
                        Uint8Array::from(&message.payload[..]).into(),
                        (message.qos as u8).into(),
                        message.retain.into(),
                        message.dup.into(),
                    ],
                ),
                SubscriptionEvent::Granted(reason) => {
                    call(&on_change, ["granted".into(), (reason as u8).into()]);
                }
                SubscriptionEvent::Refused(reason) => {
                    call(&on_change, ["refused".into(), (reason as u8).into()]);
                }
                SubscriptionEvent::SnapshotComplete { inferred } => {
                    call(&on_change, ["snapshot".into(), u8::from(inferred).into()]);
                }
            })
            .map_err(thrown)?;
        Ok(SubscriptionToken {
            _subscription: subscription,
        })
    }

    /// `on_acked()` or `on_failed(code, message, reason code)`, once.
    ///
    /// # Errors
    /// As [`Client::publish`].
    pub fn publish(
        &self,
        topic: String,
        payload: Vec<u8>,
        qos: u8,
        retain: bool,
        on_acked: Function,
        on_failed: Function,
    ) -> Result<(), JsValue> {
        let message = OutgoingMessage {
            topic,
            payload: Bytes::from(payload),
            qos: QoS::from_bits(qos).unwrap_or_default(),
            retain,
            properties: MessageProperties::default(),
        };
        self.client
            .publish(message, move |result| match result {
                Ok(_) => call(&on_acked, []),
                Err(error) => call(&on_failed, describe(error)),
            })
            .map_err(thrown)
    }

    /// As [`Client::reconnect_now`].
    pub fn reconnect_now(&self) {
        self.client.reconnect_now();
    }

    /// As [`Client::close`].
    pub fn close(&self) {
        self.client.close();
    }
}

/// The facade's functions do not throw; were one to, the client would go on all the same.
fn call<const N: usize>(function: &Function, arguments: [JsValue; N]) {
    let _ = function.apply(&JsValue::UNDEFINED, &arguments.iter().collect::<Array>());
}

fn thrown(error: Error) -> JsValue {
    describe(error).iter().collect::<Array>().into()
}

fn describe(error: Error) -> [JsValue; 3] {
    let (code, reason) = match error {
        Error::Url => ("url", None),
        Error::ClientIdMissing => ("client-id-missing", None),
        Error::FieldTooLong => ("field-too-long", None),
        Error::TopicName(_) => ("topic-name", None),
        Error::TopicFilter(_) => ("topic-filter", None),
        Error::Client(error) => match error {
            client::Error::Closed => ("closed", None),
            client::Error::Offline => ("offline", None),
            client::Error::QueueFull => ("queue-full", None),
            client::Error::TooManySubscriptions => ("too-many-subscriptions", None),
            client::Error::OutcomeUnknown => ("outcome-unknown", None),
            client::Error::PacketTooLarge => ("packet-too-large", None),
            client::Error::Refused(reason) => ("refused", Some(reason as u8)),
        },
    };
    [code.into(), error.to_string().into(), reason.into()]
}
