//! Errors as numbers; `npm/src/wasm/faults.ts` has the codes and the words to them.

use ebbtide_protocol::client;
use ebbtide_protocol::topic::{FilterError, NameError};

/// Why a call failed.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    FieldTooLong,
    ClientIdMissing,
    TopicName,
    TopicFilter(FilterError),
    Client(client::Error),
}

impl Fault {
    /// Its number: the reason code of the server in the lower eight bits.
    pub(crate) fn number(self) -> u32 {
        let (kind, reason) = match self {
            Self::FieldTooLong => (1, 0),
            Self::ClientIdMissing => (2, 0),
            Self::TopicName => (10, 0),
            Self::TopicFilter(error) => (20 + error as u32, 0),
            Self::Client(error) => match error {
                client::Error::Closed => (30, 0),
                client::Error::Offline => (31, 0),
                client::Error::QueueFull => (32, 0),
                client::Error::TooManySubscriptions => (33, 0),
                client::Error::OutcomeUnknown => (34, 0),
                client::Error::Expired => (35, 0),
                client::Error::PacketIdInUse => (36, 0),
                client::Error::PacketTooLarge => (37, 0),
                client::Error::Refused(reason) => (38, reason as u32),
            },
        };
        kind << 8 | reason
    }
}

impl From<NameError> for Fault {
    fn from(_: NameError) -> Self {
        Self::TopicName
    }
}

impl From<FilterError> for Fault {
    fn from(error: FilterError) -> Self {
        Self::TopicFilter(error)
    }
}

impl From<client::Error> for Fault {
    fn from(error: client::Error) -> Self {
        Self::Client(error)
    }
}

/// A result as one number: what it is, or the negative of a fault.
pub(crate) fn outcome(result: Result<f64, Fault>) -> f64 {
    result.unwrap_or_else(|fault| -f64::from(fault.number()))
}
