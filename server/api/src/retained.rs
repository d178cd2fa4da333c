//! Retained messages: listed, set, deleted.

use serde::{Deserialize, Serialize};

use crate::Properties;

/// What `GET /api/v1/retained` may be asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct RetainedQuery {
    /// A topic filter, wildcards allowed; not given, `#`, which does not match topics that begin with `$`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Go on there: `next` of the page before. Its content means nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// So many at the most, 1 to 1000; not given, 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 1000))]
    pub limit: Option<usize>,
    /// So much of each payload, bytes, 0 to 65536; not given, 4096.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(maximum = 65536))]
    pub payload_bytes_max: Option<usize>,
}

/// What `GET /api/v1/retained/{topic}` may be asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct RetainedTopicQuery {
    /// So much of the payload, bytes; not given, all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_bytes_max: Option<usize>,
}

/// The answer to `GET /api/v1/retained`, by topic, level by level.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RetainedPage {
    /// The messages of this page: at times fewer than asked for, though there are more.
    pub retained: Vec<RetainedMessage>,
    /// The cursor of the next page; none: this is the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A retained message: the answer to `GET /api/v1/retained/{topic}`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RetainedMessage {
    /// Its topic.
    pub topic: String,
    /// Its payload, if that is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// Its payload as base64, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_base64: Option<String>,
    /// Size of the payload.
    pub payload_bytes: u64,
    /// Only the beginning of the payload is here.
    pub truncated: bool,
    /// As published.
    pub qos: u8,
    /// When the broker took it in (RFC 3339).
    pub accepted_at: String,
    /// When it expires (RFC 3339); none: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// What travels with it, as published.
    #[serde(default, skip_serializing_if = "Properties::is_empty")]
    pub properties: Properties,
}

/// The body of `PUT /api/v1/retained/{topic}`.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PutRetainedRequest {
    /// The payload as text, not empty: DELETE is for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// Or as base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_base64: Option<String>,
    /// 0, 1 or 2; not given, 1. Whichever it is, success means that the message is on disk.
    #[serde(default = "crate::publish::default_qos")]
    #[cfg_attr(feature = "openapi", schema(maximum = 2))]
    pub qos: u8,
    /// What travels with it.
    #[serde(
        default,
        deserialize_with = "crate::publish::properties",
        skip_serializing_if = "Properties::is_empty"
    )]
    pub properties: Properties,
}

/// What `DELETE /api/v1/retained` may be asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct DeleteRetainedQuery {
    /// A topic filter, wildcards allowed. `#` means all but those that begin with `$`.
    pub filter: String,
    /// Only say what would be deleted.
    #[serde(default)]
    pub dry_run: bool,
}

/// The answer to `DELETE /api/v1/retained` and `DELETE /api/v1/retained/{topic}`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeleteRetainedResponse {
    /// Nothing was deleted: this is what would be.
    pub dry_run: bool,
    /// How many messages.
    pub count: u64,
    /// Bytes of their topics, payloads and properties; without the scope `read` 0.
    pub bytes: u64,
    /// Their topics, the first 100; without the scope `read` none.
    pub topics: Vec<String>,
    /// How many match and stay: they are the broker's own, or rules do not let this user delete them. The latter are counted with the scope
    /// `read` only.
    pub kept: u64,
    /// How many of them are given back, or would be: presence of clients is not, which only the broker sets; without the scope `read` none.
    pub given_back: u64,
    /// What was deleted, to be published again by whoever wants it back: the first 1000 messages, or 4 MiB; without the scope `read` none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deleted: Vec<RetainedMessage>,
    /// There is more to give back than `deleted` may hold.
    pub truncated: bool,
}
