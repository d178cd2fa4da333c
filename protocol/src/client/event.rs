//! What the client tells its driver and its application. Values only.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{PublishHandle, Said, SubscriptionHandle};
use crate::{
    QoS, ReasonCode, TopicName,
    packet::{Auth, ConnAck, MessageProperties},
};

/// Where the connection stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// A transport is being opened or CONNACK is awaited.
    Connecting,
    /// Connected.
    Online {
        /// What became of the session.
        session: Session,
    },
    /// Not connected.
    Offline {
        /// Why, for people, beside what the code says: see [`State::explain`].
        reason: String,
        /// Why, if the server said so, or broke the protocol.
        reason_code: Option<ReasonCode>,
        /// When the next attempt starts; `None`: not by itself.
        retry_in_ms: Option<u32>,
        /// What the server said beside the code.
        diagnostics: Said,
    },
    /// The server wants other credentials; no attempt starts by itself.
    NeedsAuth {
        /// What the server said, beside the code: see [`State::explain`].
        reason: String,
        /// What it means.
        reason_code: ReasonCode,
        /// All that the server said beside the code.
        diagnostics: Said,
    },
    /// Closed by the application, for good.
    Closed,
}

impl State {
    /// Why there is no connection, in words: the name of the reason code, and what was said beside it. Empty if there is
    /// one. Not kept ready: a browser has the names in its own language, and would download these as well.
    #[must_use]
    pub fn explain(&self) -> String {
        let (reason, code) = match self {
            Self::Offline {
                reason,
                reason_code,
                ..
            } => (reason.as_str(), *reason_code),
            Self::NeedsAuth {
                reason,
                reason_code,
                ..
            } => (reason.as_str(), Some(*reason_code)),
            Self::Connecting | Self::Online { .. } | Self::Closed => ("", None),
        };
        let mut words = String::from(code.map_or("", ReasonCode::name));
        if !words.is_empty() && !reason.is_empty() {
            words.push_str(": ");
        }
        words.push_str(reason);
        words
    }
}

/// What became of the session when a connection began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// The server kept it: nothing is lost.
    Resumed,
    /// A new one, as expected.
    Fresh,
    /// A new one, for the server had lost the old one: what it kept for this client is gone.
    Gap,
    /// A new one, for the server had kept one that is not stored here: what was stored is gone.
    Evicted,
}

/// Why an operation of the application failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The client was closed.
    Closed,
    /// A QoS 0 publish without a connection.
    Offline,
    /// `outbound_messages_max` or `outbound_bytes_max` is reached.
    QueueFull,
    /// Too many subscriptions in one client.
    TooManySubscriptions,
    /// The server lost the session while a QoS 2 publish was under way: it may or may not have been delivered.
    OutcomeUnknown,
    /// Its deadline came before it was sent.
    Expired,
    /// What was stored cannot be: two publishes with one packet id.
    PacketIdInUse,
    /// Larger than the server's Maximum Packet Size [MQTT-3.2.2-15].
    PacketTooLarge,
    /// The server refused it, or has announced that it does not support it.
    Refused(ReasonCode),
}

impl Error {
    /// In words, for people. Without the formatting that `Display` brings along: a browser downloads every byte.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::Closed => "the client is closed",
            Self::Offline => "there is no connection",
            Self::QueueFull => "too much waits to be sent",
            Self::TooManySubscriptions => "too many subscriptions",
            Self::OutcomeUnknown => "the outcome is unknown: the server lost the session",
            Self::Expired => "it was not sent before its deadline",
            Self::PacketIdInUse => "what was stored has a packet id twice",
            Self::PacketTooLarge => "larger than the server accepts",
            Self::Refused(reason) => reason.name(),
        }
    }
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        if let Self::Refused(_) = self {
            f.write_str("refused: ")?;
        }
        f.write_str(self.message())
    }
}

impl core::error::Error for Error {}

/// A message from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingMessage {
    /// Its topic, an alias resolved.
    pub topic: TopicName,
    /// Its content.
    pub payload: Bytes,
    /// The QoS of this delivery.
    pub qos: QoS,
    /// Whether it comes from the retained messages.
    pub retain: bool,
    /// Whether it may have been delivered before.
    pub dup: bool,
    /// What its publisher set.
    pub properties: MessageProperties,
}

/// What happens to a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionChange {
    /// The server granted it, with this QoS as reason code. Comes again after a reconnect without a session.
    Granted(ReasonCode),
    /// The server refused it, or does not support it.
    Refused(ReasonCode),
    /// All retained messages that match have been delivered.
    SnapshotComplete {
        /// No server said so: a PINGRESP came after the SUBACK and then nothing more.
        inferred: bool,
    },
}

/// Something for the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The state changed.
    State(State),
    /// The server accepted; the state follows.
    Connected(Box<ConnAck>),
    /// A message. Taking this event from the machine acknowledges it. QoS 1 and 2 come to a durable client as journal
    /// entries instead.
    Message {
        /// The message.
        message: IncomingMessage,
        /// Who it is for; empty when it matches no subscription of this process (a resumed session can do that).
        subscriptions: Vec<SubscriptionHandle>,
    },
    /// A publish is settled: QoS 0 handed to the transport, QoS 1 and 2 acknowledged by the server.
    Acked {
        /// Which publish.
        handle: PublishHandle,
        /// How it went.
        result: Result<ReasonCode, Error>,
        /// What PUBACK or PUBCOMP said beside it, or PUBREC if PUBCOMP said nothing.
        diagnostics: Said,
    },
    /// The server refused a publish for now; it is tried again. Durable only.
    Deferred {
        /// Which publish.
        handle: PublishHandle,
        /// What the server said.
        reason: ReasonCode,
        /// When.
        retry_in_ms: u32,
        /// What PUBACK or PUBREC said beside the code.
        diagnostics: Said,
    },
    /// A subscription changed.
    Subscription {
        /// Which one.
        handle: SubscriptionHandle,
        /// How.
        change: SubscriptionChange,
        /// What SUBACK said beside the code.
        diagnostics: Said,
    },
    /// A subscription has ended at the server, or has gone with its session.
    Unsubscribed {
        /// The handle that asked for it.
        handle: SubscriptionHandle,
        /// What UNSUBACK says. An error: the server may go on with it.
        reason: ReasonCode,
        /// What UNSUBACK said beside the code.
        diagnostics: Said,
    },
    /// A step of enhanced authentication; answer with [`super::Client::authenticate`].
    Auth(Auth),
}

/// How much is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Publishes without a packet id.
    pub waiting: usize,
    /// Publishes with a packet id and without an answer.
    pub sent: usize,
    /// QoS 2 publishes between PUBREC and PUBCOMP.
    pub released: usize,
    /// Publishes that count against the server's Receive Maximum.
    pub unacknowledged: usize,
    /// Packets and events that wait for a commit.
    pub uncommitted: usize,
    /// Acknowledgements that are held.
    pub held: usize,
    /// Filters.
    pub subscriptions: usize,
    /// Whether a PINGREQ has no answer yet.
    pub awaits_ping: bool,
}

/// Something for the driver to do with the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask for credentials if [`super::Options::asks_credentials`], open a transport, then call `handle_open` or `handle_closed`.
    Open,
    /// Write what was polled, then close the transport. Nothing of it may be handed in any more.
    Close,
}
