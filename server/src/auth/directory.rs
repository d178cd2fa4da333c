//! Users, keys and the broker's secret, as they are now: in memory, and through the broker's journal on disk.
//!
//! What is changed here holds at once; whoever changes it answers when the ticket is durable.

use std::{collections::BTreeMap, sync::Arc};

use ebbtide_broker::{Broker, RuleError, Rules, Ticket};
use ebbtide_protocol::ByteString;
use ebbtide_store::{
    AccessName, AccessRow, WallTime,
    access::{KeyRow, RuleRow, Secret, UserRow},
};
use parking_lot::{RwLock, RwLockReadGuard};

use super::{SetUpError, password, random, rows};
use crate::config::AuthConfig;

/// The most users.
pub const USERS_MAX: usize = 1_000_000;
/// The most keys.
pub const KEYS_MAX: usize = 10_000;
/// The longest name of a user, bytes.
pub const USER_BYTES_MAX: usize = 256;

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct Directory(Arc<RwLock<Content>>);

/// They, looked at.
#[derive(Debug, Default)]
pub struct Content {
    pub users: BTreeMap<ByteString, UserRow>,
    pub keys: BTreeMap<ByteString, KeyRow>,
    pub secret: Vec<u8>,
}

/// What a start finds.
#[derive(Debug)]
pub struct Found {
    /// Those that decide.
    pub rules: Rules,
    /// What has to be written: at the first start the seeds.
    pub new: Vec<AccessRow>,
}

impl Directory {
    pub fn read(&self) -> RwLockReadGuard<'_, Content> {
        self.0.read()
    }

    /// Takes what the store holds. If that is nothing, the configuration says what to begin with.
    pub fn load(&self, mut kept: Vec<AccessRow>, config: &AuthConfig, now: WallTime) -> Found {
        let mut new = Vec::new();
        if kept.is_empty() {
            new = seeds(config, now);
        }
        if !kept.iter().any(|row| matches!(row, AccessRow::Secret(_))) {
            let secret = random::bytes::<32>().to_vec();
            new.push(AccessRow::Secret(Secret(secret)));
        }
        kept.extend(new.iter().cloned());
        let mut content = Content::default();
        let mut rules = Vec::new();
        for row in kept {
            match row {
                AccessRow::User(row) => {
                    content.users.insert(row.name.clone(), row);
                }
                AccessRow::Key(row) => {
                    content.keys.insert(row.id.clone(), row);
                }
                AccessRow::Rules(rows) => rules = rows,
                AccessRow::Secret(secret) => content.secret = secret.0,
            }
        }
        *self.0.write() = content;
        let rules = Rules::new(rules).unwrap_or_else(|error| {
            tracing::error!(
                "the rules in the store cannot be used, so nobody may do anything: {error}"
            );
            Rules::default()
        });
        Found { rules, new }
    }

    /// Adds a user, or changes one. What it is to be is decided by what is there, and nobody changes that meanwhile.
    pub fn put_user<E>(
        &self,
        broker: &Broker,
        change: impl FnOnce(&Content) -> Result<UserRow, E>,
    ) -> Result<(UserRow, Ticket), E> {
        let mut content = self.0.write();
        let row = change(&content)?;
        content.users.insert(row.name.clone(), row.clone());
        let ticket = broker.put_access(AccessRow::User(row.clone()));
        Ok((row, ticket))
    }

    /// From now on nobody comes in as this user. `None`: there is none.
    pub fn remove_user(&self, broker: &Broker, name: &str) -> Option<Ticket> {
        let mut content = self.0.write();
        let (name, _) = content.users.remove_entry(name)?;
        Some(broker.remove_access(AccessName::User(name)))
    }

    /// Adds a key, or changes one.
    pub fn put_key(&self, broker: &Broker, row: KeyRow) -> Ticket {
        let mut content = self.0.write();
        content.keys.insert(row.id.clone(), row.clone());
        broker.put_access(AccessRow::Key(row))
    }

    /// The key was used. It may have been revoked in this very moment.
    pub fn note_use(&self, broker: &Broker, row: KeyRow) {
        let mut content = self.0.write();
        if let Some(known) = content.keys.get_mut(&row.id) {
            *known = row.clone();
            broker.put_access(AccessRow::Key(row));
        }
    }

    /// From now on the key opens nothing. `None`: there is none.
    pub fn remove_key(&self, broker: &Broker, id: &str) -> Option<Ticket> {
        let mut content = self.0.write();
        let (id, _) = content.keys.remove_entry(id)?;
        Some(broker.remove_access(AccessName::Key(id)))
    }

    /// From now on these rules decide.
    pub fn put_rules(&self, broker: &Broker, rows: Vec<RuleRow>) -> Result<Ticket, RuleError> {
        let rules = Rules::new(rows.clone())?;
        // One after the other, so that what is kept is what decides.
        let _order = self.0.write();
        broker.set_rules(Arc::new(rules));
        Ok(broker.put_access(AccessRow::Rules(rows)))
    }
}

/// Whether somebody can be called like this: it is one level of a topic, and can be read.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() || name.len() > USER_BYTES_MAX {
        return Err("the name of a user has 1 to 256 bytes");
    }
    if name.trim() != name {
        return Err("the name of a user has no blank at its beginning or its end");
    }
    if name.contains(['/', '+', '#']) || name.contains(char::is_control) || name.starts_with('$') {
        return Err(
            "the name of a user has none of `/`, `+`, `#`, no control characters, and no `$` in front",
        );
    }
    Ok(())
}

/// What the configuration says to begin with.
fn seeds(config: &AuthConfig, now: WallTime) -> Vec<AccessRow> {
    let users = config.users.iter().map(|seed| {
        let hash = match (&seed.password_hash, &seed.password) {
            (Some(hash), _) => hash.0.clone(),
            (None, Some(password)) => password::hash(&password.0),
            (None, None) => unreachable!("the configuration was checked"),
        };
        AccessRow::User(UserRow {
            name: seed.name.as_str().into(),
            password: Secret(hash.into_bytes()),
            scopes: rows::scopes_row(&seed.scopes),
            claims: rows::claims_row(&seed.claims),
            changed_at: now,
        })
    });
    let mut all: Vec<AccessRow> = users.collect();
    all.push(AccessRow::Rules(rule_rows(config)));
    if !config.users.is_empty() || !config.rules.is_empty() {
        tracing::info!(
            users = config.users.len(),
            rules = config.rules.len(),
            "the first start with authentication: what the configuration file says is kept from now on, and changed through the API"
        );
    }
    all
}

fn rule_rows(config: &AuthConfig) -> Vec<RuleRow> {
    config.rules.iter().cloned().map(rows::rule_row).collect()
}

/// Whether there is anything wrong with the seeds.
pub fn check_seeds(config: &AuthConfig) -> Result<(), SetUpError> {
    for seed in &config.users {
        let name = seed.name.clone();
        let fault = |why: &str| Err(SetUpError::User(name, why.to_owned()));
        if let Err(why) = check_name(&seed.name) {
            return fault(why);
        }
        match (&seed.password, &seed.password_hash) {
            (Some(password), None) if password.0.len() <= password::PASSWORD_BYTES_MAX => {}
            (Some(_), None) => return fault("a password has at most 1024 bytes"),
            (None, Some(hash)) if password::is_known_hash(&hash.0) => {}
            (None, Some(_)) => {
                return fault(
                    "its password_hash is none that this program makes: `ebbtide users hash` prints one for a password that it reads from standard input",
                );
            }
            _ => return fault("give either its password or its password_hash"),
        }
    }
    Rules::new(rule_rows(config)).map_err(SetUpError::Rules)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_level_and_can_be_read() {
        for name in ["ana", "ana maria", "日本", "a$b", "a.b@c"] {
            assert_eq!(check_name(name), Ok(()), "{name:?}");
        }
        for name in [
            "",
            " ",
            " ana",
            "ana ",
            "\u{a0}ana",
            "a/b",
            "+",
            "a#",
            "$ana",
            "a\nb",
            "\u{7f}",
        ] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        assert!(check_name(&"a".repeat(USER_BYTES_MAX)).is_ok());
        assert!(check_name(&"a".repeat(USER_BYTES_MAX + 1)).is_err());
    }
}
