//! What happens, as `GET /api/v1/events` tells it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::StoreState;

/// One event of the stream: its `event` is the type, its `data` this object.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case", try_from = "Members")]
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

/// The members of any event. An event is read by these: what reads a tagged enum is large, and the dashboard is to be small.
#[derive(Deserialize)]
struct Members {
    r#type: String,
    at: Option<String>,
    client_id: Option<String>,
    user: Option<String>,
    address: Option<String>,
    transport: Option<String>,
    protocol: Option<String>,
    session_present: Option<bool>,
    taken_over: Option<bool>,
    reason_code: Option<u8>,
    reason: Option<String>,
    explanation: Option<String>,
    why: Option<SessionEnd>,
    reasons: Option<BTreeMap<String, u64>>,
    sessions: Option<BTreeMap<String, u64>>,
    others: Option<u64>,
    state: Option<StoreState>,
    count: Option<u64>,
}

/// Of no type that is known here, or without a member that its type has.
const NO_EVENT: &str = "no event that is known";

impl TryFrom<Members> for Event {
    type Error = &'static str;

    fn try_from(members: Members) -> Result<Self, Self::Error> {
        let event = match &*members.r#type {
            "connect" => members.connect(),
            "disconnect" => members.disconnect(),
            "session_end" => members.session_end(),
            "drops" => members.drops(),
            "store" => members.store(),
            "missed" => members.count.map(|count| Self::Missed { count }),
            _ => None,
        };
        event.ok_or(NO_EVENT)
    }
}

impl Members {
    fn connect(self) -> Option<Event> {
        Some(Event::Connect {
            at: self.at?,
            client_id: self.client_id?,
            user: self.user,
            address: self.address?,
            transport: self.transport?,
            protocol: self.protocol?,
            session_present: self.session_present?,
            taken_over: self.taken_over?,
        })
    }

    fn disconnect(self) -> Option<Event> {
        Some(Event::Disconnect {
            at: self.at?,
            client_id: self.client_id?,
            reason_code: self.reason_code?,
            reason: self.reason?,
            explanation: self.explanation?,
        })
    }

    fn session_end(self) -> Option<Event> {
        Some(Event::SessionEnd {
            at: self.at?,
            client_id: self.client_id?,
            why: self.why?,
        })
    }

    fn drops(self) -> Option<Event> {
        Some(Event::Drops {
            at: self.at?,
            reasons: self.reasons?,
            sessions: self.sessions?,
            others: self.others?,
        })
    }

    fn store(self) -> Option<Event> {
        Some(Event::Store {
            at: self.at?,
            state: self.state?,
        })
    }
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
            Event::Connect {
                at: at(),
                client_id: "a".to_owned(),
                user: None,
                address: "127.0.0.1:5".to_owned(),
                transport: "ws".to_owned(),
                protocol: "5.0".to_owned(),
                session_present: true,
                taken_over: false,
            },
            Event::Disconnect {
                at: at(),
                client_id: "a".to_owned(),
                reason_code: 142,
                reason: "Session taken over".to_owned(),
                explanation: "another connection".to_owned(),
            },
            Event::SessionEnd {
                at: at(),
                client_id: at(),
                why: SessionEnd::CleanStart,
            },
            Event::Drops {
                at: at(),
                reasons: [("expired".to_owned(), 2)].into(),
                sessions: [("a".to_owned(), 2)].into(),
                others: 1,
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

    #[test]
    fn what_is_no_event_is_not_read_as_one() {
        for text in [
            r#"{"type":"moon"}"#,
            r#"{"type":"missed"}"#,
            r#"{"type":"store","at":""}"#,
            r#"{"count":3}"#,
        ] {
            let read = serde_json::from_str::<Event>(text);
            assert!(read.is_err(), "{text}: {read:?}");
        }
    }
}
