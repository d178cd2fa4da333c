//! Why a call to the client failed. Values only.

use core::fmt;

use ebbtide_protocol::client;
use ebbtide_protocol::topic::{FilterError, NameError};

/// Why a call to the client, or a publish, failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The URL is none, or its scheme is neither `ws` nor `wss`.
    Url,
    /// 3.1.1 finds a session by the client id only [MQTT3-3.1.3-8].
    ClientIdMissing,
    /// Client id, user name, password or a property has more than 65,535 bytes.
    FieldTooLong,
    /// No topic name.
    TopicName(NameError),
    /// No topic filter.
    TopicFilter(FilterError),
    /// The client refused it, or the server did.
    Client(client::Error),
}

impl Error {
    /// In words, for people.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::Url => "the broker's address must be a ws:// or wss:// URL",
            Self::ClientIdMissing => "MQTT 3.1.1 without clean start needs a client id",
            Self::FieldTooLong => "a field has more than 65,535 bytes",
            Self::TopicName(error) => error.message(),
            Self::TopicFilter(error) => error.message(),
            Self::Client(error) => error.message(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(error) => error.fmt(f),
            other => f.write_str(other.message()),
        }
    }
}

impl core::error::Error for Error {}

impl From<NameError> for Error {
    fn from(error: NameError) -> Self {
        Self::TopicName(error)
    }
}

impl From<FilterError> for Error {
    fn from(error: FilterError) -> Self {
        Self::TopicFilter(error)
    }
}

impl From<client::Error> for Error {
    fn from(error: client::Error) -> Self {
        Self::Client(error)
    }
}
