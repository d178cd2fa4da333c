//! What a connection asks the world, and what the world answers.

use bytes::Bytes;
use ebbtide_protocol::{ByteString, ReasonCode};
use ebbtide_store::{Incarnation, Queued, Sequence, StoreError};

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

/// What the core needs to know from outside. Each is answered by [`crate::Connection::handle_answer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// May this client come in?
    Authenticate(Credentials),
    /// The messages with these numbers, for this session: ask the store's `read`.
    Read {
        /// Whose.
        session: Incarnation,
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
