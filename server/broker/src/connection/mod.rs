//! One connection, from its first byte to its last: a state machine without a socket.

use std::task::Waker;

use bytes::{Bytes, BytesMut};
use ebbtide_protocol::{ByteString, ReasonCode};
use ebbtide_store::{Queued, Sequence, StoreError};

use crate::{Monotonic, Now};

/// Where a connection comes from, for logs and limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The peer, as text: `127.0.0.1:50123`.
    pub address: String,
    /// What it came in by: `tcp` or `ws`.
    pub transport: &'static str,
}

/// What a client says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Client Identifier, possibly assigned.
    pub client_id: ByteString,
    /// User Name.
    pub username: Option<ByteString>,
    /// Password.
    pub password: Option<Bytes>,
}

/// Who the client is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its user; `None`: anonymous.
    pub user: Option<ByteString>,
}

/// What the core needs to know from outside. Each is answered by [`Connection::handle_answer`]; the connection reads
/// no further packets until then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// May this client come in?
    Authenticate(Credentials),
    /// The messages with these numbers, for this session: ask the store's `read`.
    Read {
        /// Whose.
        session: ebbtide_store::Incarnation,
        /// Which.
        sequences: Vec<Sequence>,
    },
}

/// The answer to a [`Question`].
#[derive(Debug)]
pub enum Answer {
    /// To `Authenticate`: who it is, or the reason why not.
    Authenticated(Result<Identity, ReasonCode>),
    /// To `Read`.
    Read(Result<Vec<Queued>, StoreError>),
}

/// Why a connection ends, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The reason code that fits best; `Success` for a normal end.
    pub reason: ReasonCode,
    /// The same in words: what was wrong and what to do.
    pub explanation: String,
}

/// One connection. Dropping it counts as an end without DISCONNECT.
#[derive(Debug)]
pub struct Connection {}

impl Connection {
    /// Takes packets off the front of `input`. Returns `true` when a budget ended the turn while complete packets
    /// may remain: call again after the outputs have been polled. What is left is an incomplete packet, or waits
    /// because [`Connection::wants_input`] has become `false`.
    pub fn receive(&mut self, _input: &mut BytesMut, _now: Now) -> bool {
        unimplemented!()
    }

    /// Whether the socket may be read: no while too much of what it sent waits for the disk or a question is open.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        unimplemented!()
    }

    /// Its waker was woken.
    pub fn handle_wake(&mut self, _now: Now) {
        unimplemented!()
    }

    /// The deadline of [`Connection::poll_timeout`] has passed.
    pub fn handle_timeout(&mut self, _now: Now) {
        unimplemented!()
    }

    /// The byte stream ended, or failed, at the other side.
    pub fn handle_end(&mut self, _now: Now) {
        unimplemented!()
    }

    /// The answer to an earlier question.
    pub fn handle_answer(&mut self, _answer: Answer, _now: Now) {
        unimplemented!()
    }

    /// The next question to the outside. Questions may be asked while others are open.
    pub fn poll_question(&mut self) -> Option<Question> {
        unimplemented!()
    }

    /// Appends what is to be written to `output`, up to a budget per call. Returns `false` when it added nothing.
    pub fn poll_transmit(&mut self, _output: &mut BytesMut, _now: Now) -> bool {
        unimplemented!()
    }

    /// When [`Connection::handle_timeout`] wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Monotonic> {
        unimplemented!()
    }

    /// Set once the connection is over: write what [`Connection::poll_transmit`] still gives, then close the stream.
    #[must_use]
    pub fn close(&self) -> Option<&Close> {
        unimplemented!()
    }

    /// The client identifier, once CONNECT has been accepted; for logs.
    #[must_use]
    pub fn client_id(&self) -> Option<&ByteString> {
        unimplemented!()
    }
}

#[allow(dead_code)]
fn _waker_is_std(_: Waker) {}
