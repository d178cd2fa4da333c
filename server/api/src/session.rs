//! Sessions, connected or away: what they are, what waits for them, and what is done to them.

use serde::{Deserialize, Serialize};

use crate::Properties;

/// What `GET /api/v1/sessions` may be asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct SessionQuery {
    /// Whose client id, user or address contains this; the case of ASCII letters does not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Only those that are connected, or only those that are away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<SessionState>,
    /// In which order; those that are equal by client id, those without such a value last.
    #[serde(default)]
    pub sort: SessionSort,
    /// Which way round.
    #[serde(default)]
    pub order: Order,
    /// Go on there: `next` of the page before, with the same `sort` and `order`. Its content means nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// So many at the most, 1 to 1000; not given, 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 1000))]
    pub limit: Option<usize>,
}

/// Whether a connection holds a session.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// One does.
    Connected,
    /// None does.
    Away,
}

/// What sessions are ordered by.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SessionSort {
    /// `client_id`.
    #[default]
    ClientId,
    /// `connected_at`.
    ConnectedAt,
    /// `disconnected_at`.
    DisconnectedAt,
    /// `expires_at`.
    ExpiresAt,
    /// `queue_messages`.
    QueueMessages,
    /// `queue_bytes`.
    QueueBytes,
    /// `subscriptions`.
    Subscriptions,
    /// `in_flight`.
    InFlight,
    /// `dropped`.
    Dropped,
}

/// A direction.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The least first.
    #[default]
    Asc,
    /// The greatest first.
    Desc,
}

/// The answer to `GET /api/v1/sessions`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionPage {
    /// The sessions of this page.
    pub sessions: Vec<Session>,
    /// How many there are of this kind, on this page or not.
    pub total: u64,
    /// The cursor of the next page; none: this is the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A session: the answer to `GET /api/v1/sessions/{client id}`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Session {
    /// Its client.
    pub client_id: String,
    /// Its user; none: anonymous.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Whether a connection holds it.
    pub connected: bool,
    /// That connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<SessionConnection>,
    /// While it is away: since when (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disconnected_at: Option<String>,
    /// Session Expiry Interval: so many seconds it stays without a connection; none: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_expiry_interval: Option<u32>,
    /// While it is away: when it ends (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// The same from now on, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_s: Option<u64>,
    /// How many subscriptions it has.
    pub subscriptions: u64,
    /// QoS 1 and 2 messages that it was sent and has not acknowledged.
    pub in_flight: u64,
    /// Messages that wait and have not been sent.
    pub queue_messages: u64,
    /// Bytes of their topics, payloads and properties.
    pub queue_bytes: u64,
    /// What it has lost since its client was told last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped: Option<DroppedMessages>,
}

/// The connection that holds a session.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionConnection {
    /// `5.0`, `3.1.1` or `3.1`.
    pub protocol: String,
    /// `tcp` or `ws`; `api` for what the HTTP API publishes.
    pub transport: String,
    /// The peer.
    pub address: String,
    /// Since when (RFC 3339).
    pub connected_at: String,
    /// The keep alive in force, seconds; 0: none.
    pub keep_alive_s: u16,
}

/// Messages that a session was to get and did not.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DroppedMessages {
    /// How many.
    pub count: u64,
    /// When the first was dropped (RFC 3339).
    pub first: String,
    /// When the last was dropped (RFC 3339).
    pub last: String,
}

/// What `GET /api/v1/sessions/{client id}/subscriptions` may be asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct SubscriptionQuery {
    /// Go on there: `next` of the page before. Its content means nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// So many at the most, 1 to 1000; not given, 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 1000))]
    pub limit: Option<usize>,
}

/// The answer to `GET /api/v1/sessions/{client id}/subscriptions`, ascending by filter.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubscriptionPage {
    /// The subscriptions of this page.
    pub subscriptions: Vec<Subscription>,
    /// How many there are in all.
    pub total: u64,
    /// The cursor of the next page; none: this is the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A subscription.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Subscription {
    /// As the client gave it, with the `$share/{name}/` of a shared one.
    pub filter: String,
    /// The highest QoS that messages come with.
    pub qos: u8,
    /// Not what this client published itself.
    pub no_local: bool,
    /// Keep the RETAIN flag as it was published.
    pub retain_as_published: bool,
    /// Retained messages are sent: 0 at each SUBSCRIBE, 1 at a new one, 2 never.
    pub retain_handling: u8,
    /// Subscription Identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identifier: Option<u32>,
}

/// What `GET /api/v1/sessions/{client id}/queue` may be asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct QueueQuery {
    /// So many are left out; not given, none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<usize>,
    /// So many at the most, 1 to 1000; not given, 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 1000))]
    pub limit: Option<usize>,
    /// So much of each payload, bytes, 0 to 65536; not given, 256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(maximum = 65536))]
    pub payload_bytes_max: Option<usize>,
}

/// The answer to `GET /api/v1/sessions/{client id}/queue`: what the session is to get, the next first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueuePage {
    /// The messages of this page. One that was done with while the page was made is not on it.
    pub messages: Vec<QueuedMessage>,
    /// How many there are in all, those under way included.
    pub total: u64,
    /// The offset of the next page; none: this is the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_offset: Option<u64>,
}

/// A message on its way to one session.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueuedMessage {
    /// Its place in the line, from 0.
    pub position: u64,
    /// How far it is.
    pub state: QueuedState,
    /// Once it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packet_id: Option<u16>,
    /// The shared subscription that it belongs to: another member may get it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_subscription: Option<String>,
    /// Its topic; none, like all that follows, for what was sent to a session that is not kept: the broker does not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The QoS that this session gets it with.
    pub qos: u8,
    /// Its payload, if that is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// Its payload as base64, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_base64: Option<String>,
    /// Size of the payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_bytes: Option<u64>,
    /// Only the beginning of the payload is here.
    pub truncated: bool,
    /// Since when it waits (RFC 3339): when the broker took it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<String>,
    /// When it expires (RFC 3339), unless it was sent before; none: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// The same from now on, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_s: Option<u64>,
    /// What travels with it, as published.
    #[serde(default, skip_serializing_if = "Properties::is_empty")]
    pub properties: Properties,
}

/// How far a message is.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum QueuedState {
    /// It has not been sent.
    #[default]
    Waiting,
    /// It has been sent, and PUBACK or PUBREC is to come.
    Sent,
    /// QoS 2: the client has it, and PUBCOMP is to come.
    Released,
}

/// The answer to `DELETE /api/v1/sessions/{client id}/queue`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PurgeResponse {
    /// How many messages were dropped. What was being sent stays, and what a client that is away was sent at QoS 2.
    pub purged: u64,
}

/// The body of `POST /api/v1/sessions/{client id}/disconnect`: an empty object.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DisconnectRequest {}

/// It is done.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Done {}
