//! Who a client is: users with passwords, tokens of this broker and of others, in the order that the configuration says.
//!
//! A client learns nothing but that it may not come in, and as fast for a user who is not there as for a wrong password. Why, is in the
//! log, and never with what it has shown.

mod directory;
mod failures;
mod jwt;
mod password;
pub mod random;
pub mod rows;
mod token;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use ebbtide_broker::{Authentication, AuthenticationStep, Credentials, Identity, RuleError};
use ebbtide_protocol::{ByteString, ReasonCode};
use ebbtide_store::{WallTime, access::UserRow};

pub use self::{
    directory::{Directory, KEYS_MAX, USERS_MAX, check_name},
    jwt::Jwt,
    password::{Busy, PASSWORD_BYTES_MAX, hash},
    token::LIFETIME_S,
};
use self::{failures::Failures, password::Checker};
use crate::{
    clock::Clock,
    config::{AuthConfig, Method},
    logging::Throttle,
};

/// The Authentication Method of enhanced authentication: Authentication Data is the token.
const METHOD: &str = "ebbtide-jwt";

/// Why authentication cannot be set up as configured.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// A user to begin with.
    #[error("[[users]] {0:?}: {1}")]
    User(String, String),
    /// The rules to begin with.
    #[error("[[rules]] {0}")]
    Rules(RuleError),
    /// A key for tokens.
    #[error("[[jwt]] {0:?}: {1}")]
    Jwt(String, String),
}

/// Whether all that the configuration says can be used.
pub fn check(config: &AuthConfig) -> Result<(), SetUpError> {
    directory::check_seeds(config)?;
    Jwt::load(&config.jwt).map(drop)
}

/// Decides who may come in.
#[derive(Clone, Debug)]
pub struct Authenticator(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    methods: Vec<Method>,
    allow_anonymous: bool,
    directory: Directory,
    jwt: ArcSwap<Jwt>,
    /// `None`: nobody is asked for a password.
    passwords: Option<Checker>,
    failures: Failures,
    /// Keeps those who guess from flooding the log.
    guessers: Throttle,
    clock: Clock,
}

/// What became of somebody who wants to come in.
#[derive(Debug)]
pub struct Outcome {
    /// For the core.
    pub authentication: Authentication,
    /// Why it may not come in, for the log.
    pub complaint: Option<String>,
    /// What has to hold still when it does come in.
    standing: Option<Standing>,
}

/// A user as it was when it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Standing {
    user: ByteString,
    changed_at: WallTime,
}

/// Somebody that is known.
#[derive(Clone, Debug)]
pub struct Known {
    /// Who.
    pub identity: Identity,
    standing: Option<Standing>,
}

/// Why somebody may not come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What the client is told.
    pub reason: ReasonCode,
    /// For the log.
    pub why: String,
}

impl Refusal {
    fn new(reason: ReasonCode, why: impl Into<String>) -> Self {
        Self {
            reason,
            why: why.into(),
        }
    }
}

impl From<Busy> for Refusal {
    fn from(_: Busy) -> Self {
        Self::new(
            ReasonCode::ServerBusy,
            "too many passwords wait to be checked",
        )
    }
}

impl Authenticator {
    /// As configured.
    ///
    /// # Errors
    /// A key cannot be used any more.
    pub fn new(
        config: &AuthConfig,
        directory: Directory,
        clock: Clock,
    ) -> Result<Self, SetUpError> {
        let has_passwords = config.methods.contains(&Method::Password);
        Ok(Self(Arc::new(Inner {
            methods: config.methods.clone(),
            allow_anonymous: config.allow_anonymous,
            directory,
            jwt: ArcSwap::from_pointee(Jwt::load(&config.jwt)?),
            passwords: has_passwords.then(Checker::new),
            failures: Failures::default(),
            guessers: Throttle::new(),
            clock,
        })))
    }

    /// From now on these keys verify tokens. Who came in by an earlier one stays until its token expires.
    pub fn set_jwt(&self, jwt: Jwt) {
        self.0.jwt.store(Arc::new(jwt));
    }

    /// Whether anybody is asked.
    pub fn is_on(&self) -> bool {
        !self.0.methods.is_empty()
    }

    /// Users, keys and rules.
    pub fn directory(&self) -> &Directory {
        &self.0.directory
    }

    /// Who a client is, or why it may not come in.
    pub async fn authenticate(self, credentials: Credentials, address: String) -> Outcome {
        let result = self.who(credentials, &address).await;
        self.outcome(result)
    }

    /// Whether a client that is in may stay.
    pub fn authenticate_again(&self, step: &AuthenticationStep) -> Outcome {
        self.outcome(self.by_step(step))
    }

    /// Lets it in, unless its user has gone or changed meanwhile. Nobody is removed while `admit` runs.
    pub fn admit(&self, outcome: Outcome, admit: impl FnOnce(Authentication)) {
        let Outcome {
            authentication,
            standing,
            ..
        } = outcome;
        let content = self.0.directory.read();
        let still_stands = standing.is_none_or(|standing| {
            let user = content.users.get(&standing.user);
            user.is_some_and(|user| user.changed_at == standing.changed_at)
        });
        admit(match still_stands {
            true => authentication,
            false => Authentication::Refused(ReasonCode::BadUserNameOrPassword),
        });
    }

    /// A user with this password, for the HTTP API too.
    pub async fn by_password(
        &self,
        user: &str,
        password: &[u8],
        address: IpAddr,
    ) -> Result<UserRow, Refusal> {
        let inner = &*self.0;
        let Some(passwords) = &inner.passwords else {
            let why = "nobody is asked for a password here: `auth` does not name `password`";
            return Err(Refusal::new(ReasonCode::BadUserNameOrPassword, why));
        };
        if inner.failures.has_to_wait(address) {
            let why = "its address has failed too often";
            return Err(Refusal::new(ReasonCode::ConnectionRateExceeded, why));
        }
        let known = inner.directory.read().users.get(user).cloned();
        let password = match password.len() <= PASSWORD_BYTES_MAX {
            true => password,
            false => &[],
        };
        let hash = known.as_ref().map(|known| known.password.0.as_slice());
        let is_right = passwords.is_right(password, hash).await?;
        match known.filter(|_| is_right) {
            Some(known) => Ok(known),
            None => {
                if inner.failures.count(address)
                    && let Some(suppressed) = inner.guessers.permit()
                {
                    let (count, seconds) = (failures::FAILURES_MAX, failures::WINDOW.as_secs());
                    tracing::warn!(
                        %address,
                        suppressed,
                        "an address has failed {count} times in {seconds} s: until these are over, no password of it is looked at"
                    );
                }
                let why = format!("there is no user {user:?} with this password");
                Err(Refusal::new(ReasonCode::BadUserNameOrPassword, why))
            }
        }
    }

    /// The hash of a new password; `None`: nobody is asked for one.
    pub async fn hash(&self, password: String) -> Option<Result<String, Busy>> {
        Some(self.0.passwords.as_ref()?.hash(password).await)
    }

    /// A token for a user that has shown its password, or an earlier token.
    pub fn token(&self, user: &UserRow) -> Option<String> {
        let now = self.0.clock.now().wall;
        token::make(&self.0.directory, &user.name, user.changed_at, now)
    }

    /// The user whose token of this broker that is, and until when it counts.
    pub fn by_own_token(&self, token: &str) -> Result<(UserRow, WallTime), String> {
        let owner = token::verify(&self.0.directory, token)?;
        Ok((self.owner(&owner)?, owner.expires_at))
    }

    fn owner(&self, owner: &token::Owner) -> Result<UserRow, String> {
        let content = self.0.directory.read();
        let user = content.users.get(&owner.user);
        let user = user.filter(|user| user.changed_at == owner.changed_at);
        let why = || {
            format!(
                "the user {:?} of its token is gone, or has another password since",
                &*owner.user
            )
        };
        user.cloned().ok_or_else(why)
    }

    fn outcome(&self, result: Result<(Known, Option<Bytes>), Refusal>) -> Outcome {
        match result {
            Ok((known, data)) => Outcome {
                authentication: Authentication::Accepted {
                    identity: known.identity,
                    data,
                },
                complaint: None,
                standing: known.standing,
            },
            Err(refusal) => Outcome {
                authentication: Authentication::Refused(refusal.reason),
                complaint: Some(refusal.why),
                standing: None,
            },
        }
    }

    async fn who(
        &self,
        credentials: Credentials,
        address: &str,
    ) -> Result<(Known, Option<Bytes>), Refusal> {
        if !self.is_on() {
            if credentials.enhanced.is_some() {
                // No method is supported [MQTT-4.12.0-1].
                let why =
                    "it asks for enhanced authentication, and nobody is asked who they are here";
                return Err(Refusal::new(ReasonCode::BadAuthenticationMethod, why));
            }
            return Ok((Known::anonymous(), None));
        }
        if let Some(step) = &credentials.enhanced {
            return self.by_step(step);
        }
        let password = credentials
            .password
            .as_deref()
            .filter(|password| !password.is_empty());
        let mut refusal = None;
        for method in &self.0.methods {
            let result = match (method, &credentials.username, password) {
                (Method::Jwt, _, Some(password)) if looks_like_token(password) => {
                    self.by_foreign_token(password)
                }
                (Method::Password, _, Some(password)) if is_own_token(password) => {
                    self.by_token_of_ours(password)
                }
                (Method::Password, Some(user), Some(password)) => {
                    let ip = ip_of(address);
                    let user = self.by_password(user, password, ip).await;
                    user.map(|user| Known::user(&user, None))
                }
                _ => continue,
            };
            match result {
                Ok(known) => return Ok((known, None)),
                // What was tried first says the most.
                Err(other) => {
                    refusal.get_or_insert(other);
                }
            }
        }
        match refusal {
            Some(refusal) => Err(refusal),
            None if credentials.username.is_none()
                && password.is_none()
                && self.0.allow_anonymous =>
            {
                Ok((Known::anonymous(), None))
            }
            None => {
                let names: Vec<&str> = self.0.methods.iter().map(|method| method.name()).collect();
                let why = format!(
                    "it has shown nothing that `auth` asks for ({})",
                    names.join(", ")
                );
                Err(Refusal::new(ReasonCode::NotAuthorized, why))
            }
        }
    }

    fn by_step(&self, step: &AuthenticationStep) -> Result<(Known, Option<Bytes>), Refusal> {
        if &*step.method != METHOD {
            let why = format!(
                "the authentication method {:?} is not known; there is {METHOD:?}",
                &*step.method
            );
            return Err(Refusal::new(ReasonCode::BadAuthenticationMethod, why));
        }
        let token = step.data.as_deref().unwrap_or_default();
        let has = |method| self.0.methods.contains(&method);
        let known = if has(Method::Password) && is_own_token(token) {
            self.by_token_of_ours(token)
        } else if has(Method::Jwt) {
            self.by_foreign_token(token)
        } else {
            let why = "its token is none of this broker, and `auth` does not name `jwt`";
            Err(Refusal::new(ReasonCode::NotAuthorized, why))
        };
        known
            .map(|known| (known, None))
            .map_err(|refusal| match refusal.reason {
                ReasonCode::BadUserNameOrPassword => Refusal {
                    reason: ReasonCode::NotAuthorized,
                    ..refusal
                },
                _ => refusal,
            })
    }

    fn by_foreign_token(&self, token: &[u8]) -> Result<Known, Refusal> {
        let refused = |why| Refusal::new(ReasonCode::BadUserNameOrPassword, why);
        let said = self
            .0
            .jwt
            .load_full()
            .verify(text(token))
            .map_err(refused)?;
        Ok(Known {
            identity: Identity {
                user: Some(said.user),
                claims: said.claims,
                expires_at: Some(said.expires_at),
                is_trusted: false,
            },
            standing: None,
        })
    }

    fn by_token_of_ours(&self, token: &[u8]) -> Result<Known, Refusal> {
        let refused = |why| Refusal::new(ReasonCode::BadUserNameOrPassword, why);
        let owner = token::verify(&self.0.directory, text(token)).map_err(refused)?;
        let user = self.owner(&owner).map_err(refused)?;
        Ok(Known::user(&user, Some(owner.expires_at)))
    }
}

impl Known {
    fn anonymous() -> Self {
        Self {
            identity: Identity::default(),
            standing: None,
        }
    }

    fn user(user: &UserRow, expires_at: Option<WallTime>) -> Self {
        Self {
            identity: Identity {
                user: Some(user.name.clone()),
                claims: user.claims.clone(),
                expires_at,
                is_trusted: false,
            },
            standing: Some(Standing {
                user: user.name.clone(),
                changed_at: user.changed_at,
            }),
        }
    }
}

/// Of an address with its port or, behind a proxy, without. Those that cannot be told apart are one.
fn ip_of(address: &str) -> IpAddr {
    let with_port = address.parse::<SocketAddr>().map(|address| address.ip());
    let ip = with_port.or_else(|_| address.parse());
    ip.unwrap_or(IpAddr::from([0, 0, 0, 0]))
}

/// Three parts, of which the first is an object: `{"` is `eyJ` in base64.
fn looks_like_token(password: &[u8]) -> bool {
    password.starts_with(b"eyJ") && password.iter().filter(|byte| **byte == b'.').count() == 2
}

fn is_own_token(password: &[u8]) -> bool {
    looks_like_token(password) && token::is_ours(text(password))
}

/// What is no text is no token.
fn text(token: &[u8]) -> &str {
    std::str::from_utf8(token).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_known_with_its_port_and_without() {
        for (text, expected) in [
            ("10.0.0.1:50123", "10.0.0.1"),
            ("10.0.0.1", "10.0.0.1"),
            ("[2001:db8::1]:7", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("", "0.0.0.0"),
        ] {
            assert_eq!(ip_of(text).to_string(), expected, "{text}");
        }
    }

    #[test]
    fn what_looks_like_a_token() {
        for token in ["eyJhbGciOiJIUzI1NiJ9.e30.x", "eyJ.."] {
            assert!(looks_like_token(token.as_bytes()), "{token}");
        }
        for other in ["", "eyJ", "eyJ.a", "eyJ.a.b.c", "secret", "a.b.c"] {
            assert!(!looks_like_token(other.as_bytes()), "{other}");
        }
    }
}
