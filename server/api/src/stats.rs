//! Counters and gauges: now, and over the last hour.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The answer to `GET /api/v1/stats`. Counters begin with the broker.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Stats {
    /// Of the broker.
    pub version: String,
    /// When it began (RFC 3339).
    pub started_at: String,
    /// So long ago, seconds.
    pub uptime_s: u64,
    /// Whether what has to be kept is taken in.
    pub store: StoreState,
    /// Clients that are connected.
    pub connections: u64,
    /// The most of them at one time.
    pub connections_max: u64,
    /// How many have connected.
    pub connects: u64,
    /// Sessions, connected or away.
    pub sessions: u64,
    /// Sessions whose time was over.
    pub expired_sessions: u64,
    /// Subscriptions, shared ones included.
    pub subscriptions: u64,
    /// Memberships in shared subscriptions.
    pub shared_subscriptions: u64,
    /// Retained messages.
    pub retained_messages: u64,
    /// Bytes of their topics, payloads and properties.
    pub retained_bytes: u64,
    /// Messages that wait for any session; one that waits for several counts once.
    pub queue_messages: u64,
    /// Bytes of their topics, payloads and properties.
    pub queue_bytes: u64,
    /// What clients have sent.
    pub received: Traffic,
    /// What they were sent.
    pub sent: Traffic,
    /// Deliveries that did not take place, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// How often a limit has kept something out, by its name.
    #[serde(default)]
    pub limits: BTreeMap<String, u64>,
    /// The last second; none: the broker has just begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<StatsPoint>,
}

/// What has passed in one direction.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Traffic {
    /// Packets of any type.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// PUBLISH packets.
    pub messages: u64,
    /// Bytes of their payloads.
    pub payload_bytes: u64,
}

/// Whether what has to be kept is taken in.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum StoreState {
    /// It is.
    #[default]
    Working,
    /// There would be too little left of the disk.
    Full,
    /// A commit has failed, and the store is not yet in use again.
    Failed,
}

/// What `GET /api/v1/stats/history` may be asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct HistoryQuery {
    /// Seconds between two points: 1 for the last ten minutes, 10 for the last hour; not given, 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_s: Option<u32>,
    /// Only points that are later: `at_ms` of the last one that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
}

/// The answer to `GET /api/v1/stats/history`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct History {
    /// Seconds between two points; a broker that has little time takes longer now and then.
    pub step_s: u32,
    /// The oldest first.
    pub points: Vec<StatsPoint>,
}

/// A moment, and the step that led to it. Rates are means of the step.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StatsPoint {
    /// Its end, milliseconds since 1970.
    pub at_ms: u64,
    /// Clients that were connected.
    pub connections: u64,
    /// Sessions.
    pub sessions: u64,
    /// Subscriptions.
    pub subscriptions: u64,
    /// Retained messages.
    pub retained_messages: u64,
    /// Messages that waited.
    pub queue_messages: u64,
    /// Bytes of their topics, payloads and properties.
    pub queue_bytes: u64,
    /// Clients that connected, in a second.
    pub connects_per_s: f64,
    /// PUBLISH packets from clients, in a second.
    pub received_messages_per_s: f64,
    /// Bytes from clients, in a second.
    pub received_bytes_per_s: f64,
    /// PUBLISH packets to clients, in a second.
    pub sent_messages_per_s: f64,
    /// Bytes to clients, in a second.
    pub sent_bytes_per_s: f64,
    /// Deliveries that did not take place in this step, by reason; what is absent is none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dropped: BTreeMap<String, u64>,
    /// The commits of this step; none: there was nothing to commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commits: Option<Commits>,
}

/// How long commits took, fsync included: what an acknowledgement waits for.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Commits {
    /// How many.
    pub count: u64,
    /// Operations in all of them.
    pub operations: u64,
    /// Half of them were faster, milliseconds.
    pub p50_ms: f64,
    /// 99 of 100 were faster, milliseconds.
    pub p99_ms: f64,
    /// The slowest, milliseconds.
    pub max_ms: f64,
}
