//! Why something is refused, or a connection ends: one reason code and a sentence.

use ebbtide_protocol::{ReasonCode, Violation};

use crate::{journal::Journal, numbers::Exhausted, shared::Shared};

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

    /// What a commit that failed, or cannot be waited for, means to whom it concerns [MQTT3-4.8.0-2].
    pub(crate) fn of_journal(journal: &Journal) -> Option<Self> {
        journal
            .is_broken()
            .then(|| Self::new(ReasonCode::ServerBusy, "the store failed"))
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
