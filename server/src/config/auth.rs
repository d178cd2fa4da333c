//! Who is asked for what: the methods in their order, and what stands in the file for them. Users and rules are only the seeds of
//! those that the broker keeps.

use std::{collections::BTreeMap, path::PathBuf};

use clap::ValueEnum;
use ebbtide_api::{Password, Rule, Scope};
use serde::Deserialize;

use super::{ConfigError, Options};
use crate::tls::CertificateUser;

/// The tables of the file that have no flag.
pub(super) const TABLES: [&str; 3] = ["users", "rules", "jwt"];

/// A way to say who one is.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// A user of this broker, with a password, or with a token that was got for it.
    Password,
    /// A token that somebody else has signed.
    Jwt,
    /// The certificate that it has shown in the handshake of TLS.
    Certificate,
}

impl Method {
    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Jwt => "jwt",
            Self::Certificate => "certificate",
        }
    }
}

/// A user to begin with.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct UserSeed {
    /// Its name.
    pub name: String,
    /// Its password, or else its hash.
    pub password: Option<Password>,
    /// The argon2id hash of its password.
    pub password_hash: Option<Password>,
    /// What its tokens may do in the HTTP API.
    #[serde(default)]
    pub scopes: Vec<Scope>,
    /// What rules may ask for.
    #[serde(default)]
    pub claims: BTreeMap<String, Vec<String>>,
}

/// A key that verifies tokens.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct JwtKey {
    /// What it is called in the log.
    pub name: String,
    /// The algorithms that count; with a file of one key it is one.
    pub algorithms: Vec<String>,
    /// The public key (PEM), or the secret of HS256 and its like, as it is in the file but for white space around it.
    pub key_file: Option<PathBuf>,
    /// A JSON Web Key Set instead; it is read again when a token names a key that is not in it.
    pub jwks_file: Option<PathBuf>,
    /// Or one at a URL: fetched at the start, from time to time, and when a token names a key that is not in it.
    pub jwks_url: Option<String>,
    /// Who may have signed the certificate of that URL: a PEM file; not given: the authorities of the system.
    pub jwks_ca_file: Option<PathBuf>,
    /// How often it is fetched, seconds.
    #[serde(default = "refresh_s")]
    pub jwks_refresh_s: u32,
    /// For how long what was fetched counts while it cannot be fetched again, seconds: longer than until it is fetched the next time.
    #[serde(default = "max_age_s")]
    pub jwks_max_age_s: u32,
    /// The `kid` of the tokens that this key is for; not given: of all that name no other one.
    pub key_id: Option<String>,
    /// The `iss` that tokens must have.
    pub issuer: Option<String>,
    /// The `aud` that tokens must have.
    pub audience: Option<String>,
    /// Which claim is the user.
    #[serde(default = "subject")]
    pub user_claim: String,
    /// Which claims rules may ask for.
    #[serde(default)]
    pub claims: Vec<String>,
}

fn refresh_s() -> u32 {
    300
}

/// A day.
fn max_age_s() -> u32 {
    86_400
}

fn subject() -> String {
    "sub".to_owned()
}

/// How a certificate says who a client is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CertificateRules {
    /// Which name of it is the user.
    pub user: CertificateUser,
    /// The user has to be one of this broker.
    pub known_only: bool,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthConfig {
    /// In this order; none: nobody is asked.
    pub methods: Vec<Method>,
    /// Those who say nothing may come in too.
    pub allow_anonymous: bool,
    /// For the first start.
    pub users: Vec<UserSeed>,
    /// For the first start.
    pub rules: Vec<Rule>,
    /// Who signs tokens.
    pub jwt: Vec<JwtKey>,
    /// Whose certificates are whose.
    pub certificates: CertificateRules,
}

impl AuthConfig {
    pub(super) fn resolve(options: &Options) -> Result<Self, ConfigError> {
        let config = Self {
            methods: options.auth.clone(),
            allow_anonymous: options.allow_anonymous.unwrap_or(false),
            users: options.users.clone(),
            rules: options.rules.clone(),
            jwt: options.jwt.clone(),
            certificates: CertificateRules {
                user: options.certificate_user.unwrap_or_default(),
                known_only: options.certificate_known_users.unwrap_or(false),
            },
        };
        config.check()?;
        Ok(config)
    }

    /// Whether anybody is asked.
    pub fn is_on(&self) -> bool {
        !self.methods.is_empty()
    }

    fn check(&self) -> Result<(), ConfigError> {
        let has = |method| self.methods.contains(&method);
        // Those whom a certificate names may have claims.
        let are_used = has(Method::Password) || has(Method::Certificate);
        if !self.users.is_empty() && !are_used {
            return Err(ConfigError::UnusedAuth("[[users]]", "password"));
        }
        if !self.jwt.is_empty() && !has(Method::Jwt) {
            return Err(ConfigError::UnusedAuth("[[jwt]]", "jwt"));
        }
        if !self.rules.is_empty() && !self.is_on() {
            return Err(ConfigError::UnusedAuth("[[rules]]", "password"));
        }
        if has(Method::Jwt) && self.jwt.is_empty() {
            return Err(ConfigError::NoJwtKey);
        }
        let auth = |error: crate::auth::SetUpError| ConfigError::Auth(error.to_string());
        crate::auth::check(self).map_err(auth)
    }
}
