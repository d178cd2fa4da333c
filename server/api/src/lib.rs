//! The types of the HTTP API: what is asked and what is answered, shared by server, dashboard and command line.
//!
//! Every body is a JSON object. Errors are [`ProblemDetails`] with the content type `application/problem+json`.

use serde::{Deserialize, Serialize};

/// The body of `POST /api/v1/publish`.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct PublishRequest {
    /// A topic name.
    pub topic: String,
    /// The payload as text; neither this nor `payload_base64` means an empty one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// The payload as base64 (RFC 4648, section 4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_base64: Option<String>,
    /// 0, 1 or 2; not given, it is 1. From 1 on, success means that the message is on disk, as a PUBACK would. With 0
    /// it means only that the broker took the message, also when `retain` asks to keep it.
    #[serde(default = "default_qos")]
    pub qos: u8,
    /// Keep it as the retained message of the topic; an empty payload clears that.
    #[serde(default)]
    pub retain: bool,
}

fn default_qos() -> u8 {
    1
}

impl Default for PublishRequest {
    fn default() -> Self {
        Self {
            topic: String::new(),
            payload: None,
            payload_base64: None,
            qos: default_qos(),
            retain: false,
        }
    }
}

/// The answer to `POST /api/v1/publish`.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct PublishResponse {
    /// The MQTT reason code: 0, or 16 when nobody had subscribed.
    pub reason_code: u8,
    /// Its name.
    pub reason: String,
}

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

/// The body of `POST /api/v1/backup`. The answer is the backup itself, `application/octet-stream`; it is whole if its end
/// mark is there, which `ebbtide backup` and `ebbtide restore` verify.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct BackupRequest {
    /// After so many seconds the backup is broken off, at most an hour; not given, it is ten minutes. Meanwhile the
    /// broker's file cannot reuse pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_s: Option<u32>,
}

/// The body of `POST /api/v1/compact`: an empty object. The answer comes when the file is small.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct CompactRequest {}

/// The answer to `POST /api/v1/compact`.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct CompactResponse {
    /// Size of the file before.
    pub before_bytes: u64,
    /// And after.
    pub after_bytes: u64,
    /// How long commits, and with them acknowledgements, had to wait, milliseconds.
    pub paused_ms: u64,
}

/// Why a request was not done (RFC 9457).
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct ProblemDetails {
    /// The name of the status.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What was wrong, and what to do.
    pub detail: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_means_committed_if_nothing_else_is_asked_for() {
        let asked: PublishRequest = serde_json::from_str(r#"{"topic":"a"}"#).expect("a request");
        assert_eq!(asked.qos, 1);
        assert_eq!(PublishRequest::default().qos, asked.qos);
    }
}
