//! Rules, users and keys: as the API and the configuration say it, and as they are kept.

use std::collections::BTreeMap;

use ebbtide_api::{Action, Effect, Key, Rule, Scope, User, Who};
use ebbtide_broker::rfc3339;
use ebbtide_store::access::{self, Actions, Claims, KeyRow, RuleRow, Scopes, UserRow};

/// A rule as it is kept.
pub fn rule_row(rule: Rule) -> RuleRow {
    let has = |action| rule.actions.contains(&action);
    RuleRow {
        effect: match rule.effect {
            Effect::Allow => access::Effect::Allow,
            Effect::Deny => access::Effect::Deny,
        },
        actions: Actions {
            publish: has(Action::Publish),
            subscribe: has(Action::Subscribe),
            retain: has(Action::Retain),
        },
        who: match rule.who {
            Who::Any => access::Who::Any,
            Who::Anonymous => access::Who::Anonymous,
            Who::Authenticated => access::Who::Authenticated,
            Who::User(name) => access::Who::User(name.into()),
            Who::Claim { name, value } => access::Who::Claim {
                name: name.into(),
                value: value.into(),
            },
        },
        topics: rule.topics.into_iter().map(Into::into).collect(),
    }
}

/// A rule as it is said.
pub fn rule(row: &RuleRow) -> Rule {
    let actions = [
        (row.actions.publish, Action::Publish),
        (row.actions.subscribe, Action::Subscribe),
        (row.actions.retain, Action::Retain),
    ];
    Rule {
        effect: match row.effect {
            access::Effect::Allow => Effect::Allow,
            access::Effect::Deny => Effect::Deny,
        },
        who: match &row.who {
            access::Who::Any => Who::Any,
            access::Who::Anonymous => Who::Anonymous,
            access::Who::Authenticated => Who::Authenticated,
            access::Who::User(name) => Who::User(name.to_string()),
            access::Who::Claim { name, value } => Who::Claim {
                name: name.to_string(),
                value: value.to_string(),
            },
        },
        actions: actions
            .into_iter()
            .filter(|(has, _)| *has)
            .map(|(_, action)| action)
            .collect(),
        topics: row.topics.iter().map(ToString::to_string).collect(),
    }
}

/// Scopes as they are kept.
pub fn scopes_row(scopes: &[Scope]) -> Scopes {
    Scopes {
        read: scopes.contains(&Scope::Read),
        publish: scopes.contains(&Scope::Publish),
        admin: scopes.contains(&Scope::Admin),
    }
}

/// Scopes as they are said.
pub fn scopes(row: Scopes) -> Vec<Scope> {
    let scopes = [
        (row.read, Scope::Read),
        (row.publish, Scope::Publish),
        (row.admin, Scope::Admin),
    ];
    scopes
        .into_iter()
        .filter(|(has, _)| *has)
        .map(|(_, scope)| scope)
        .collect()
}

/// Claims as they are kept.
pub fn claims_row(claims: &BTreeMap<String, Vec<String>>) -> Claims {
    let claims = claims.iter().flat_map(|(name, values)| {
        let values = values.iter();
        values.map(move |value| (name.as_str().into(), value.as_str().into()))
    });
    claims.collect()
}

/// Claims as they are said.
pub fn claims(row: &Claims) -> BTreeMap<String, Vec<String>> {
    let mut claims: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in row {
        claims
            .entry(name.to_string())
            .or_default()
            .push(value.to_string());
    }
    claims
}

/// A user as it is said: without its password.
pub fn user(row: &UserRow) -> User {
    User {
        name: row.name.to_string(),
        scopes: scopes(row.scopes),
        claims: claims(&row.claims),
        changed_at: rfc3339(row.changed_at),
    }
}

/// A key as it is said: without itself.
pub fn key(row: &KeyRow) -> Key {
    Key {
        id: row.id.to_string(),
        label: row.label.to_string(),
        scopes: scopes(row.scopes),
        created_at: rfc3339(row.created_at),
        used_at: row.used_at.map(rfc3339),
    }
}
