//! What happens, as `GET /api/v1/events` tells it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::StoreState;

/// One event of the stream: its `event` is the type, its `data` this object.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// A client has connected.
    Connect {
        /// When (RFC 3339).
        at: String,
        /// It.
        client_id: String,
        /// Its user; none: anonymous.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// The peer.
        address: String,
        /// `tcp` or `ws`.
        transport: String,
        /// `5.0`, `3.1.1` or `3.1`.
        protocol: String,
        /// It goes on with a session that was there.
        session_present: bool,
        /// Another connection held its client id, and was ended.
        taken_over: bool,
    },
    /// A client has gone.
    Disconnect {
        /// When (RFC 3339).
        at: String,
        /// It.
        client_id: String,
        /// The MQTT reason code: 0 after a DISCONNECT, 128 when the connection broke, 142 when another one took over.
        reason_code: u8,
        /// Its name.
        reason: String,
        /// The same in words.
        explanation: String,
    },
    /// A session has ended that was to stay without its client.
    SessionEnd {
        /// When (RFC 3339).
        at: String,
        /// Its client.
        client_id: String,
        /// Why.
        why: SessionEnd,
    },
    /// Deliveries did not take place in the last second.
    Drops {
        /// When (RFC 3339).
        at: String,
        /// How many, by reason.
        reasons: BTreeMap<String, u64>,
        /// How many, by client, of the sessions that lost them: the first 20.
        sessions: BTreeMap<String, u64>,
        /// How many other sessions lost.
        others: u64,
    },
    /// Whether what has to be kept is taken in has changed.
    Store {
        /// When (RFC 3339).
        at: String,
        /// How it is now.
        state: StoreState,
    },
    /// The listener was too slow: what stood here is not told any more.
    Missed {
        /// So many events.
        count: u64,
    },
}

/// Why a session has ended.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SessionEnd {
    /// Its client was away for too long.
    Expired,
    /// Its client begins anew.
    CleanStart,
    /// An operator wanted it.
    Deleted,
}

impl Event {
    /// Its type, as the stream names it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "connect",
            Self::Disconnect { .. } => "disconnect",
            Self::SessionEnd { .. } => "session_end",
            Self::Drops { .. } => "drops",
            Self::Store { .. } => "store",
            Self::Missed { .. } => "missed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_event_is_its_type() {
        let at = String::new;
        for event in [
            Event::SessionEnd {
                at: at(),
                client_id: at(),
                why: SessionEnd::CleanStart,
            },
            Event::Store {
                at: at(),
                state: StoreState::Failed,
            },
            Event::Missed { count: 3 },
        ] {
            let json = serde_json::to_value(&event).expect("json");
            assert_eq!(json["type"], event.name());
            assert_eq!(serde_json::from_value::<Event>(json).ok(), Some(event));
        }
    }
}
