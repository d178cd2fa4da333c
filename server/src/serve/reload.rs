//! SIGHUP: the file is read again, and what can change while the broker runs does. Nobody is disconnected.
//!
//! Everything that can go wrong is done before anything changes: a file, a certificate or a key that cannot be used leaves all as it
//! is, and so does a file that cannot be used together with what holds until a restart. The log says what has changed, and what waits.

use std::sync::Arc;

use clap::CommandFactory;

use crate::{
    auth::{Authenticator, Jwt, SetUpError},
    cli::Cli,
    config::{Config, ConfigError, Method, Reload, differences},
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
    /// What holds.
    pub holds: Config,
    /// What was read last: some of it may wait for a restart.
    pub file: Config,
}

/// Why all stays as it is.
#[derive(Debug, thiserror::Error)]
enum ReloadError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(
        "what needs a restart holds until there was one, and with that the file cannot be used: {0}"
    )]
    Together(ConfigError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Auth(#[from] SetUpError),
}

/// All that was read, and can be used.
struct Next {
    /// What will hold.
    then: Config,
    file: Config,
    tls: Option<Prepared>,
    /// `None`: those that are there stay.
    jwt: Option<Jwt>,
}

impl Running {
    /// Reads everything again.
    pub async fn reload(&mut self) {
        let (reread, tls) = (Arc::clone(&self.reread), self.tls.clone());
        let holds = self.holds.clone();
        let read = tokio::task::spawn_blocking(move || read(&reread, &holds, tls.as_ref()));
        match read.await {
            Ok(Ok(next)) => self.apply(next),
            Ok(Err(error)) => tracing::error!(
                "SIGHUP: the configuration was not read again, and everything goes on as it was: {error}"
            ),
            Err(error) => tracing::error!(%error, "SIGHUP: the configuration was not read again"),
        }
    }

    fn apply(&mut self, next: Next) {
        let Next {
            then,
            file,
            tls,
            jwt,
        } = next;
        let found = differences(&self.holds, &then, &file, &Cli::command());
        // First, so that the lines below are written by it.
        self.filter.set(&then.log);
        if let (Some(running), Some(prepared)) = (&self.tls, tls) {
            running.set(prepared);
        }
        let has_keys = then.auth.methods.contains(&Method::Jwt);
        let keys = match (has_keys, jwt.is_some()) {
            (true, true) => "certificates and keys were read again too",
            (true, false) => {
                "certificates were read again too, and the keys of [[jwt]] stay as they are, for `jwt` in `auth` holds until a restart"
            }
            (false, _) if file.auth.jwt.is_empty() => "certificates were read again too",
            (false, _) => {
                "certificates were read again too, and the keys of [[jwt]] can be used, but wait as `jwt` in `auth` does"
            }
        };
        if let Some(jwt) = jwt {
            self.authenticator.set_jwt(jwt);
        }
        self.proxies.set(&then);
        self.web.set_config(&then, &file);
        self.broker.set_limits(then.limits.clone());
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
            ("users", file.auth.users == self.file.auth.users, "users"),
            ("rules", file.auth.rules == self.file.auth.rules, "acl"),
        ] {
            if !is_same {
                tracing::warn!(
                    "SIGHUP: [[{table}]] of the file are for the first start only: those that are there are changed by `ebbtide {command}` or the API"
                );
            }
        }
        tracing::info!(
            "SIGHUP: the configuration was read again: {taken} changes hold, {waiting} need a restart; {keys}"
        );
        (self.holds, self.file) = (then, file);
    }
}

fn read(reread: &Reread, holds: &Config, running: Option<&Tls>) -> Result<Next, ReloadError> {
    let file = reread()?;
    let then = holds.then(&file).map_err(ReloadError::Together)?;
    // What the file does not name any more may be gone: what was read of it goes on.
    let tls = match (running, &file.tls, &then.tls) {
        (Some(running), Some(named), Some(files)) => {
            let files = files.clone();
            let stay = named.client_authorities.is_none() && files.client_authorities.is_some();
            Some(match stay {
                true => running.prepare_for_the_same_clients(files)?,
                false => Prepared::read(files)?,
            })
        }
        _ => None,
    };
    // Those that wait for a restart were tried with the rest of the file.
    let has_keys = [&file, &then].map(|config| config.auth.methods.contains(&Method::Jwt));
    let jwt = (has_keys == [true, true]).then(|| Jwt::load(&then.auth.jwt));
    Ok(Next {
        tls,
        jwt: jwt.transpose()?,
        then,
        file,
    })
}
