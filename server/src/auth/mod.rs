//! Who a client is: users with passwords, tokens of this broker and of others, certificates, in the order that the configuration says.
//!
//! A client learns nothing but that it may not come in, and as fast for a user who is not there as for a wrong password. Why, is in the
//! log, and never with what it has shown.

mod chain;
mod directory;
mod failures;
mod jwt;
mod mosquitto;
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
    password::{Busy, PASSWORD_BYTES_MAX, hash, is_known_hash},
    token::{Owner, Token},
};
use self::{failures::Failures, password::Checker};
use crate::{
    clock::{self, Clock},
    config::{AuthConfig, CertificateRules, Method},
    logging::{Throttle, cut},
    tls::ClientCertificate,
};

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
    certificates: CertificateRules,
    directory: Directory,
    jwt: ArcSwap<Jwt>,
    /// `None`: nobody is asked for a password.
    passwords: Option<Checker>,
    failures: Failures,
    /// Keeps those who guess from flooding the log.
    guessers: Throttle,
    clock: Clock,
}

/// What somebody has shown who wants to come in.
#[derive(Clone, Debug)]
pub struct Shown {
    pub credentials: Credentials,
    /// Of the client, with its port or without.
    pub address: String,
    /// In the handshake of TLS, which has verified it.
    pub certificate: Option<Arc<ClientCertificate>>,
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
            certificates: config.certificates,
            directory,
            jwt: ArcSwap::from_pointee(Jwt::load(&config.jwt)?.begin(None)),
            passwords: has_passwords.then(Checker::new),
            failures: Failures::default(),
            guessers: Throttle::new(),
            clock,
        })))
    }

    /// From now on these keys verify tokens. Who came in by an earlier one stays until its token expires.
    pub fn set_jwt(&self, jwt: Jwt) {
        let jwt = jwt.begin(Some(&self.0.jwt.load()));
        self.0.jwt.store(Arc::new(jwt));
    }

    /// Whether anybody is asked.
    pub fn is_on(&self) -> bool {
        !self.0.methods.is_empty()
    }

    /// Whether a user's password is looked at.
    pub fn asks_for_passwords(&self) -> bool {
        self.0.passwords.is_some()
    }

    /// Whether nobody comes in as a user that the directory does not have: what others have signed may name anybody.
    pub fn has_all_users(&self) -> bool {
        self.0.methods.iter().all(|method| match method {
            Method::Password => true,
            Method::Jwt => false,
            Method::Certificate => self.0.certificates.known_only,
        })
    }

    /// Users, keys and rules.
    pub fn directory(&self) -> &Directory {
        &self.0.directory
    }

    /// Who a client is, or why it may not come in.
    pub async fn authenticate(self, shown: Shown) -> Outcome {
        let result = self.who(shown).await;
        self.outcome(result)
    }

    /// Whether a client that is in may stay.
    pub async fn authenticate_again(self, step: AuthenticationStep) -> Outcome {
        let result = self.by_step(&step).await;
        self.outcome(result)
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
        let may_try = || match inner.failures.has_to_wait(address) {
            false => Ok(()),
            true => {
                let why = "its address has failed too often";
                Err(Refusal::new(ReasonCode::ConnectionRateExceeded, why))
            }
        };
        may_try()?;
        // Held until a failure is counted.
        let turn = passwords.turn().await?;
        // Those who came before it may have failed: who tries many at once guesses no more often than who tries one after the other, and
        // does not keep others waiting.
        may_try()?;
        let known = inner.directory.read().users.get(user).cloned();
        let password = match password.len() <= PASSWORD_BYTES_MAX {
            true => password,
            false => &[],
        };
        let hash = known.as_ref().map(|known| known.password.0.as_slice());
        let is_right = turn.is_right(password, hash).await?;
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
                let why = format!("there is no user {:?} with this password", cut(user));
                Err(Refusal::new(ReasonCode::BadUserNameOrPassword, why))
            }
        }
    }

    /// The hash of a new password; `None`: nobody is asked for one.
    pub async fn hash(&self, password: String) -> Option<Result<String, Busy>> {
        let passwords = self.0.passwords.as_ref()?;
        Some(match passwords.turn().await {
            Ok(turn) => turn.hash(password).await,
            Err(busy) => Err(busy),
        })
    }

    /// A token for a user that has just shown its password; or, with the owner of an earlier token, the next one.
    pub fn token(&self, user: &UserRow, earlier: Option<&Owner>) -> Option<Token> {
        // It is verified by this one.
        let now = clock::system();
        let login_at = earlier.map_or(now, |earlier| earlier.login_at);
        token::make(&self.0.directory, user, login_at, now)
    }

    /// The user whose token of this broker that is, and what the token says; when it expires by the clock of the broker.
    pub fn by_own_token(&self, token: &str) -> Result<(UserRow, Owner), String> {
        if !self.asks_for_passwords() {
            // It stands for one, and the secret that has signed it outlives a restart without them.
            let why = "its token from the login does not count: `auth` does not name `password`";
            return Err(why.to_owned());
        }
        let mut owner = token::verify(&self.0.directory, token)?;
        owner.expires_at = self.0.clock.moment(owner.expires_at);
        Ok((self.owner(&owner)?, owner))
    }

    fn owner(&self, owner: &Owner) -> Result<UserRow, String> {
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

#[cfg(test)]
mod tests {
    use ebbtide_store::access::{AccessRow, Scopes, Secret};

    use super::*;

    fn with_passwords() -> Authenticator {
        let config = AuthConfig {
            methods: vec![Method::Password],
            ..AuthConfig::default()
        };
        Authenticator::new(&config, Directory::default(), Clock::start()).expect("it is valid")
    }

    #[tokio::test]
    async fn who_guesses_many_at_once_guesses_no_more_often() {
        let authenticator = with_passwords();
        let address = IpAddr::from([10, 0, 0, 1]);
        let guesses = (0..100).map(|_| authenticator.by_password("ann", b"a guess", address));
        let mut looked_at = 0;
        for outcome in futures_util::future::join_all(guesses).await {
            match outcome.expect_err("there is no ann").reason {
                ReasonCode::BadUserNameOrPassword => looked_at += 1,
                reason => assert_eq!(reason, ReasonCode::ConnectionRateExceeded),
            }
        }
        // The last one that counts, and those that were being checked then.
        let most = failures::FAILURES_MAX as usize + password::CHECKS_MAX - 1;
        assert!(looked_at <= most, "{looked_at}");
        let other = authenticator.by_password("ann", b"a guess", IpAddr::from([10, 0, 0, 2]));
        let other = other.await.expect_err("there is no ann");
        assert_eq!(other.reason, ReasonCode::BadUserNameOrPassword);
    }

    /// Would fail if tokens were made or timed by the clock of the broker, and verified by that of the system.
    #[test]
    fn a_token_counts_as_long_as_it_says_though_the_systems_clock_was_set() {
        let user = UserRow {
            name: "ann".into(),
            password: Secret(Vec::new()),
            scopes: Scopes::default(),
            claims: Vec::new(),
            changed_at: clock::system(),
        };
        const HOUR_MS: i64 = 60 * 60 * 1000;
        for behind_ms in [-HOUR_MS, 0, HOUR_MS] {
            let (clock, directory) = (Clock::behind(behind_ms), Directory::default());
            let rows = vec![AccessRow::User(user.clone())];
            directory.load(rows, &AuthConfig::default(), clock.now().wall);
            let config = AuthConfig {
                methods: vec![Method::Password],
                ..AuthConfig::default()
            };
            let authenticator = Authenticator::new(&config, directory, clock);
            let authenticator = authenticator.expect("it is valid");
            let token = authenticator.token(&user, None).expect("a token");
            let shown = authenticator.by_own_token(&token.text);
            let (_, owner) = shown.expect("it has only been made");
            let left_ms = owner.expires_at.0.saturating_sub(clock.now().wall.0);
            assert!((880_000..=900_000).contains(&left_ms), "{left_ms}");
        }
    }

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
}
