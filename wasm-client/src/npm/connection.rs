//! The class that the TypeScript holds: each call goes to the machine and returns at once.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use ebbtide_protocol::client::{
    Client as Machine, Delivery, Error, PublishHandle, Stage, SubscriptionHandle,
};
use ebbtide_protocol::packet::Auth;
use ebbtide_protocol::{PacketId, QoS, ReasonCode, TopicFilter};
use wasm_bindgen::prelude::*;

use super::errors::{fault, thrown};
use super::hooks::{Calls, Hooks};
use super::properties;
use super::settings::{self, bytes_of};
use super::{inspect, object::user_properties};
use crate::OutgoingMessage;
use crate::driver::Driver;

/// What a text or binary field takes.
const FIELD_BYTES_MAX: usize = 65_535;

/// A connection that is made again whenever it is lost. Freeing it ends it as if it were cut.
#[wasm_bindgen]
pub struct Connection(Rc<Driver<Calls>>);

#[wasm_bindgen]
impl Connection {
    /// Does nothing until [`Connection::start`].
    ///
    /// # Errors
    /// When no attempt could ever succeed.
    #[wasm_bindgen(constructor)]
    pub fn new(settings: &JsValue, hooks: Hooks) -> Result<Self, JsValue> {
        let (url, options) = settings::read(settings)?;
        let machine = Machine::idle(options);
        Ok(Self(Driver::new(url, machine, Calls(hooks))))
    }

    /// Before the start: a publish of an earlier run, in the order in which they were sent. Returns its handle.
    ///
    /// # Errors
    /// When it is no message, or its packet id is there already.
    #[expect(clippy::too_many_arguments, reason = "an object would cost its keys")]
    pub fn restore_outgoing(
        &self,
        topic: String,
        payload: Vec<u8>,
        qos: u8,
        retain: bool,
        properties: &JsValue,
        deadline_in_ms: Option<f64>,
        resend: bool,
        packet_id: u16,
        stage: u8,
    ) -> Result<f64, JsValue> {
        let message = message(topic, payload, qos, retain, properties)?;
        let packet_id = PacketId::new(packet_id).ok_or_else(|| thrown(Error::PacketIdInUse))?;
        let stage = if stage == 2 {
            Stage::Released
        } else {
            Stage::Sent
        };
        let restored = self.0.with(|machine, now| {
            let delivery = delivery(now, deadline_in_ms, resend);
            machine.restore_outgoing(message, delivery, packet_id, stage)
        });
        number(restored)
    }

    /// Before the start: a QoS 2 packet id that was received and not completed.
    pub fn restore_incoming(&self, packet_id: u16) {
        if let Some(packet_id) = PacketId::new(packet_id) {
            self.0
                .with(|machine, _| machine.restore_incoming(packet_id));
        }
    }

    /// Before the start: a subscription of an earlier run, ascending by identifier.
    ///
    /// # Errors
    /// When the filter is none.
    pub fn restore_subscription(
        &self,
        identifier: u32,
        filter: String,
        qos: u8,
        flags: u8,
    ) -> Result<(), JsValue> {
        let filter = TopicFilter::new(filter).map_err(thrown)?;
        let used = settings::used(qos, flags);
        self.0
            .with(|machine, _| machine.restore_subscription(identifier, filter, used));
        Ok(())
    }

    pub fn start(&self) {
        self.0.start();
    }

    /// Publishes; returns the handle.
    ///
    /// # Errors
    /// When it is no message, or is refused at once.
    #[expect(clippy::too_many_arguments, reason = "an object would cost its keys")]
    pub fn publish(
        &self,
        topic: String,
        payload: Vec<u8>,
        qos: u8,
        retain: bool,
        properties: &JsValue,
        deadline_in_ms: Option<f64>,
        resend: bool,
    ) -> Result<f64, JsValue> {
        let message = message(topic, payload, qos, retain, properties)?;
        number(self.0.with(|machine, now| {
            machine.publish_with(message, delivery(now, deadline_in_ms, resend))
        }))
    }

    /// Whether it had not left: then nothing more is heard of it.
    pub fn cancel(&self, handle: f64) -> bool {
        let handle = PublishHandle::from_number(handle as u64);
        self.0.with(|machine, _| machine.cancel(handle))
    }

    /// How many more publishes keep the window full.
    pub fn wanted(&self) -> usize {
        self.0.with(|machine, _| machine.wanted())
    }

    /// Subscribes; returns the number that its messages come with.
    ///
    /// # Errors
    /// When the filter is none, or there are too many.
    pub fn subscribe(
        &self,
        filter: String,
        qos: u8,
        flags: u8,
        properties: &JsValue,
    ) -> Result<u32, JsValue> {
        let filter = TopicFilter::new(filter).map_err(thrown)?;
        let properties = user_properties(properties);
        if properties
            .iter()
            .any(|(name, value)| name.len().max(value.len()) > FIELD_BYTES_MAX)
        {
            return Err(thrown(crate::Error::FieldTooLong));
        }
        let used = settings::used(qos, flags);
        self.0
            .with(|machine, _| machine.subscribe_with(filter, used, properties))
            .map(SubscriptionHandle::number)
            .map_err(thrown)
    }

    pub fn unsubscribe(&self, subscription: u32) {
        let handle = SubscriptionHandle::from_number(subscription);
        self.0.with(|machine, _| machine.unsubscribe(handle));
    }

    /// No acknowledgement of received messages leaves while true.
    pub fn hold_acks(&self, hold: bool) {
        self.0
            .with(|machine, _| machine.hold_acknowledgements(hold));
    }

    /// The batch is stored, and all before it.
    pub fn committed(&self, ticket: u32) {
        self.0.with(|machine, _| machine.handle_committed(ticket));
    }

    /// For the attempt that waits for them.
    pub fn credentials(
        &self,
        username: Option<String>,
        password: &JsValue,
        authentication_data: &JsValue,
    ) {
        let (password, data) = (bytes_of(password), bytes_of(authentication_data));
        let lengths = [
            username.as_ref().map_or(0, String::len),
            password.as_ref().map_or(0, Bytes::len),
            data.as_ref().map_or(0, Bytes::len),
        ];
        if lengths.iter().any(|length| *length > FIELD_BYTES_MAX) {
            return self
                .0
                .no_credentials("a credential has more than 65,535 bytes");
        }
        self.0.credentials(username.map(Into::into), password, data);
    }

    /// The attempt that waits for them has failed.
    pub fn credentials_failed(&self, reason: &str) {
        self.0.no_credentials(reason);
    }

    /// AUTH: `again` begins a re-authentication, `continue` answers one of the server.
    ///
    /// # Errors
    /// Without an authentication method.
    pub fn authenticate(&self, kind: &str, data: &JsValue) -> Result<(), JsValue> {
        let reason = match kind {
            "again" => ReasonCode::ReAuthenticate,
            _ => ReasonCode::ContinueAuthentication,
        };
        let data = bytes_of(data);
        self.0.with(|machine, _| {
            let method = machine.options().connect.authentication_method.clone();
            if method.is_none() {
                return Err(fault("bad-options", "there is no authentication method"));
            }
            machine.authenticate(Auth {
                reason,
                authentication_method: method,
                authentication_data: data,
                reason_string: None,
                user_properties: Vec::new(),
            });
            Ok(())
        })
    }

    /// The time may have come for something.
    pub fn tick(&self) {
        self.0.tick();
    }

    /// The world may have changed.
    pub fn probe(&self) {
        self.0.with(Machine::probe);
    }

    pub fn reconnect_now(&self) {
        self.0.with(Machine::reconnect_now);
    }

    /// Leaves without an end: wills are published, and [`Connection::reconnect_now`] comes back.
    pub fn leave(&self, reason: &str) {
        self.0.with(|machine, _| machine.leave(reason));
    }

    /// For good. `end_session`: and the server forgets the session.
    pub fn close(&self, end_session: bool) {
        self.0.with(|machine, _| machine.end(end_session));
    }

    /// What there is to see, as a plain object.
    pub fn inspect(&self) -> JsValue {
        self.0.with(|machine, _| inspect::figures(machine))
    }
}

fn message(
    topic: String,
    payload: Vec<u8>,
    qos: u8,
    retain: bool,
    properties: &JsValue,
) -> Result<ebbtide_protocol::client::OutgoingMessage, JsValue> {
    let message = OutgoingMessage {
        topic,
        payload: Bytes::from(payload),
        qos: QoS::from_bits(qos).unwrap_or_default(),
        retain,
        properties: properties::read(properties)?,
    };
    message.validate().map_err(thrown)
}

fn delivery(now: u64, deadline_in_ms: Option<f64>, resend: bool) -> Delivery {
    Delivery {
        deadline: deadline_in_ms.map(|wait_ms| now + wait_ms.max(0.0) as u64),
        resend,
    }
}

fn number(published: Result<PublishHandle, Error>) -> Result<f64, JsValue> {
    match published {
        Ok(handle) => Ok(handle.number() as f64),
        Err(error) => Err(thrown(error)),
    }
}
