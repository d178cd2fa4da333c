//! Backups, and the file made small.

use serde::{Deserialize, Serialize};

/// The body of `POST /api/v1/backup`. The answer is the backup itself, `application/octet-stream`; it is whole if its end
/// mark is there, which `ebbtide backup` and `ebbtide restore` verify.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct BackupRequest {
    /// After so many seconds the backup is broken off, at most an hour; not given, it is ten minutes. Meanwhile the
    /// broker's file cannot reuse pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 3600))]
    pub deadline_s: Option<u32>,
}

/// The body of `POST /api/v1/compact`: an empty object. The answer comes when the file is small.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CompactRequest {}

/// The answer to `POST /api/v1/compact`.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CompactResponse {
    /// Size of the file before.
    pub before_bytes: u64,
    /// And after.
    pub after_bytes: u64,
    /// How long commits, and with them acknowledgements, had to wait, milliseconds.
    pub paused_ms: u64,
}
