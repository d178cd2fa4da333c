//! The functions that TypeScript calls, and the two that it gives. Text, bytes and lists of a call lie in the memory that
//! [`allocate`] gave, and are taken by the call.
//!
//! Each call is one of the machine's; times are milliseconds. No borrow is held while TypeScript runs.

#![allow(unsafe_code, reason = "names for the other side")]

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::RefCell;

use bytes::BytesMut;
use ebbtide_protocol::client::{
    Action, Client as Machine, Delivery, Error, OutgoingMessage, PublishHandle, Stage,
    SubscriptionHandle,
};
use ebbtide_protocol::codec::{Role, check_as};
use ebbtide_protocol::packet::{Auth, Disconnect, Publish, UserProperty};
use ebbtide_protocol::{
    ByteString, Packet, PacketId, QoS, ReasonCode, TopicFilter, TopicName, Version,
};

use crate::faults::{Fault, outcome};
use crate::hooks::{self, Hook, tell};
use crate::values::Reader;
use crate::{inspect, properties, settings};

/// What a text or binary field takes.
const FIELD_BYTES_MAX: usize = 65_535;
/// Bytes that one call of `send` takes, about.
const FRAME_BYTES: usize = 64 * 1024;

#[link(wasm_import_module = "ebbtide")]
unsafe extern "C" {
    /// A hook, and a list of values that lasts as long as the call.
    pub(crate) safe fn hear(hook: u32, arguments: *const u8);
    /// Bytes for the server.
    safe fn send(bytes: *const u8, length: usize);
}

struct OneThread<T>(RefCell<T>);

// SAFETY: the module is built without threads, and each instance has a memory of its own.
unsafe impl<T> Sync for OneThread<T> {}

static MACHINE: OneThread<Option<Machine>> = OneThread(RefCell::new(None));
static ARGUMENTS: OneThread<Option<BytesMut>> = OneThread(RefCell::new(None));
/// The beginning of a packet whose end has not come.
static INPUT: OneThread<Option<BytesMut>> = OneThread(RefCell::new(None));

fn with<T>(call: impl FnOnce(&mut Machine) -> T) -> T {
    let mut machine = MACHINE.0.borrow_mut();
    call(machine.as_mut().expect("`create` comes first"))
}

fn bytes() -> BytesMut {
    ARGUMENTS.0.take().unwrap_or_default()
}

fn arguments() -> Reader {
    Reader(bytes().freeze())
}

/// The one value of a call: why.
fn reason() -> ByteString {
    arguments().text().unwrap_or_default()
}

/// Memory for the next call.
#[unsafe(no_mangle)]
extern "C" fn allocate(length: usize) -> *mut u8 {
    let mut arguments = ARGUMENTS.0.borrow_mut();
    arguments.insert(BytesMut::zeroed(length)).as_mut_ptr()
}

/// Before all others, once: settings. Zero, or the negative of a fault.
#[unsafe(no_mangle)]
extern "C" fn create() -> f64 {
    outcome(settings::read(&mut arguments()).map(|options| {
        *MACHINE.0.borrow_mut() = Some(Machine::idle(options));
        0.0
    }))
}

/// Before the start: a publish of an earlier run. Its handle, or the negative of a fault.
#[unsafe(no_mangle)]
extern "C" fn restore_outgoing(
    now: f64,
    qos: u32,
    retain: u32,
    deadline_in_ms: f64,
    resend: u32,
    packet_id: u32,
    stage: u32,
) -> f64 {
    outcome(message(qos, retain).and_then(|message| {
        let packet_id = PacketId::new(packet_id as u16).ok_or(Error::PacketIdInUse)?;
        let stage = match stage {
            2 => Stage::Released,
            _ => Stage::Sent,
        };
        let delivery = delivery(now, deadline_in_ms, resend);
        let handle = with(|machine| machine.restore_outgoing(message, delivery, packet_id, stage))?;
        Ok(handle.number() as f64)
    }))
}

/// Before the start: a QoS 2 packet id that was received and not completed.
#[unsafe(no_mangle)]
extern "C" fn restore_incoming(packet_id: u32) {
    if let Some(packet_id) = PacketId::new(packet_id as u16) {
        with(|machine| machine.restore_incoming(packet_id));
    }
}

/// Before the start: a subscription of an earlier run. Zero, or the negative of a fault.
#[unsafe(no_mangle)]
extern "C" fn restore_subscription(identifier: u32, qos: u32, flags: u32) -> f64 {
    outcome(filter(&mut arguments()).map(|filter| {
        let used = settings::used(qos, flags);
        with(|machine| machine.restore_subscription(identifier, filter, used));
        0.0
    }))
}

#[unsafe(no_mangle)]
extern "C" fn start(now: f64) {
    with(|machine| machine.start(now as u64));
}

/// Topic, payload and properties. The handle, or the negative of a fault.
#[unsafe(no_mangle)]
extern "C" fn publish(now: f64, qos: u32, retain: u32, deadline_in_ms: f64, resend: u32) -> f64 {
    outcome(message(qos, retain).and_then(|message| {
        let delivery = delivery(now, deadline_in_ms, resend);
        let handle = with(|machine| machine.publish_with(message, delivery))?;
        Ok(handle.number() as f64)
    }))
}

/// Whether it had not left: then nothing more is heard of it.
#[unsafe(no_mangle)]
extern "C" fn cancel(handle: f64) -> bool {
    let handle = PublishHandle::from_number(handle as u64);
    with(|machine| machine.cancel(handle))
}

/// How many more publishes keep the window full.
#[unsafe(no_mangle)]
extern "C" fn wanted() -> usize {
    with(|machine| machine.wanted())
}

/// Filter and User Properties. The number that its messages come with, or the negative of a fault.
#[unsafe(no_mangle)]
extern "C" fn subscribe(qos: u32, flags: u32) -> f64 {
    let mut values = arguments();
    outcome(filter(&mut values).and_then(|filter| {
        let properties = user_properties(&mut values)?;
        let used = settings::used(qos, flags);
        let handle = with(|machine| machine.subscribe_with(filter, used, properties))?;
        Ok(f64::from(handle.number()))
    }))
}

/// With User Properties, should this be the last use of its filter.
#[unsafe(no_mangle)]
extern "C" fn unsubscribe(subscription: u32) {
    let properties = arguments().user_properties();
    let handle = SubscriptionHandle::from_number(subscription);
    with(|machine| machine.unsubscribe_with(handle, properties));
}

/// No acknowledgement of received messages leaves while true.
#[unsafe(no_mangle)]
extern "C" fn hold_acks(hold: u32) {
    with(|machine| machine.hold_acknowledgements(hold != 0));
}

/// The batch is stored, and all before it.
#[unsafe(no_mangle)]
extern "C" fn committed(ticket: u32) {
    with(|machine| machine.handle_committed(ticket));
}

/// User name, password and authentication data for the next attempt. False: one of them is too long.
#[unsafe(no_mangle)]
extern "C" fn credentials(now: f64) -> bool {
    let mut values = arguments();
    let (username, password, data) = (values.text(), values.bytes(), values.bytes());
    let name_bytes = username.as_ref().map(|name| name.as_bytes());
    let fits = [name_bytes, password.as_ref(), data.as_ref()]
        .into_iter()
        .flatten()
        .all(|bytes| bytes.len() <= FIELD_BYTES_MAX);
    if fits {
        with(|machine| machine.set_credentials(now as u64, username, password, data));
    }
    fits
}

/// AUTH, with its data, Reason String and User Properties: begins a re-authentication, or answers one of the server.
#[unsafe(no_mangle)]
extern "C" fn authenticate(again: u32) {
    let mut values = arguments();
    let (data, reason_string) = (values.bytes(), values.text());
    with(|machine| {
        machine.authenticate(Auth {
            reason: match again {
                0 => ReasonCode::ContinueAuthentication,
                _ => ReasonCode::ReAuthenticate,
            },
            authentication_method: machine.options().connect.authentication_method.clone(),
            authentication_data: data,
            reason_string: reason_string.filter(|text| text.len() <= FIELD_BYTES_MAX),
            user_properties: user_properties(&mut values).unwrap_or_default(),
        });
    });
}

/// The world may have changed.
#[unsafe(no_mangle)]
extern "C" fn probe(now: f64) {
    with(|machine| machine.probe(now as u64));
}

#[unsafe(no_mangle)]
extern "C" fn reconnect(now: f64) {
    with(|machine| machine.reconnect_now(now as u64));
}

/// Leaves without an end, for the reason in memory: wills are published.
#[unsafe(no_mangle)]
extern "C" fn leave() {
    with(|machine| machine.leave(&reason()));
}

/// For good, by a DISCONNECT with these: whether the will is published, Session Expiry Interval, Reason String, User
/// Properties.
#[unsafe(no_mangle)]
extern "C" fn close() {
    let mut values = arguments();
    let reason = if values.flag() {
        ReasonCode::DisconnectWithWill
    } else {
        ReasonCode::Success
    };
    let disconnect = Disconnect {
        session_expiry_interval: values.number().map(|seconds| seconds as u32),
        reason_string: values.text(),
        user_properties: values.user_properties(),
        ..Disconnect::new(reason)
    };
    with(|machine| machine.end_with(disconnect));
}

#[unsafe(no_mangle)]
extern "C" fn opened(now: f64) {
    with(|machine| machine.handle_open(now as u64));
}

/// Bytes from the server are in memory; none: the socket has got rid of some that waited in it.
#[unsafe(no_mangle)]
extern "C" fn received(now: f64) {
    let mut input = INPUT.0.take().unwrap_or_default();
    if input.is_empty() {
        input = bytes();
    } else {
        input.unsplit(bytes());
    }
    with(|machine| machine.handle_input(now as u64, &mut input));
    *INPUT.0.borrow_mut() = Some(input);
}

/// A text message of the WebSocket [MQTT-6.0.0-1].
#[unsafe(no_mangle)]
extern "C" fn received_text(now: f64) {
    with(|machine| machine.handle_violation(now as u64, ReasonCode::ProtocolError));
}

/// The transport could not be opened, or is gone, for the reason in memory.
#[unsafe(no_mangle)]
extern "C" fn closed(now: f64) {
    with(|machine| machine.handle_closed(now as u64, &reason()));
}

/// The transport is let go: what came of it before is void.
#[unsafe(no_mangle)]
extern "C" fn let_go() {
    INPUT.0.take();
}

#[unsafe(no_mangle)]
extern "C" fn timeout(now: f64) {
    with(|machine| machine.handle_timeout(now as u64));
}

/// When `timeout` is to be called next; infinite: not at all.
#[unsafe(no_mangle)]
extern "C" fn poll_timeout() -> f64 {
    with(|machine| machine.poll_timeout()).map_or(f64::INFINITY, |at| at as f64)
}

/// Hooks for all events; whether there were any.
#[unsafe(no_mangle)]
extern "C" fn poll_events() -> bool {
    let mut any = false;
    while let Some(event) = with(Machine::poll_event) {
        any = true;
        hooks::deliver(event);
    }
    any
}

/// Hooks for the next batch of the journal; whether there was one.
#[unsafe(no_mangle)]
extern "C" fn poll_journal() -> bool {
    match with(Machine::poll_journal) {
        Some(batch) => hooks::store(batch),
        None => return false,
    }
    true
}

/// Sends about a frame; whether there was anything to send. A large packet leaves in pieces: the server sees that it comes, where a
/// message of the WebSocket may be seen once it is whole.
#[unsafe(no_mangle)]
extern "C" fn poll_output(now: f64) -> bool {
    let mut output = BytesMut::new();
    with(|machine| machine.poll_output(now as u64, &mut output, FRAME_BYTES));
    for frame in output.chunks(2 * FRAME_BYTES) {
        send(frame.as_ptr(), frame.len());
    }
    !output.is_empty()
}

/// 0 nothing, 1 open a transport, 2 write what there is and close it.
#[unsafe(no_mangle)]
extern "C" fn poll_action() -> u32 {
    match with(Machine::poll_action) {
        None => 0,
        Some(Action::Open) => 1,
        Some(Action::Close) => 2,
    }
}

/// The hook `figures`.
#[unsafe(no_mangle)]
extern "C" fn inspect() {
    tell(Hook::Figures, 1, |to| {
        with(|machine| inspect::figures(machine, to));
    });
}

fn user_properties(values: &mut Reader) -> Result<Vec<UserProperty>, Fault> {
    let properties = values.user_properties();
    let fits = |(name, value): &UserProperty| name.len().max(value.len()) <= FIELD_BYTES_MAX;
    match properties.iter().all(fits) {
        true => Ok(properties),
        false => Err(Fault::FieldTooLong),
    }
}

fn filter(values: &mut Reader) -> Result<TopicFilter, Fault> {
    Ok(TopicFilter::new(values.text().unwrap_or_default())?)
}

/// Topic, payload and properties, checked.
fn message(qos: u32, retain: u32) -> Result<OutgoingMessage, Fault> {
    let mut values = arguments();
    let qos = settings::qos(qos);
    let publish = Publish {
        dup: false,
        qos,
        retain: retain != 0,
        topic: Some(TopicName::new(values.text().unwrap_or_default())?),
        packet_id: (qos != QoS::AtMostOnce).then_some(PacketId::MAX),
        topic_alias: None,
        subscription_identifiers: Vec::new(),
        payload: values.bytes().unwrap_or_default(),
        properties: properties::read(&mut values)?,
    };
    let packet = Packet::Publish(Box::new(publish));
    check_as(Some(Role::Client), &packet, Version::V5).map_err(|_| Fault::FieldTooLong)?;
    let Packet::Publish(publish) = packet else {
        unreachable!("it was one a moment ago")
    };
    Ok(OutgoingMessage {
        topic: publish.topic.expect("it was set above"),
        payload: publish.payload,
        qos,
        retain: publish.retain,
        properties: publish.properties,
    })
}

/// No deadline: not a number.
fn delivery(now: f64, deadline_in_ms: f64, resend: u32) -> Delivery {
    Delivery {
        deadline: (!deadline_in_ms.is_nan()).then(|| now as u64 + deadline_in_ms.max(0.0) as u64),
        resend: resend != 0,
    }
}
