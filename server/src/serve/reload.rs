//! SIGHUP: the file is read again, and what can change while the broker runs does. Nobody is disconnected.
//!
//! Everything that can go wrong is done before anything changes: a file, a certificate or a key that cannot be used leaves all as it
//! is. The log says what has changed, and what waits for a restart.

use std::sync::Arc;

use clap::CommandFactory;

use crate::{
    auth::{Authenticator, Jwt, SetUpError},
    cli::Cli,
    config::{Config, ConfigError, Reload, differences},
    http,
    logging::Filter,
    proxy::Proxies,
    storage::CurrentBroker,
    tls::{Prepared, Tls, TlsError},
};

/// Gives the configuration anew: the same flags and environment, and the file as it is now.
pub type Reread = Arc<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>;

/// What can change, and what it is.
pub struct Running {
    pub reread: Reread,
    pub filter: Filter,
    /// `None`: no listener has TLS.
    pub tls: Option<Tls>,
    pub proxies: Proxies,
    pub web: http::Service,
    pub authenticator: Authenticator,
    pub broker: CurrentBroker,
    /// What holds of everything that needs a restart.
    pub started: Config,
    /// What holds of everything else.
    pub current: Config,
}

/// Why all stays as it is.
#[derive(Debug, thiserror::Error)]
enum ReloadError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Auth(#[from] SetUpError),
}

/// All that was read, and can be used.
struct Next {
    config: Config,
    tls: Option<Prepared>,
    jwt: Jwt,
}

impl Running {
    /// Reads everything again.
    pub async fn reload(&mut self) {
        let (reread, has_tls) = (Arc::clone(&self.reread), self.tls.is_some());
        let read = tokio::task::spawn_blocking(move || read(&reread, has_tls));
        match read.await {
            Ok(Ok(next)) => self.apply(next),
            Ok(Err(error)) => tracing::error!(
                "SIGHUP: the configuration was not read again, and everything goes on as it was: {error}"
            ),
            Err(error) => tracing::error!(%error, "SIGHUP: the configuration was not read again"),
        }
    }

    fn apply(&mut self, next: Next) {
        let Next { config, tls, jwt } = next;
        let found = differences(&self.started, &self.current, &config, &Cli::command());
        // First, so that the lines below are written by it.
        self.filter.set(&config.log);
        if let (Some(running), Some(prepared)) = (&self.tls, tls) {
            running.set(prepared);
        }
        self.authenticator.set_jwt(jwt);
        self.proxies.set(&config);
        self.web.set_config(&self.started, &config);
        self.broker.set_limits(config.limits.clone());
        let (mut taken, mut waiting) = (0, 0);
        for difference in &found {
            match difference.reload {
                Reload::Restart => {
                    waiting += 1;
                    tracing::warn!(
                        "SIGHUP: {difference}: it needs a restart, until then the old one holds"
                    );
                }
                reload => {
                    taken += 1;
                    tracing::info!("SIGHUP: {difference}: it holds {reload}");
                }
            }
        }
        for (table, is_same, command) in [
            (
                "users",
                config.auth.users == self.current.auth.users,
                "users",
            ),
            ("rules", config.auth.rules == self.current.auth.rules, "acl"),
        ] {
            if !is_same {
                tracing::warn!(
                    "SIGHUP: [[{table}]] of the file are for the first start only: those that are there are changed by `ebbtide {command}` or the API"
                );
            }
        }
        tracing::info!(
            "SIGHUP: the configuration was read again: {taken} changes hold, {waiting} need a restart; certificates and keys were read again too"
        );
        self.current = config;
    }
}

fn read(reread: &Reread, has_tls: bool) -> Result<Next, ReloadError> {
    let config = reread()?;
    let files = config.tls.clone().filter(|_| has_tls);
    Ok(Next {
        tls: files.map(Prepared::read).transpose()?,
        jwt: Jwt::load(&config.auth.jwt)?,
        config,
    })
}
