//! Why a call to the client failed. Values only.

use ebbtide_protocol::client;
use ebbtide_protocol::topic::{FilterError, NameError};

/// Why a call to the client, or a publish, failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The URL is none, or its scheme is neither `ws` nor `wss`.
    #[error("the broker's address must be a ws:// or wss:// URL")]
    Url,
    /// 3.1.1 finds a session by the client id only [MQTT3-3.1.3-8].
    #[error("MQTT 3.1.1 without clean start needs a client id")]
    ClientIdMissing,
    /// Client id, user name, password or a property has more than 65,535 bytes.
    #[error("a field has more than 65,535 bytes")]
    FieldTooLong,
    /// No topic name.
    #[error(transparent)]
    TopicName(#[from] NameError),
    /// No topic filter.
    #[error(transparent)]
    TopicFilter(#[from] FilterError),
    /// The client refused it, or the server did.
    #[error(transparent)]
    Client(#[from] client::Error),
}
