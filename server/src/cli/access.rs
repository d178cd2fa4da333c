//! `ebbtide users`, `keys` and `acl`: who may do what at a running broker, through its HTTP API.
//!
//! Passwords are read from standard input, where neither a history of commands nor a list of processes shows them.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
    path::PathBuf,
};

use clap::{Args, Subcommand, ValueEnum};
use ebbtide_api::{
    Action, Key, KeyList, KeyRequest, NewKey, Password, Rules, Scope, SimulateRequest,
    SimulateResponse, User, UserChange, UserList, UserRemoved,
};
use hyper::Method;

use super::ask::{Ask, path};
use crate::{auth, config::Config, exit::Failure};

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// What was typed makes no sense.
    #[error("{0}")]
    Typed(String),
    /// A file, or standard input.
    #[error("cannot read {what}: {why}")]
    Read {
        /// Which.
        what: String,
        /// Why not.
        why: String,
    },
    /// It was asked whether, and the answer is no.
    #[error("it is not allowed")]
    Denied,
}

/// About users.
#[derive(Subcommand, Clone, Debug)]
pub enum Users {
    /// Lists them.
    List(Ask),
    /// Makes one, or gives one another password, which is read from standard input.
    Set(SetUser),
    /// Removes one, with its connections and sessions.
    Remove(Named),
    /// Prints the hash of a password that is read from standard input, for `password_hash` in the configuration file. It asks no broker.
    Hash,
}

/// About keys.
#[derive(Subcommand, Clone, Debug)]
pub enum Keys {
    /// Lists them.
    List(Ask),
    /// Makes one and prints it, the only time that it is shown.
    Make(MakeKey),
    /// Revokes one by its id.
    Revoke(Named),
}

/// About rules.
#[derive(Subcommand, Clone, Debug)]
pub enum Acl {
    /// Prints them, as JSON.
    Get(Ask),
    /// Replaces all of them by those in a file, as `get` prints them.
    Set(SetRules),
    /// Says which rule decides; exit code 8: it is not allowed.
    Test(Test),
}

/// One by its name.
#[derive(Args, Clone, Debug)]
pub struct Named {
    /// Its name, or its id.
    name: String,

    #[command(flatten)]
    ask: Ask,
}

/// A user to be.
#[derive(Args, Clone, Debug)]
pub struct SetUser {
    /// Its name.
    name: String,

    /// What its tokens may do in the HTTP API; may be repeated. Not given: nothing, or what they may already.
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<ScopeName>,

    /// What rules may ask for; may be repeated. Not given: nothing, or what they may already.
    #[arg(long, value_name = "NAME=VALUE")]
    claim: Vec<String>,

    #[command(flatten)]
    ask: Ask,
}

/// A key to be.
#[derive(Args, Clone, Debug)]
pub struct MakeKey {
    /// What it is for.
    #[arg(long, value_name = "TEXT", default_value = "")]
    label: String,

    /// What it may do; may be repeated.
    #[arg(long, value_name = "SCOPE", required = true)]
    scope: Vec<ScopeName>,

    #[command(flatten)]
    ask: Ask,
}

/// Rules to be.
#[derive(Args, Clone, Debug)]
pub struct SetRules {
    /// A file with `{"rules": [...]}`.
    file: PathBuf,

    #[command(flatten)]
    ask: Ask,
}

/// A question to the rules.
#[derive(Args, Clone, Debug)]
pub struct Test {
    /// What somebody wants to do.
    action: ActionName,

    /// The topic, or for `subscribe` a filter.
    topic: String,

    /// The user. Not given: somebody anonymous.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,

    /// The client id.
    #[arg(long, value_name = "ID", default_value = "")]
    client: String,

    /// A claim; may be repeated. Not given: those of the user, if the broker keeps it.
    #[arg(long, value_name = "NAME=VALUE")]
    claim: Vec<String>,

    #[command(flatten)]
    ask: Ask,
}

/// A scope as it is typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ScopeName {
    Read,
    Publish,
    Admin,
}

impl From<ScopeName> for Scope {
    fn from(name: ScopeName) -> Self {
        match name {
            ScopeName::Read => Self::Read,
            ScopeName::Publish => Self::Publish,
            ScopeName::Admin => Self::Admin,
        }
    }
}

/// An action as it is typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ActionName {
    Publish,
    Subscribe,
    Retain,
}

impl Users {
    /// Does it.
    pub fn run(self, config: impl FnOnce() -> Result<Config, Failure>) -> Result<(), Failure> {
        match self {
            Self::Hash => {
                println!("{}", auth::hash(&read_password()?));
                Ok(())
            }
            Self::List(ask) => ask.get(&config()?, "/api/v1/users", |list: UserList| {
                for User { name, scopes, .. } in list.users {
                    println!("{name}{}", names(&scopes));
                }
            }),
            Self::Set(set) => {
                let change = UserChange {
                    password: Some(Password(read_password()?)),
                    scopes: (!set.scope.is_empty()).then(|| scopes(&set.scope)),
                    claims: (!set.claim.is_empty())
                        .then(|| claims(&set.claim))
                        .transpose()?,
                };
                let path = path("users", &set.name);
                set.ask.send(
                    &config()?,
                    Method::PUT,
                    &path,
                    Some(&change),
                    |user: User| {
                        println!("{}{}", user.name, names(&user.scopes));
                    },
                )
            }
            Self::Remove(Named { name, ask }) => {
                let path = path("users", &name);
                ask.send(
                    &config()?,
                    Method::DELETE,
                    &path,
                    None::<&()>,
                    |removed: UserRemoved| {
                        println!("{name} is gone, with {} sessions", removed.sessions);
                    },
                )
            }
        }
    }
}

impl Keys {
    /// Does it.
    pub fn run(self, config: &Config) -> Result<(), Failure> {
        let show = |list: KeyList| {
            for Key {
                id,
                label,
                scopes,
                used_at,
                ..
            } in list.keys
            {
                let used = used_at.unwrap_or_else(|| "never".to_owned());
                println!("{id}{}, last used: {used}  {label}", names(&scopes));
            }
        };
        match self {
            Self::List(ask) => ask.get(config, "/api/v1/keys", show),
            Self::Make(MakeKey { label, scope, ask }) => {
                let scopes = scopes(&scope);
                let body = KeyRequest { label, scopes };
                ask.send(
                    config,
                    Method::POST,
                    "/api/v1/keys",
                    Some(&body),
                    |new: NewKey| {
                        println!("{}", new.key.0);
                    },
                )
            }
            Self::Revoke(Named { name, ask }) => {
                let path = path("keys", &name);
                ask.send(config, Method::DELETE, &path, None::<&()>, show)
            }
        }
    }
}

impl Acl {
    /// Does it.
    pub fn run(self, config: &Config) -> Result<(), Failure> {
        let show = |rules: Rules| {
            let text = serde_json::to_string_pretty(&rules);
            println!("{}", text.expect("rules are plain objects"));
        };
        match self {
            Self::Get(ask) => ask.get(config, "/api/v1/rules", show),
            Self::Set(SetRules { file, ask }) => {
                let read = |why: String| AccessError::Read {
                    what: file.display().to_string(),
                    why,
                };
                let text = fs::read(&file).map_err(|error| read(error.to_string()))?;
                let rules: Rules =
                    serde_json::from_slice(&text).map_err(|error| read(error.to_string()))?;
                ask.send(config, Method::PUT, "/api/v1/rules", Some(&rules), show)
            }
            Self::Test(test) => {
                let body = SimulateRequest {
                    user: test.user,
                    client_id: test.client,
                    claims: (!test.claim.is_empty())
                        .then(|| claims(&test.claim))
                        .transpose()?,
                    action: Some(match test.action {
                        ActionName::Publish => Action::Publish,
                        ActionName::Subscribe => Action::Subscribe,
                        ActionName::Retain => Action::Retain,
                    }),
                    topic: test.topic,
                    ..SimulateRequest::default()
                };
                let mut is_allowed = false;
                let path = "/api/v1/rules/simulate";
                test.ask.send(
                    config,
                    Method::POST,
                    path,
                    Some(&body),
                    |answer: SimulateResponse| {
                        println!("{}", answer.explanation);
                        is_allowed = answer.allowed;
                    },
                )?;
                match is_allowed {
                    true => Ok(()),
                    false => Err(AccessError::Denied.into()),
                }
            }
        }
    }
}

fn scopes(names: &[ScopeName]) -> Vec<Scope> {
    names.iter().copied().map(Into::into).collect()
}

fn names(scopes: &[Scope]) -> String {
    let names: Vec<&str> = scopes.iter().map(|scope| scope.name()).collect();
    match names.is_empty() {
        true => String::new(),
        false => format!(" ({})", names.join(", ")),
    }
}

fn claims(typed: &[String]) -> Result<BTreeMap<String, Vec<String>>, AccessError> {
    let mut claims: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for claim in typed {
        let (name, value) = claim.split_once('=').ok_or_else(|| {
            AccessError::Typed(format!(
                "--claim {claim}: give a name and a value, for example --claim site=north"
            ))
        })?;
        claims
            .entry(name.to_owned())
            .or_default()
            .push(value.to_owned());
    }
    Ok(claims)
}

/// The first line of standard input.
fn read_password() -> Result<String, AccessError> {
    let mut text = String::new();
    let most = 2 * auth::PASSWORD_BYTES_MAX as u64;
    let read = io::stdin().lock().take(most).read_to_string(&mut text);
    read.map_err(|error| AccessError::Read {
        what: "the password from standard input".to_owned(),
        why: error.to_string(),
    })?;
    match text.lines().next().unwrap_or_default() {
        "" => Err(AccessError::Typed(
            "give the password on standard input, for example: printf %s \"$PASSWORD\" | ebbtide users set ann".to_owned(),
        )),
        // Nobody could show it: what is longer is never looked at.
        password if password.len() > auth::PASSWORD_BYTES_MAX => Err(AccessError::Typed(format!(
            "the password is too long: give at most {} bytes",
            auth::PASSWORD_BYTES_MAX
        ))),
        password => Ok(password.to_owned()),
    }
}
