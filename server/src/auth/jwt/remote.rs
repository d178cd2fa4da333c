//! A key set at a URL: fetched at the start, then from time to time, and at once when a token names a key that is not in it.
//!
//! Nobody's connection fetches anything: one task does, at most every few seconds, and those who need a new key wait for it. While it
//! fails, the keys that are there go on, up to an age; the next attempt waits longer each time, and not as long as everybody else's.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use axum::http::Uri;
use backon::{BackoffBuilder, ExponentialBuilder};
use parking_lot::Mutex;
use rustls::{
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio::{sync::watch, time::timeout};
use ureq::{
    Agent,
    tls::{Certificate, RootCerts, TlsConfig},
};

use super::{AGAIN_AFTER, Key, Source};
use crate::config::JwtKey;

/// The largest key set, bytes.
const BYTES_MAX: u64 = 1024 * 1024;
/// How long a whole exchange may take, redirects and the last byte included.
const DEADLINE: Duration = Duration::from_secs(10);
/// How many redirects are followed.
const REDIRECTS_MAX: u32 = 3;
/// After a failure the next attempt waits so long; then twice as long each time, and a random part more.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LAST: Duration = Duration::from_secs(60);

/// Where a key set comes from, and when it came.
#[derive(Debug)]
pub(super) struct Remote {
    url: String,
    agent: Agent,
    refresh: Duration,
    max_age: Duration,
    /// The authorities that were read from `jwks_ca_file`.
    authorities: Option<Vec<u8>>,
    times: Mutex<Times>,
    /// Somebody needs a key that is not there.
    wanted: tokio::sync::Notify,
    /// How many attempts have ended.
    attempts: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Times {
    asked_at: Option<Instant>,
    /// The latest attempt has not ended.
    is_fetching: bool,
    fetched_at: Option<Instant>,
}

impl Remote {
    /// `None`: these keys do not come from a URL.
    ///
    /// # Errors
    /// What is wrong with the configuration, and what would be right.
    pub fn new(config: &JwtKey) -> Result<Option<Self>, String> {
        let Some(url) = &config.jwks_url else {
            return match &config.jwks_ca_file {
                Some(_) => Err("jwks_ca_file is about jwks_url: give both, or neither".to_owned()),
                None => Ok(None),
            };
        };
        let is_local = is_local(url)?;
        let (refresh_s, max_age_s) = (config.jwks_refresh_s.max(1), config.jwks_max_age_s);
        if max_age_s <= refresh_s {
            return Err(format!(
                "jwks_max_age_s is {max_age_s} and jwks_refresh_s is {refresh_s}: its keys would not count any more when they are fetched again; \
                 give a longer jwks_max_age_s, or a shorter jwks_refresh_s"
            ));
        }
        let authorities = config.jwks_ca_file.as_ref();
        let authorities = authorities.map(|file| super::content(file)).transpose()?;
        let roots = match (&authorities, is_local) {
            (Some(text), _) => given(text)?,
            (None, true) => Vec::new(),
            (None, false) => native()?,
        };
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .build();
        let mut agent = Agent::config_builder()
            .tls_config(tls)
            .https_only(!url.starts_with("http://"))
            .timeout_global(Some(DEADLINE))
            .max_redirects(REDIRECTS_MAX)
            .user_agent(concat!("ebbtide/", env!("CARGO_PKG_VERSION")))
            .accept("application/jwk-set+json, application/json");
        if is_local {
            agent = agent.proxy(None);
        }
        Ok(Some(Self {
            url: url.clone(),
            agent: agent.build().into(),
            refresh: Duration::from_secs(refresh_s.into()),
            max_age: Duration::from_secs(max_age_s.into()),
            authorities,
            times: Mutex::default(),
            wanted: tokio::sync::Notify::new(),
            attempts: watch::Sender::new(0),
        }))
    }

    /// Whether what the one has fetched is what the other would fetch, given that their configurations are the same.
    pub fn trusts_as(&self, other: &Self) -> bool {
        self.authorities == other.authorities
    }

    /// Why the keys that are there do not count now.
    pub fn outage(&self) -> Option<String> {
        match self.times.lock().fetched_at {
            None => Some("was not fetched yet".to_owned()),
            Some(at) if at.elapsed() > self.max_age => Some(format!(
                "was not fetched for {} s, and counts no longer (`jwks_max_age_s`)",
                at.elapsed().as_secs()
            )),
            Some(_) => None,
        }
    }

    /// A key that is not there may be there now: waits for the next attempt, or not, if there was one just now.
    pub async fn look_again(&self) {
        let mut attempts = self.attempts.subscribe();
        {
            let times = self.times.lock();
            if !times.is_fetching {
                let is_recent = |at: Instant| at.elapsed() < AGAIN_AFTER;
                if times.asked_at.is_some_and(is_recent) {
                    return;
                }
                self.wanted.notify_one();
            }
        }
        // The sender lives as long as this; an attempt ends by its deadline.
        let _ = timeout(DEADLINE * 2, attempts.changed()).await;
    }

    /// Asks the server. Blocks.
    fn fetch(&self) -> Result<Vec<u8>, String> {
        let mut answer = self.agent.get(&self.url).call().map_err(sentence)?;
        let body = answer.body_mut().with_config().limit(BYTES_MAX);
        body.read_to_vec().map_err(sentence)
    }
}

/// Fetches until nobody needs the source any more.
pub(super) async fn keep(source: Weak<Source>, mut alive: watch::Receiver<()>) {
    let mut delays = None;
    loop {
        let Some(current) = source.upgrade() else {
            return;
        };
        let Some(remote) = current.remote.clone() else {
            return;
        };
        {
            let mut times = remote.times.lock();
            (times.asked_at, times.is_fetching) = (Some(Instant::now()), true);
        }
        let fetching = tokio::task::spawn_blocking({
            let source = Arc::clone(&current);
            move || attempt(&source)
        });
        let name = current.config.name.clone();
        drop(current);
        let fetched = fetching
            .await
            .unwrap_or_else(|error| Err(error.to_string()));
        let pause = match fetched {
            Ok(other_keys) => {
                remote.times.lock().fetched_at = Some(Instant::now());
                if delays.take().is_some() {
                    tracing::info!("the key set {name:?} is fetched again");
                }
                if let Some(keys) = other_keys {
                    tracing::info!(keys, "the key set {name:?} has other keys than before");
                }
                remote.refresh
            }
            Err(why) => {
                let delays = delays.get_or_insert_with(|| {
                    ExponentialBuilder::default()
                        .with_min_delay(RETRY_FIRST)
                        .with_max_delay(RETRY_LAST)
                        .without_max_times()
                        .with_jitter()
                        .build()
                });
                let pause = delays.next().unwrap_or(RETRY_LAST);
                let kept = match remote.outage() {
                    None => "the keys that are there go on",
                    Some(_) => "its tokens do not count meanwhile",
                };
                tracing::warn!(
                    "the key set {name:?} was not fetched, {kept}: {why}; the next attempt is in {pause:.1?}"
                );
                pause
            }
        };
        remote.times.lock().is_fetching = false;
        remote.attempts.send_modify(|attempts| *attempts += 1);
        tokio::select! {
            // Nothing is ever sent: it ends with the source.
            _ = alive.changed() => return,
            () = tokio::time::sleep(pause) => {}
            () = remote.wanted.notified() => {
                // Whoever guesses key ids does not make it ask more often.
                let asked_at = remote.times.lock().asked_at;
                let left = asked_at.map(|at| AGAIN_AFTER.saturating_sub(at.elapsed()));
                tokio::time::sleep(left.unwrap_or_default()).await;
            }
        }
    }
}

/// How many keys there are, if they are others than before by their ids.
fn attempt(source: &Source) -> Result<Option<usize>, String> {
    let remote = source.remote.as_ref().ok_or("it has no URL")?;
    let keys = super::set(&remote.fetch()?, &source.algorithms)?;
    let ids =
        |keys: &[Key]| -> Vec<Option<String>> { keys.iter().map(|key| key.id.clone()).collect() };
    let is_same = ids(&keys) == ids(&source.keys.read());
    let count = keys.len();
    source.replace(keys);
    Ok((!is_same).then_some(count))
}

/// `http://` is for this machine only: whoever can change the keys on their way lets in whom they like.
fn is_local(url: &str) -> Result<bool, String> {
    let wrong = || {
        format!(
            "jwks_url {url:?}: give an address such as https://issuer.example/keys.json; http:// is for this machine only"
        )
    };
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let host = uri.host().ok_or_else(wrong)?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_local = host == "localhost"
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback());
    match uri.scheme_str() {
        Some("https") => Ok(is_local),
        Some("http") if is_local => Ok(true),
        _ => Err(wrong()),
    }
}

fn given(text: &[u8]) -> Result<Vec<Certificate<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let certificates = certificates.map_err(|error| format!("jwks_ca_file: {error}"))?;
    match certificates.is_empty() {
        true => Err("jwks_ca_file: there is no certificate in it".to_owned()),
        false => Ok(certificates.iter().map(owned).collect()),
    }
}

fn native() -> Result<Vec<Certificate<'static>>, String> {
    let found = rustls_native_certs::load_native_certs();
    match found.certs.is_empty() {
        true => Err(
            "this system has no authorities to trust (package `ca-certificates`): install them, or give jwks_ca_file"
                .to_owned(),
        ),
        false => Ok(found.certs.iter().map(owned).collect()),
    }
}

fn owned(certificate: &CertificateDer<'_>) -> Certificate<'static> {
    Certificate::from_der(certificate).to_owned()
}

/// Without the address, in which there may be a secret.
fn sentence(error: ureq::Error) -> String {
    match error {
        ureq::Error::StatusCode(status) => format!("the server answered {status}"),
        ureq::Error::BodyExceedsLimit(_) => format!("it has more than {BYTES_MAX} bytes"),
        ureq::Error::Timeout(_) => format!("it took more than {} s", DEADLINE.as_secs()),
        ureq::Error::RequireHttpsOnly(_) => "it leads away from https".to_owned(),
        ureq::Error::HostNotFound => "its host has no address".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_but_on_this_machine() {
        for (url, expected) in [
            ("https://issuer.example/keys.json", Ok(false)),
            ("https://127.0.0.1:8443/keys.json", Ok(true)),
            ("http://127.0.0.1:8080/keys.json", Ok(true)),
            ("http://[::1]/keys.json", Ok(true)),
            ("http://localhost/keys.json", Ok(true)),
            ("http://issuer.example/keys.json", Err(())),
            ("http://127.0.0.1.example/keys.json", Err(())),
            ("ftp://issuer.example/", Err(())),
            ("issuer.example/keys.json", Err(())),
            ("/keys.json", Err(())),
            ("", Err(())),
        ] {
            assert_eq!(is_local(url).map_err(drop), expected, "{url}");
        }
    }
}
