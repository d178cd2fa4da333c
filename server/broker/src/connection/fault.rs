//! Why something is refused, or a connection ends: one reason code and a sentence.

use ebbtide_protocol::{ReasonCode, Violation};

use crate::{Limit, numbers::Exhausted, room::NoRoom, route::Refused, shared::Shared};

/// Why one thing is not done; the connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub reason: ReasonCode,
    /// What is wrong, and which limit is in the way.
    pub why: &'static str,
}

/// Why a connection ends, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The reason code that fits best; `Success` for a normal end.
    pub reason: ReasonCode,
    /// The same in words: what was wrong.
    pub explanation: String,
}

impl Close {
    pub(crate) fn new(reason: ReasonCode, explanation: impl Into<String>) -> Self {
        Self {
            reason,
            explanation: explanation.into(),
        }
    }

    /// A limit keeps it out; counted.
    pub(crate) fn over(shared: &Shared, limit: Limit) -> Self {
        shared.counters.limits.hit(limit);
        Self::beyond(limit)
    }

    /// A limit keeps it out that has been counted.
    pub(crate) fn beyond(limit: Limit) -> Self {
        let (reason, why) = match limit {
            Limit::ConnectionsMax => (
                ReasonCode::ServerBusy,
                "the broker has connections_max connections",
            ),
            Limit::ConnectionsPerAddressMax => (
                ReasonCode::QuotaExceeded,
                "the address has connections_per_address_max connections",
            ),
            Limit::ConnectRatePerAddressMax => (
                ReasonCode::ConnectionRateExceeded,
                "the address connects faster than connect_rate_per_address_max",
            ),
            Limit::ConnectionsPerUserMax => (
                ReasonCode::QuotaExceeded,
                "the user has connections_per_user_max connections",
            ),
            Limit::SessionsPerUserMax => (
                ReasonCode::QuotaExceeded,
                "the user has sessions_per_user_max sessions",
            ),
            Limit::MemoryBytesMax => (
                ReasonCode::ServerBusy,
                "the broker has memory_bytes_max in use",
            ),
            other => (ReasonCode::QuotaExceeded, other.name()),
        };
        Self::new(reason, why)
    }

    /// The server stops, or asks its clients to go elsewhere.
    pub(crate) fn stopping(shared: &Shared) -> Self {
        match shared.server_reference() {
            Some(_) => Self::new(
                ReasonCode::UseAnotherServer,
                "the server stops; another one takes its clients",
            ),
            None => Self::new(ReasonCode::ServerShuttingDown, "the server stops"),
        }
    }

    /// Whether it is the server that stops.
    pub(crate) fn is_stop(&self) -> bool {
        matches!(
            self.reason,
            ReasonCode::ServerShuttingDown | ReasonCode::UseAnotherServer
        )
    }
}

impl From<Violation> for Close {
    fn from(violation: Violation) -> Self {
        Self::new(violation.reason(), violation.to_string())
    }
}

impl From<Exhausted> for Close {
    fn from(_: Exhausted) -> Self {
        Self::new(ReasonCode::ServerBusy, "the store is far behind")
    }
}

impl From<Refused> for Close {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Exhausted => Exhausted.into(),
            Refused::Quota(why) => Self::new(ReasonCode::QuotaExceeded, format!("will: {why}")),
            Refused::NoRoom(no_room) => no_room.into(),
        }
    }
}

impl From<NoRoom> for Close {
    fn from(no_room: NoRoom) -> Self {
        Self::new(ReasonCode::QuotaExceeded, no_room.why())
    }
}
