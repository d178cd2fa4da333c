//! Who may do what: rules, users and keys. The configuration file has rules in the same form.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// One rule.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What it says.
    pub effect: Effect,
    /// Whom it is about; not given: everybody.
    #[serde(default)]
    pub who: Who,
    /// What it is about; at least one.
    pub actions: Vec<Action>,
    /// Topic filters, at least one, in which `{user}`, `{client}` and `{claim.NAME}` stand for those of the client.
    pub topics: Vec<String>,
}

/// What a rule says.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// They may.
    Allow,
    /// They may not.
    Deny,
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// To publish.
    Publish,
    /// To subscribe, and to be sent what matches.
    Subscribe,
    /// To change the retained message of a topic, which needs the right to publish as well.
    Retain,
}

/// Whom a rule is about.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// Everybody.
    #[default]
    Any,
    /// Those who have not said who they are.
    Anonymous,
    /// Those who have.
    Authenticated,
    /// This user.
    User(String),
    /// Those with this claim.
    Claim {
        /// Its name.
        name: String,
        /// Its value, or one of its values.
        value: String,
    },
}

/// All rules, in their order: the first that matches decides, and without one nobody may do anything.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// They.
    pub rules: Vec<Rule>,
}

/// What `POST /api/v1/rules/simulate` is asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SimulateRequest {
    /// By these rules; not given: by those in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<Rule>>,
    /// The user, of 65,535 bytes at the most; not given: somebody anonymous.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The client id, of 65,535 bytes at the most.
    #[serde(default)]
    pub client_id: String,
    /// Claims, each with its values, of 65,535 bytes at the most; 1000 values in all. Not given: those of the user, if the broker keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<BTreeMap<String, Vec<String>>>,
    /// What it wants to do; `retain` means to publish a retained message.
    pub action: Option<Action>,
    /// A topic, or for `subscribe` a filter.
    pub topic: String,
}

/// What the rules say.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SimulateResponse {
    /// Whether it may be.
    pub allowed: bool,
    /// The place of the rule that decides, counted from 1; nothing: no rule matches, so it may not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<u64>,
    /// The same in a sentence.
    pub explanation: String,
}

/// What may be done in the HTTP API.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// To look at everything but what is secret.
    Read,
    /// To publish.
    Publish,
    /// Everything.
    Admin,
}

impl Scope {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Publish => "publish",
            Self::Admin => "admin",
        }
    }
}

/// A text that is not shown when it is printed for people who look for mistakes.
#[derive(Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// What `PUT /api/v1/users/{name}` is given. What is not given stays as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    /// Its password; needed for a new user. Tokens that the old one has got are void then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Password>,
    /// What its tokens may do in the HTTP API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<Scope>>,
    /// What rules may ask for: each claim with its values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<BTreeMap<String, Vec<String>>>,
}

/// A user.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct User {
    /// Its name.
    pub name: String,
    /// What its tokens may do in the HTTP API.
    pub scopes: Vec<Scope>,
    /// What rules may ask for.
    pub claims: BTreeMap<String, Vec<String>>,
    /// When its password was set (RFC 3339).
    pub changed_at: String,
}

/// The answer to `GET /api/v1/users`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserList {
    /// All users, by name.
    pub users: Vec<User>,
}

/// The answer to `DELETE /api/v1/users/{name}`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserRemoved {
    /// How many sessions went with it.
    pub sessions: u64,
}

/// What `POST /api/v1/keys` is given.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct KeyRequest {
    /// What it is for.
    pub label: String,
    /// What it may do; at least one.
    pub scopes: Vec<Scope>,
}

/// The answer to `POST /api/v1/keys`: the only time that the key is shown.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewKey {
    /// What it is named by.
    pub id: String,
    /// The key, for `Authorization: Bearer`.
    pub key: Password,
}

/// A key.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Key {
    /// What it is named by.
    pub id: String,
    /// What it is for.
    pub label: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// When it was used last (RFC 3339), to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<String>,
}

/// The answer to `GET /api/v1/keys`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyList {
    /// All keys, the oldest first.
    pub keys: Vec<Key>,
}

/// The answer to `GET /api/v1/login`, which anybody may ask.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LoginStatus {
    /// Whether anybody is asked who they are. Without it everybody may do everything.
    pub required: bool,
    /// Whether a user's password is an answer to that: `POST /api/v1/login` gives tokens for it.
    pub by_password: bool,
}

/// What `POST /api/v1/login` is given.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// The name.
    pub user: String,
    /// The password.
    pub password: Password,
}

/// The answer to `POST /api/v1/login` and `POST /api/v1/login/renew`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LoginResponse {
    /// For `Authorization: Bearer`, and as password or with the method `ebbtide-jwt` for MQTT.
    pub token: Password,
    /// How long it counts, seconds.
    pub expires_in_s: u64,
    /// What it may do in the HTTP API.
    pub scopes: Vec<Scope>,
}
