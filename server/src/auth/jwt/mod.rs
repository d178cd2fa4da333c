//! Tokens that others have signed (RFC 7519): which keys count, for which algorithms, and what a token says of its client.
//!
//! Each key counts for the algorithms that the configuration names for it and no other, whatever a token says: a public key is never
//! taken for a secret, and a token without a signature never counts.

use std::{
    fs,
    path::Path,
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use ebbtide_protocol::ByteString;
use ebbtide_store::{WallTime, access::Claims};
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, Header, Validation, decode, decode_header,
    errors::ErrorKind,
    jwk::{Jwk, JwkSet},
};
use parking_lot::{Mutex, RwLock};
use serde_json::Value;
use tokio::sync::watch;

mod remote;

use self::remote::Remote;
use super::{SetUpError, directory::check_name};
use crate::{config::JwtKey, logging::cut};

/// A secret of HS256 and its like has so many bytes at least (RFC 7518, section 3.2).
const SECRET_BYTES_MIN: usize = 32;
/// How far clocks may differ for a token that does not count yet.
const NOT_BEFORE_LEEWAY_S: u64 = 60;
/// A key set is read, or fetched, again at most so often, whatever tokens name.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// The most values of one claim that rules may ask for.
const VALUES_MAX: usize = 64;

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub user: ByteString,
    pub claims: Claims,
    pub expires_at: WallTime,
}

/// All keys.
#[derive(Debug, Default)]
pub struct Jwt(Vec<Arc<Source>>);

/// What one entry of the configuration gives.
#[derive(Debug)]
struct Source {
    config: JwtKey,
    algorithms: Vec<Algorithm>,
    keys: RwLock<Arc<[Key]>>,
    /// When the set was read last from its file.
    read_at: Mutex<Instant>,
    /// Where it comes from, if that is a URL.
    remote: Option<Arc<Remote>>,
    /// Goes with it: whoever fetches for it sees that nobody needs it any more.
    alive: watch::Sender<()>,
}

/// Why a token does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// It is a wrong one.
    #[error("{0}")]
    Refused(String),
    /// Nobody can say now: the key set that it may need is not there.
    #[error("{0}")]
    Unavailable(String),
}

impl From<String> for Unverified {
    fn from(why: String) -> Self {
        Self::Refused(why)
    }
}

struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// By what a source refuses a token.
struct Refused {
    why: String,
    /// By the very key that it names, or for what every key would refuse it for: no other one has to be waited for.
    is_final: bool,
}

impl Key {
    /// The token asks for it by its id.
    fn is_named_by(&self, header: &Header) -> bool {
        self.id.is_some() && self.id == header.kid
    }

    fn is_meant_by(&self, header: &Header) -> bool {
        match (&self.id, &header.kid) {
            (Some(known), Some(asked)) => known == asked,
            (None, _) => true,
            (Some(_), None) => false,
        }
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Refused {
    /// What is said: the last one, but nothing comes before one that is final.
    fn or(self, said: &mut Option<Self>) {
        if self.is_final || !said.as_ref().is_some_and(|said| said.is_final) {
            *said = Some(self);
        }
    }
}

impl Jwt {
    /// Reads all keys.
    ///
    /// # Errors
    /// Which one cannot be used, and what would be right.
    pub fn load(config: &[JwtKey]) -> Result<Self, SetUpError> {
        let sources = config.iter().map(|config| {
            let fault = |why: String| SetUpError::Jwt(config.name.clone(), why);
            let algorithms = algorithms(config).map_err(fault)?;
            let remote = Remote::new(config).map_err(fault)?.map(Arc::new);
            let keys = match &remote {
                None => read(config, &algorithms).map_err(fault)?,
                Some(_) => none_yet(config, &algorithms).map_err(fault)?,
            };
            Ok(Arc::new(Source {
                remote,
                alive: watch::Sender::new(()),
                config: config.clone(),
                algorithms,
                keys: RwLock::new(keys.into()),
                read_at: Mutex::new(Instant::now()),
            }))
        });
        sources.collect::<Result<_, _>>().map(Self)
    }

    /// Takes over what an earlier one has fetched, and begins to fetch the rest. To be called where tasks can run.
    #[must_use]
    pub fn begin(mut self, earlier: Option<&Self>) -> Self {
        for source in &mut self.0 {
            let Some(remote) = &source.remote else {
                continue;
            };
            let is_same = |other: &&Arc<Source>| {
                let trusts_as = |other: &Arc<Remote>| other.trusts_as(remote);
                other.config == source.config && other.remote.as_ref().is_some_and(trusts_as)
            };
            match earlier.and_then(|earlier| earlier.0.iter().find(is_same)) {
                Some(same) => *source = Arc::clone(same),
                None => {
                    let alive = source.alive.subscribe();
                    tokio::spawn(remote::keep(Arc::downgrade(source), alive));
                }
            }
        }
        self
    }

    /// What a token says, if it counts; or a sentence why not. A key that is not there yet is waited for.
    pub async fn verify_soon(&self, token: &str) -> Result<Said, Unverified> {
        let said = self.verify(token);
        let (Err(_), Ok(header)) = (&said, decode_header(token)) else {
            return said;
        };
        let mut has_looked = false;
        for source in &self.0 {
            if let Some(remote) = &source.remote
                && !source.has_key_for(&header)
            {
                remote.look_again().await;
                has_looked = true;
            }
        }
        match has_looked {
            true => self.verify(token),
            false => said,
        }
    }

    /// What a token says, if it counts; or a sentence why not. That never has a part of the token but what its head says openly.
    pub fn verify(&self, token: &str) -> Result<Said, Unverified> {
        let header = decode_header(token).map_err(|_| {
            "its token is none, or of an algorithm that is never accepted (`none`)".to_owned()
        })?;
        let (mut refused, mut outage) = (None::<Refused>, None);
        for source in &self.0 {
            if let Some(because) = source.remote.as_ref().and_then(|remote| remote.outage()) {
                outage = Some(format!("the key set {:?} {because}", source.config.name));
                continue;
            }
            match source.verify(token, &header) {
                Ok(Some(said)) => return Ok(said),
                Ok(None) => {}
                Err(other) => other.or(&mut refused),
            }
        }
        let is_final = refused.as_ref().is_some_and(|refused| refused.is_final);
        if let (false, Some(outage)) = (is_final, outage) {
            // A key without an id is tried on every token: that it has not signed this one does not say that nobody has. And the same key
            // may be in the set that is out too, for another audience, issuer or claim.
            return Err(Unverified::Unavailable(outage));
        }
        let why = refused.map(|refused| refused.why);
        Err(why
            .unwrap_or_else(|| match &header.kid {
                Some(id) => format!("no key has the id {:?} of its token", cut(id)),
                None => "its token names no key, and each key has an id".to_owned(),
            })
            .into())
    }
}

impl Source {
    /// `None`: none of these keys is meant.
    fn verify(&self, token: &str, header: &Header) -> Result<Option<Said>, Refused> {
        if !self.has_key_for(header) {
            self.read_again();
        }
        let keys = Arc::clone(&self.keys.read());
        let mut refused = None;
        for key in keys.iter().filter(|key| key.is_meant_by(header)) {
            match self.verify_with(key, token, header) {
                Ok(said) => return Ok(Some(said)),
                Err(other) => other.or(&mut refused),
            }
        }
        refused.map_or(Ok(None), Err)
    }

    fn has_key_for(&self, header: &Header) -> bool {
        self.keys.read().iter().any(|key| key.is_meant_by(header))
    }

    /// These count from now on.
    fn replace(&self, keys: Vec<Key>) {
        *self.keys.write() = keys.into();
    }

    fn verify_with(&self, key: &Key, token: &str, header: &Header) -> Result<Said, Refused> {
        let name = &self.config.name;
        let is_named = key.is_named_by(header);
        if !key.algorithms.contains(&header.alg) {
            let why = format!(
                "its token is signed with {:?}, and the key {name:?} counts for {:?} only",
                header.alg, key.algorithms
            );
            return Err(Refused {
                why,
                is_final: is_named,
            });
        }
        let mut validation = Validation::new(header.alg);
        validation.leeway = 0;
        let mut required = vec!["exp"];
        match &self.config.audience {
            Some(audience) => {
                validation.set_audience(&[audience]);
                required.push("aud");
            }
            None => validation.validate_aud = false,
        }
        if let Some(issuer) = &self.config.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        validation.set_required_spec_claims(&required);
        let token = decode::<serde_json::Map<String, Value>>(token, &key.key, &validation)
            .map_err(|error| Refused {
                why: format!("its token does not count by the key {name:?}: {error}"),
                is_final: is_named || is_for_all_keys(error.kind()),
            })?;
        let expires_at_s = counts_until_s(&token.claims).map_err(|why| Refused {
            why,
            is_final: true,
        })?;
        self.read_claims(&token.claims, expires_at_s)
            .map_err(|why| Refused {
                why,
                is_final: is_named,
            })
    }

    fn read_claims(
        &self,
        claims: &serde_json::Map<String, Value>,
        expires_at_s: f64,
    ) -> Result<Said, String> {
        let claim = &self.config.user_claim;
        let user = claims.get(claim).and_then(Value::as_str);
        let user = user.ok_or_else(|| format!("its token does not name its user ({claim:?})"))?;
        check_name(user)
            .map_err(|why| format!("its token names a user who cannot be one: {why}"))?;
        let mut found = Claims::new();
        for name in &self.config.claims {
            let values = match claims.get(name) {
                None => continue,
                Some(Value::Array(values)) => values.as_slice(),
                Some(value) => std::slice::from_ref(value),
            };
            if values.len() > VALUES_MAX {
                return Err(format!(
                    "its token has more than {VALUES_MAX} values of {name:?}"
                ));
            }
            let values = values.iter().filter_map(|value| match value {
                Value::String(text) => Some(text.clone()),
                Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
                _ => None,
            });
            found.extend(values.map(|value| (name.as_str().into(), value.into())));
        }
        Ok(Said {
            user: user.into(),
            claims: found,
            expires_at: WallTime((expires_at_s * 1000.0) as u64),
        })
    }

    /// A set may have got the key since. What cannot be read changes nothing.
    fn read_again(&self) {
        if self.config.jwks_file.is_none() {
            return;
        }
        {
            let mut read_at = self.read_at.lock();
            if read_at.elapsed() < AGAIN_AFTER {
                return;
            }
            *read_at = Instant::now();
        }
        match read(&self.config, &self.algorithms) {
            Ok(keys) => self.replace(keys),
            Err(why) => tracing::warn!(
                "the key set {:?} was not read again, and what was read before goes on: {why}",
                self.config.name
            ),
        }
    }
}

/// The signature is right, and no source asks for less.
fn is_for_all_keys(error: &ErrorKind) -> bool {
    match error {
        ErrorKind::ExpiredSignature => true,
        ErrorKind::MissingRequiredClaim(claim) => claim == "exp",
        _ => false,
    }
}

/// Until when a token counts, if it does by now.
fn counts_until_s(claims: &serde_json::Map<String, Value>) -> Result<f64, String> {
    let seconds = |name: &str| claims.get(name).and_then(Value::as_f64);
    let expires_at_s =
        seconds("exp").ok_or("its token does not say until when it counts (`exp`)")?;
    let now_s = jsonwebtoken::get_current_timestamp();
    if seconds("nbf").is_some_and(|from| from > (now_s + NOT_BEFORE_LEEWAY_S) as f64) {
        return Err("its token does not count yet (`nbf`)".to_owned());
    }
    Ok(expires_at_s)
}

fn algorithms(config: &JwtKey) -> Result<Vec<Algorithm>, String> {
    const KNOWN: &str =
        "HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA";
    if config.algorithms.is_empty() {
        return Err(format!("name its algorithms: {KNOWN}"));
    }
    let algorithms = config.algorithms.iter().map(|name| {
        Algorithm::from_str(name)
            .map_err(|_| format!("{name:?} is no algorithm; there are {KNOWN}"))
    });
    algorithms.collect()
}

fn read(config: &JwtKey, algorithms: &[Algorithm]) -> Result<Vec<Key>, String> {
    match (&config.key_file, &config.jwks_file) {
        (Some(file), None) => {
            let [algorithm] = algorithms else {
                return Err("a key_file counts for one algorithm: name one".to_owned());
            };
            Ok(vec![Key {
                id: config.key_id.clone(),
                algorithms: vec![*algorithm],
                key: one(&content(file)?, *algorithm).map_err(|why| in_file(file, &why))?,
            }])
        }
        (None, Some(file)) => set(&content(file)?, algorithms).map_err(|why| in_file(file, &why)),
        _ => Err("give one of key_file, jwks_file and jwks_url".to_owned()),
    }
}

/// Those of a URL before they have been fetched.
fn none_yet(config: &JwtKey, algorithms: &[Algorithm]) -> Result<Vec<Key>, String> {
    if config.key_file.is_some() || config.jwks_file.is_some() {
        return Err("give one of key_file, jwks_file and jwks_url".to_owned());
    }
    let is_secret = |algorithm: &&Algorithm| algorithm.family() == AlgorithmFamily::Hmac;
    match algorithms.iter().find(is_secret) {
        Some(algorithm) => Err(format!(
            "{algorithm:?} needs a secret, and what is at a URL is none: name algorithms with public keys"
        )),
        None => Ok(Vec::new()),
    }
}

fn in_file(file: &Path, why: &str) -> String {
    format!("{}: {why}", file.display())
}

fn content(file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| in_file(file, &error.to_string()))
}

fn one(content: &[u8], algorithm: Algorithm) -> Result<DecodingKey, String> {
    let kind = |what: &str| {
        format!("it is no public key for {algorithm:?}: give {what} (PEM, `BEGIN PUBLIC KEY`)")
    };
    match algorithm.family() {
        AlgorithmFamily::Hmac => {
            let secret = content.trim_ascii();
            if secret.starts_with(b"-----BEGIN") {
                return Err(format!(
                    "it is a PEM file, and {algorithm:?} needs a secret"
                ));
            }
            if secret.len() < SECRET_BYTES_MIN {
                return Err(format!(
                    "the secret has {} bytes: give at least {SECRET_BYTES_MIN}",
                    secret.len()
                ));
            }
            Ok(DecodingKey::from_secret(secret))
        }
        AlgorithmFamily::Rsa => DecodingKey::from_rsa_pem(content).map_err(|_| kind("one of RSA")),
        AlgorithmFamily::Ec => {
            DecodingKey::from_ec_pem(content).map_err(|_| kind("one of its curve"))
        }
        AlgorithmFamily::Ed => {
            DecodingKey::from_ed_pem(content).map_err(|_| kind("one of Ed25519"))
        }
    }
}

fn set(content: &[u8], algorithms: &[Algorithm]) -> Result<Vec<Key>, String> {
    let set: JwkSet = serde_json::from_slice(content)
        .map_err(|error| format!("it is no JSON Web Key Set: {error}"))?;
    let keys: Vec<Key> = set
        .keys
        .iter()
        .filter_map(|jwk| from_set(jwk, algorithms))
        .collect();
    match keys.is_empty() {
        true => Err("none of its keys is for the algorithms that are named".to_owned()),
        false => Ok(keys),
    }
}

/// `None`: it is for something else.
fn from_set(jwk: &Jwk, algorithms: &[Algorithm]) -> Option<Key> {
    let key = DecodingKey::from_jwk(jwk).ok()?;
    let own = jwk.common.key_algorithm;
    let counts = algorithms.iter().copied().filter(|algorithm| {
        let is_own =
            own.is_none_or(|own| Algorithm::from_str(&format!("{own:?}")).ok() == Some(*algorithm));
        is_own && algorithm.family() == key.family()
    });
    let algorithms: Vec<Algorithm> = counts.collect();
    (!algorithms.is_empty()).then(|| Key {
        id: jwk.common.key_id.clone(),
        algorithms,
        key,
    })
}

#[cfg(test)]
pub(super) mod tests;
