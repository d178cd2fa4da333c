//! Rows of users, keys, rules and the secret.

use ebbtide_protocol::ByteString;
use serde::{Deserialize, Serialize};

use super::{RowError, decode, encode};
use crate::{
    WallTime,
    access::{
        AccessName, AccessRow, Actions, Claims, Effect, KeyRow, RuleRow, Scopes, Secret, UserRow,
        Who,
    },
};

const ACCESS_VERSION: u8 = 1;

/// The first part of the key.
const USER: u64 = 1;
const KEY: u64 = 2;
const RULES: u64 = 3;
const SECRET: u64 = 4;

type Pairs = Vec<(String, String)>;

#[derive(Serialize, Deserialize)]
struct User {
    password: Vec<u8>,
    scopes: u8,
    claims: Pairs,
    changed_at: WallTime,
}

#[derive(Serialize, Deserialize)]
struct Key {
    label: String,
    hash: Vec<u8>,
    scopes: u8,
    created_at: WallTime,
    used_at: Option<WallTime>,
}

#[derive(Serialize, Deserialize)]
struct Rule {
    allows: bool,
    who: StoredWho,
    actions: u8,
    topics: Vec<String>,
}

#[derive(Serialize, Deserialize)]
enum StoredWho {
    Any,
    Anonymous,
    Authenticated,
    User(String),
    Claim(String, String),
}

/// The key of a row.
pub(in crate::redb) fn access_key(name: &AccessName) -> (u64, &[u8]) {
    match name {
        AccessName::User(name) => (USER, name.as_bytes()),
        AccessName::Key(id) => (KEY, id.as_bytes()),
        AccessName::Rules => (RULES, &[]),
        AccessName::Secret => (SECRET, &[]),
    }
}

/// A row; [`access_key`] gives its key.
pub(in crate::redb) fn encode_access(row: &AccessRow) -> Vec<u8> {
    match row {
        AccessRow::User(row) => encode(
            ACCESS_VERSION,
            &User {
                password: row.password.0.clone(),
                scopes: scope_bits(row.scopes),
                claims: encode_claims(&row.claims),
                changed_at: row.changed_at,
            },
        ),
        AccessRow::Key(row) => encode(
            ACCESS_VERSION,
            &Key {
                label: row.label.to_string(),
                hash: row.hash.0.clone(),
                scopes: scope_bits(row.scopes),
                created_at: row.created_at,
                used_at: row.used_at,
            },
        ),
        AccessRow::Rules(rules) => {
            let rules: Vec<Rule> = rules.iter().map(encode_rule).collect();
            encode(ACCESS_VERSION, &rules)
        }
        AccessRow::Secret(secret) => encode(ACCESS_VERSION, &secret.0),
    }
}

/// A row by its key.
pub(in crate::redb) fn decode_access(key: (u64, &[u8]), row: &[u8]) -> Result<AccessRow, RowError> {
    let name = || {
        let name = std::str::from_utf8(key.1);
        let name = name.map_err(|_| RowError::Invalid("the key is not UTF-8"))?;
        Ok::<_, RowError>(ByteString::from(name))
    };
    Ok(match key.0 {
        USER => {
            let user: User = decode(ACCESS_VERSION, row)?;
            AccessRow::User(UserRow {
                name: name()?,
                password: Secret(user.password),
                scopes: scopes(user.scopes)?,
                claims: decode_claims(user.claims),
                changed_at: user.changed_at,
            })
        }
        KEY => {
            let key: Key = decode(ACCESS_VERSION, row)?;
            AccessRow::Key(KeyRow {
                id: name()?,
                label: key.label.into(),
                hash: Secret(key.hash),
                scopes: scopes(key.scopes)?,
                created_at: key.created_at,
                used_at: key.used_at,
            })
        }
        RULES => {
            let rules: Vec<Rule> = decode(ACCESS_VERSION, row)?;
            let rules = rules.into_iter().map(decode_rule);
            AccessRow::Rules(rules.collect::<Result<_, _>>()?)
        }
        SECRET => AccessRow::Secret(Secret(decode(ACCESS_VERSION, row)?)),
        _ => return Err(RowError::Invalid("the kind of row does not exist")),
    })
}

/// As they stand in other rows too.
pub(super) fn encode_claims(claims: &Claims) -> Pairs {
    let claims = claims.iter();
    claims
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}

/// The same back.
pub(super) fn decode_claims(claims: Pairs) -> Claims {
    let claims = claims.into_iter();
    claims
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

fn scope_bits(scopes: Scopes) -> u8 {
    bits([scopes.read, scopes.publish, scopes.admin])
}

fn scopes(found: u8) -> Result<Scopes, RowError> {
    let [read, publish, admin] = flags(found)?;
    Ok(Scopes {
        read,
        publish,
        admin,
    })
}

fn encode_rule(rule: &RuleRow) -> Rule {
    let Actions {
        publish,
        subscribe,
        retain,
    } = rule.actions;
    Rule {
        allows: rule.effect == Effect::Allow,
        who: match &rule.who {
            Who::Any => StoredWho::Any,
            Who::Anonymous => StoredWho::Anonymous,
            Who::Authenticated => StoredWho::Authenticated,
            Who::User(name) => StoredWho::User(name.to_string()),
            Who::Claim { name, value } => StoredWho::Claim(name.to_string(), value.to_string()),
        },
        actions: bits([publish, subscribe, retain]),
        topics: rule.topics.iter().map(ToString::to_string).collect(),
    }
}

fn decode_rule(rule: Rule) -> Result<RuleRow, RowError> {
    let [publish, subscribe, retain] = flags(rule.actions)?;
    Ok(RuleRow {
        effect: match rule.allows {
            true => Effect::Allow,
            false => Effect::Deny,
        },
        who: match rule.who {
            StoredWho::Any => Who::Any,
            StoredWho::Anonymous => Who::Anonymous,
            StoredWho::Authenticated => Who::Authenticated,
            StoredWho::User(name) => Who::User(name.into()),
            StoredWho::Claim(name, value) => Who::Claim {
                name: name.into(),
                value: value.into(),
            },
        },
        actions: Actions {
            publish,
            subscribe,
            retain,
        },
        topics: rule.topics.into_iter().map(Into::into).collect(),
    })
}

fn bits(flags: [bool; 3]) -> u8 {
    let flags = flags.into_iter().enumerate();
    flags.map(|(at, flag)| u8::from(flag) << at).sum()
}

fn flags(bits: u8) -> Result<[bool; 3], RowError> {
    if bits >= 1 << 3 {
        return Err(RowError::Invalid("a flag is set that does not exist"));
    }
    Ok([0, 1, 2].map(|at| bits & 1 << at != 0))
}
