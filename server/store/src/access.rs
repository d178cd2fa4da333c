//! Who may do what, as it is kept: users, keys of the HTTP API, the rules, and the broker's own secret.
//!
//! These are plain data. What they mean is decided elsewhere; nothing here shows a secret when it is printed.

use std::fmt;

use ebbtide_protocol::ByteString;

use crate::WallTime;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessRow {
    /// Somebody with a password.
    User(UserRow),
    /// A key of the HTTP API.
    Key(KeyRow),
    /// All rules, in their order: there is one such row.
    Rules(Vec<RuleRow>),
    /// What the broker signs its own tokens with: there is one such row. Its presence tells that access was set up.
    Secret(Secret),
}

/// What a row is found by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AccessName {
    /// The user of this name.
    User(ByteString),
    /// The key with this id.
    Key(ByteString),
    /// The rules.
    Rules,
    /// The secret.
    Secret,
}

impl AccessRow {
    /// What it is found by.
    #[must_use]
    pub fn name(&self) -> AccessName {
        match self {
            Self::User(row) => AccessName::User(row.name.clone()),
            Self::Key(row) => AccessName::Key(row.id.clone()),
            Self::Rules(_) => AccessName::Rules,
            Self::Secret(_) => AccessName::Secret,
        }
    }
}

/// Bytes that no log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Somebody with a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    /// Its name.
    pub name: ByteString,
    /// The password's hash, in the form of the Password Hashing Competition.
    pub password: Secret,
    /// What its tokens may do in the HTTP API.
    pub scopes: Scopes,
    /// What rules may ask for.
    pub claims: Claims,
    /// When its password was set: tokens that are older do not count.
    pub changed_at: WallTime,
}

/// Names with values, in no particular order; a name may have several.
pub type Claims = Vec<(ByteString, ByteString)>;

/// A key of the HTTP API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// What it is named by; part of the key.
    pub id: ByteString,
    /// What it is for, in the words of whoever made it.
    pub label: ByteString,
    /// SHA-256 of the key.
    pub hash: Secret,
    /// What it may do.
    pub scopes: Scopes,
    /// When it was made.
    pub created_at: WallTime,
    /// When it was used last, to the minute.
    pub used_at: Option<WallTime>,
}

/// What may be done in the HTTP API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes {
    /// To look at everything but what is secret.
    pub read: bool,
    /// To publish.
    pub publish: bool,
    /// To change anything.
    pub admin: bool,
}

/// One rule: whom it is about, what it decides, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleRow {
    /// What it says.
    pub effect: Effect,
    /// Whom it is about.
    pub who: Who,
    /// Which actions; at least one.
    pub actions: Actions,
    /// Topic filters in which `{user}`, `{client}` and `{claim.NAME}` stand for those of the client; at least one.
    pub topics: Vec<ByteString>,
}

/// What a rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// They may.
    Allow,
    /// They may not.
    Deny,
}

/// Whom a rule is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// Everybody.
    Any,
    /// Those who have not said who they are.
    Anonymous,
    /// Those who have.
    Authenticated,
    /// This user.
    User(ByteString),
    /// Those with this claim.
    Claim {
        /// Its name.
        name: ByteString,
        /// Its value, or one of its values.
        value: ByteString,
    },
}

/// What a rule is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Actions {
    /// To publish.
    pub publish: bool,
    /// To subscribe, and to be sent what matches.
    pub subscribe: bool,
    /// To change the retained message of a topic, which needs the right to publish as well.
    pub retain: bool,
}
