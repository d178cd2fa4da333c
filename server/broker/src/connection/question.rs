//! What a connection asks the world, and what the world answers.

use bytes::Bytes;
use ebbtide_protocol::{ByteString, ReasonCode};
use ebbtide_store::{Incarnation, Part, Sequence, StoreError, WallTime, access::Claims};

/// Where a connection comes from, for logs and limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The peer, as text: `127.0.0.1:50123`.
    pub address: String,
    /// What it came in by.
    pub transport: Transport,
}

/// What a connection comes in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP as it is.
    Tcp,
    /// TLS.
    Tls,
    /// WebSocket.
    Ws,
    /// WebSocket over TLS, at this broker or at a proxy before it.
    Wss,
    /// The program's own, for the HTTP API: it is nobody's presence and no news, and its operator comes in though memory is short.
    Inside,
}

impl Transport {
    /// As logs and the HTTP API call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::Inside => "api",
        }
    }
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
    /// Authentication Method and Data: the client wants enhanced authentication (section 4.12).
    pub enhanced: Option<AuthenticationStep>,
}

/// What a client says in an exchange of enhanced authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticationStep {
    /// Authentication Method.
    pub method: ByteString,
    /// Authentication Data.
    pub data: Option<Bytes>,
}

/// Who the client is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Its user; `None`: anonymous.
    pub user: Option<ByteString>,
    /// What rules may ask for.
    pub claims: Claims,
    /// When it has to be somebody anew: then the connection ends with 0x87, and the session stays.
    pub expires_at: Option<WallTime>,
    /// It is the broker's own, or its operator's: no rule is asked.
    pub is_trusted: bool,
}

impl Identity {
    /// Somebody that nothing else is known of.
    #[must_use]
    pub fn of_user(user: Option<ByteString>) -> Self {
        Self {
            user,
            ..Self::default()
        }
    }
}

/// What the core needs to know from outside. Each is answered by [`crate::Connection::handle_answer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// May this client come in?
    Authenticate(Credentials),
    /// The client answers [`Authentication::Continue`]. To be answered like the question that began the exchange.
    Continue(AuthenticationStep),
    /// A client that is in authenticates again: may it stay?
    Reauthenticate(AuthenticationStep),
    /// The messages with these numbers, for this session: ask the store's `read_part`.
    Read {
        /// Whose.
        session: Incarnation,
        /// Which.
        sequences: Vec<Sequence>,
        /// How many bytes at once, but for the last message.
        bytes_max: usize,
    },
}

/// What an authenticator says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// It may come in, or stay.
    Accepted {
        /// Who it is. A client that re-authenticates must be who it was.
        identity: Identity,
        /// Authentication Data for CONNACK or AUTH; only with a method.
        data: Option<Bytes>,
    },
    /// The method has another question for the client.
    Continue {
        /// Authentication Data for AUTH.
        data: Option<Bytes>,
    },
    /// It may not, for this reason: one of CONNACK's, `BadAuthenticationMethod` if the method is not known.
    Refused(ReasonCode),
}

/// The answer to a [`Question`].
#[derive(Debug)]
pub enum Answer {
    /// To `Authenticate`, `Continue` and `Reauthenticate`.
    Authenticated(Authentication),
    /// To `Read`.
    Read(Result<Part, StoreError>),
}
