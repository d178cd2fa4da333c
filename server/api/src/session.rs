//! Sessions, connected or away.

use serde::{Deserialize, Serialize};

/// What `GET /api/v1/sessions` may be asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct SessionQuery {
    /// Begin behind this client id: `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// So many at the most, 1 to 1000; not given, 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// The answer to `GET /api/v1/sessions`, ascending by client id.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct SessionPage {
    /// The sessions of this page.
    pub sessions: Vec<Session>,
    /// Where the next page begins; none: this is the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A session: the answer to `GET /api/v1/sessions/{client id}`.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Session {
    /// Its client.
    pub client_id: String,
    /// Its user; none: anonymous.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Whether a connection holds it.
    pub connected: bool,
    /// Messages that wait and have not been sent.
    pub queue_messages: u64,
    /// Bytes of their topics and payloads.
    pub queue_bytes: u64,
    /// What limits made it lose since its client was told last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped: Option<DroppedMessages>,
}

/// Messages that a session was to get and did not.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct DroppedMessages {
    /// How many.
    pub count: u64,
    /// When the first was dropped (RFC 3339).
    pub first: String,
    /// When the last was dropped (RFC 3339).
    pub last: String,
}
