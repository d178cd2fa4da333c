//! What the machine tells, as calls of one function of TypeScript: which hook (`HOOKS` in `npm/src/wasm/connection.ts`
//! has their names), and its arguments as one list of values.

use alloc::vec::Vec;

use ebbtide_protocol::client::{
    Event, IncomingMessage, JournalBatch, JournalEntry, PublishHandle, Said, Session, State,
    SubscriptionChange, SubscriptionHandle,
};
use ebbtide_protocol::packet::Auth;
use ebbtide_protocol::{PacketId, QoS, ReasonCode};

use crate::calls::hear;
use crate::faults::Fault;
use crate::values::Writer;
use crate::{inspect, properties, settings};

/// In the order of `HOOKS`.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Hook {
    State,
    Message,
    Change,
    Settled,
    Deferred,
    Auth,
    Connected,
    Sent,
    Released,
    Finished,
    Withdrawn,
    Received,
    Completed,
    Unsure,
    Restarted,
    Subscribed,
    Unsubscribed,
    Commit,
    Figures,
}

/// What the arguments of a hook seldom exceed: it is not to be grown for each of them.
const USUAL_BYTES: usize = 1024;

/// Calls a hook with so many arguments.
pub(crate) fn tell(hook: Hook, arguments: usize, write: impl FnOnce(&mut Writer)) {
    let mut to = Writer(Vec::with_capacity(USUAL_BYTES));
    to.list(arguments);
    write(&mut to);
    hear(hook as u32, to.0.as_ptr());
}

pub(crate) fn deliver(event: Event) {
    match event {
        Event::State(state) => tell(Hook::State, 6, |to| write_state(&state, to)),
        Event::Connected(connack) => tell(Hook::Connected, 1, |to| inspect::connack(&connack, to)),
        Event::Message {
            message,
            subscriptions,
        } => tell(Hook::Message, 7, |to| {
            write_message(&message, &subscriptions, to);
        }),
        Event::Acked {
            handle,
            result,
            diagnostics,
        } => tell(Hook::Settled, 3, |to| {
            outcome(handle, result, &diagnostics, to);
        }),
        Event::Deferred {
            handle,
            reason,
            retry_in_ms,
            diagnostics,
        } => tell(Hook::Deferred, 4, |to| {
            number(handle, to);
            to.number(reason as u8);
            to.number(retry_in_ms);
            said(&diagnostics, to);
        }),
        Event::Subscription {
            handle,
            change,
            diagnostics,
        } => {
            let (kind, value) = match change {
                SubscriptionChange::Granted(reason) => ("granted", reason as u8),
                SubscriptionChange::Refused(reason) => ("refused", reason as u8),
                SubscriptionChange::SnapshotComplete { inferred } => {
                    ("snapshot", u8::from(inferred))
                }
            };
            changed(handle, kind, value, &diagnostics);
        }
        Event::Unsubscribed {
            handle,
            reason,
            diagnostics,
        } => changed(handle, "unsubscribed", reason as u8, &diagnostics),
        Event::Auth(Auth {
            reason,
            authentication_data,
            reason_string,
            user_properties,
            ..
        }) => tell(Hook::Auth, 3, |to| {
            to.text(match reason {
                ReasonCode::Success => "success",
                _ => "continue",
            });
            to.maybe_bytes(authentication_data.as_ref());
            to.list(2);
            to.maybe_text(reason_string.as_ref());
            to.user_properties(&user_properties);
        }),
    }
}

pub(crate) fn store(batch: JournalBatch) {
    for entry in batch.entries {
        write(entry);
    }
    tell(Hook::Commit, 1, |to| to.number(batch.ticket));
}

fn write(entry: JournalEntry) {
    match entry {
        JournalEntry::Sent { handle, packet_id } => tell(Hook::Sent, 2, |to| {
            number(handle, to);
            to.number(packet_id.get());
        }),
        JournalEntry::Released { handle } => tell(Hook::Released, 1, |to| number(handle, to)),
        JournalEntry::Finished {
            handle,
            result,
            diagnostics,
        } => tell(Hook::Finished, 3, |to| {
            outcome(handle, result, &diagnostics, to);
        }),
        JournalEntry::Withdrawn { handle } => tell(Hook::Withdrawn, 1, |to| number(handle, to)),
        JournalEntry::Received {
            packet_id,
            message,
            subscriptions,
        } => tell(Hook::Received, 8, |to| {
            to.number(packet_id.map_or(0, PacketId::get));
            write_message(&message, &subscriptions, to);
        }),
        JournalEntry::Completed { packet_id } => {
            tell(Hook::Completed, 1, |to| to.number(packet_id.get()));
        }
        JournalEntry::Unsure { is_unsure } => tell(Hook::Unsure, 1, |to| to.flag(is_unsure)),
        JournalEntry::Restarted { session_name } => tell(Hook::Restarted, 1, |to| {
            to.maybe_text(session_name.as_ref());
        }),
        JournalEntry::Subscribed {
            identifier,
            filter,
            used,
        } => tell(Hook::Subscribed, 4, |to| {
            to.number(identifier);
            to.text(filter.as_str());
            to.number(used.options.qos as u8);
            to.number(settings::flags(used));
        }),
        JournalEntry::Unsubscribed { identifier } => {
            tell(Hook::Unsubscribed, 1, |to| to.number(identifier));
        }
    }
}

fn write_state(state: &State, to: &mut Writer) {
    let (kind, session, reason, reason_code, retry_in_ms, diagnostics) = match state {
        State::Connecting => ("connecting", None, "", None, None, &None),
        State::Online { session } => ("online", Some(*session), "", None, None, &None),
        State::Offline {
            reason,
            reason_code,
            retry_in_ms,
            diagnostics,
        } => (
            "offline",
            None,
            reason.as_str(),
            *reason_code,
            *retry_in_ms,
            diagnostics,
        ),
        State::NeedsAuth {
            reason,
            reason_code,
            diagnostics,
        } => (
            "needs-auth",
            None,
            reason.as_str(),
            Some(*reason_code),
            None,
            diagnostics,
        ),
        State::Closed => ("closed", None, "", None, None, &None),
    };
    to.text(kind);
    match session {
        None => to.nothing(),
        Some(Session::Resumed) => to.text("resumed"),
        Some(Session::Fresh) => to.text("fresh"),
        Some(Session::Gap) => to.text("gap"),
        Some(Session::Evicted) => to.text("evicted"),
    }
    to.text(reason);
    to.maybe_number(reason_code.map(|code| code as u32));
    to.maybe_number(retry_in_ms);
    said(diagnostics, to);
}

/// In the order of `DIAGNOSTICS` in `npm/src/wasm/connection.ts`; nothing when there is none.
fn said(diagnostics: &Said, to: &mut Writer) {
    let Some(diagnostics) = diagnostics else {
        return to.nothing();
    };
    to.list(3);
    to.maybe_text(diagnostics.reason_string.as_ref());
    to.user_properties(&diagnostics.user_properties);
    to.maybe_text(diagnostics.server_reference.as_ref());
}

/// Topic, payload, QoS, RETAIN, DUP, numbers of subscriptions, properties.
fn write_message(message: &IncomingMessage, subscriptions: &[SubscriptionHandle], to: &mut Writer) {
    to.text(message.topic.as_str());
    // An event without an acknowledgement passes by. All else is stored, or is the state of its topic and kept.
    match message.qos == QoS::AtMostOnce && !message.retain {
        true => to.passing(&message.payload),
        false => to.maybe_bytes(Some(&message.payload)),
    }
    to.number(message.qos as u8);
    to.flag(message.retain);
    to.flag(message.dup);
    to.list(subscriptions.len());
    for handle in subscriptions {
        to.number(handle.number());
    }
    properties::write(&message.properties, to);
}

fn changed(handle: SubscriptionHandle, kind: &str, value: u8, diagnostics: &Said) {
    tell(Hook::Change, 4, |to| {
        to.number(handle.number());
        to.text(kind);
        to.number(value);
        said(diagnostics, to);
    });
}

fn number(handle: PublishHandle, to: &mut Writer) {
    to.float(handle.number() as f64);
}

/// The handle, the reason code or the negative of a fault, and what was said beside it.
fn outcome(
    handle: PublishHandle,
    result: Result<ReasonCode, ebbtide_protocol::client::Error>,
    diagnostics: &Said,
    to: &mut Writer,
) {
    number(handle, to);
    to.float(match result {
        Ok(reason) => f64::from(reason as u8),
        Err(error) => -f64::from(Fault::from(error).number()),
    });
    said(diagnostics, to);
}
