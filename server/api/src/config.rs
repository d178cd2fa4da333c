//! How the broker is configured, option by option.

use serde::{Deserialize, Serialize};

/// The answer to `GET /api/v1/config`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConfigList {
    /// All options, in the order of the reference. Users, rules and keys for tokens are not among them.
    pub options: Vec<ConfigOption>,
}

/// One option.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConfigOption {
    /// Its name in the file, with that of its table and a dot in front: `log`, `limits.receive_maximum`.
    pub key: String,
    /// What holds now, as the file would say it (TOML); nothing: it is not given, and has no default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// When a change of it holds.
    pub reload: ReloadTime,
    /// What has been read since (SIGHUP), and waits for a restart; `not given`, without quotation marks: the file gives the option up,
    /// and it has no default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_restart: Option<String>,
}

/// When a change of an option holds, once it has been read (SIGHUP).
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReloadTime {
    /// At once.
    AtOnce,
    /// For the connections to come.
    Connections,
    /// After a restart.
    #[default]
    Restart,
}
