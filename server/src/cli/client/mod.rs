//! Asking a running broker over its HTTP API, one request a connection.

mod place;

use std::{io, path::PathBuf, sync::OnceLock};

use bytes::Bytes;
use clap::Args;
use ebbtide_api::{LoginRequest, LoginResponse, Password, ProblemDetails};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, Uri,
    body::Incoming,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST},
};
use serde::Serialize;

use self::place::Place;
use super::login::{PASSWORD_VARIABLE, PasswordError, password_of};
use crate::{
    config::{Config, ListenAddress},
    tls::TrustError,
};

/// Where the broker is.
#[derive(Args, Clone, Debug)]
pub struct At {
    /// The HTTP address of the running broker, for example `http://127.0.0.1:8080` or `https://broker.example`. Default: the configured
    /// one (`--http`).
    #[arg(long, value_name = "URL", env = "EBBTIDE_URL")]
    url: Option<Uri>,

    /// For https: a PEM file with the authorities that may have signed the broker's certificate. Default: those that this machine trusts.
    #[arg(long, value_name = "FILE", env = "EBBTIDE_CAFILE")]
    cafile: Option<PathBuf>,

    /// A key of its HTTP API, or a token of its login; needed once the broker asks who one is. Better given by the variable: others see
    /// the arguments of a program.
    #[arg(long, value_name = "KEY", env = "EBBTIDE_KEY", hide_env_values = true)]
    key: Option<String>,

    /// Instead of a key: the name of a user, who is logged in with the password of --password-file or EBBTIDE_PASSWORD.
    #[arg(long, value_name = "NAME")]
    login: Option<String>,

    /// A file whose first line is that user's password; `-` is standard input.
    #[arg(long, value_name = "FILE", requires = "login")]
    password_file: Option<PathBuf>,
}

/// Why a broker did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Not an address that can be asked.
    #[error(
        "{0} is no address of a broker: give --url https://HOST:PORT or --url http://HOST:PORT, the one that `ebbtide serve` prints as dashboard"
    )]
    Url(String),
    /// A user is to be logged in, and nothing says the password.
    #[error("--login {0} needs a password: give --password-file FILE, or EBBTIDE_PASSWORD")]
    NoPassword(String),
    /// What is given as a key cannot be one.
    #[error(
        "the key (--key, EBBTIDE_KEY) must be one word, as `ebbtide keys make` has printed it: it is empty, or has a blank or a line break in it"
    )]
    Key,
    /// There is none to be read.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The async runtime could not be started.
    #[error("cannot start: {0}")]
    Runtime(io::Error),
    /// Nobody answers there.
    #[error(
        "no broker answers at {url} ({why}); is it running, and is that its HTTP address (--url)?"
    )]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        why: String,
    },
    /// Whoever is there is not trusted, or does not speak TLS.
    #[error(
        "no connection to {url}: the TLS handshake failed: {why}; --cafile names the authority that has signed the broker's certificate"
    )]
    Handshake {
        /// Where.
        url: String,
        /// Why.
        why: String,
    },
    /// What --cafile says cannot be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// It has answered and refused.
    #[error("the broker refused ({status}): {detail}")]
    Refused {
        /// Of the answer.
        status: u16,
        /// What it said.
        detail: String,
    },
    /// It has answered, and standard output takes no more.
    #[error("cannot write what the broker has answered: {0}")]
    Write(io::Error),
    /// It broke off, or its answer makes no sense.
    #[error("the broker broke off: {0}")]
    BrokenOff(String),
}

impl At {
    /// The one named, or the configured one.
    pub fn resolve(self, config: &Config) -> Result<Broker, ClientError> {
        let bearer = self.bearer()?;
        let url = match self.url {
            Some(url) => url,
            None => {
                let ListenAddress(mut address) = config.http;
                if address.ip().is_unspecified() {
                    address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
                }
                let typed = format!("http://{address}");
                Uri::try_from(&typed).map_err(|_| ClientError::Url(typed))?
            }
        };
        Ok(Broker {
            place: Place::new(&url, self.cafile.as_deref())?,
            bearer,
            token: OnceLock::new(),
        })
    }

    fn bearer(&self) -> Result<Bearer, ClientError> {
        let Some(user) = &self.login else {
            return Ok(match &self.key {
                Some(key) => Bearer::Key(one_word(key)?),
                None => Bearer::Nobody,
            });
        };
        let password = match &self.password_file {
            Some(file) => password_of(file)?,
            None => std::env::var(PASSWORD_VARIABLE)
                .ok()
                .filter(|password| !password.is_empty())
                .ok_or_else(|| ClientError::NoPassword(user.clone()))?,
        };
        Ok(Bearer::User(LoginRequest {
            user: user.clone(),
            password: Password(password),
        }))
    }
}

/// A key as a header can carry it. What a file or a shell has put around it does not count.
fn one_word(key: &str) -> Result<Password, ClientError> {
    let key = key.trim();
    match !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(Password(key.to_owned())),
        false => Err(ClientError::Key),
    }
}

/// As whom one asks.
#[derive(Clone, Debug)]
enum Bearer {
    Nobody,
    Key(Password),
    User(LoginRequest),
}

/// A broker that can be asked.
#[derive(Clone, Debug)]
pub struct Broker {
    place: Place,
    bearer: Bearer,
    /// Of the login, once that has been.
    token: OnceLock<Password>,
}

impl Broker {
    /// POST with a body.
    pub async fn post(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Response<Incoming>, ClientError> {
        self.request(Method::POST, path, Some(body)).await
    }

    /// Sends a request and gives its answer, the body as yet unread.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<Response<Incoming>, ClientError> {
        let key = match &self.bearer {
            Bearer::Nobody => None,
            Bearer::Key(key) => Some(key.clone()),
            Bearer::User(login) if self.token.get().is_none() => {
                let answer = self
                    .exchange(Method::POST, "/api/v1/login", Some(login), None)
                    .await?;
                let answer = whole(answer).await?;
                let answer: LoginResponse = serde_json::from_slice(&answer)
                    .map_err(|error| ClientError::BrokenOff(error.to_string()))?;
                Some(self.token.get_or_init(|| answer.token).clone())
            }
            Bearer::User(_) => self.token.get().cloned(),
        };
        self.exchange(method, path, body, key.as_ref()).await
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        key: Option<&Password>,
    ) -> Result<Response<Incoming>, ClientError> {
        let mut sender = self.place.connect().await?;
        let body = body
            .map(|body| serde_json::to_vec(body).expect("requests of the API are plain objects"));
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.place.authority())
            .header(CONTENT_TYPE, "application/json");
        if let Some(key) = key {
            request = request.header(AUTHORIZATION, format!("Bearer {}", key.0));
        }
        let request = request
            .body(Full::new(Bytes::from(body.unwrap_or_default())))
            .map_err(|error| ClientError::BrokenOff(error.to_string()))?;
        let response = sender.send_request(request).await.map_err(|error| {
            ClientError::BrokenOff(match error.is_parse() {
                true => "what it says is no HTTP; is it https:// there?".to_owned(),
                false => error.to_string(),
            })
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let body = whole(response).await?;
        let detail = match serde_json::from_slice::<ProblemDetails>(&body) {
            Ok(problem) => problem.detail,
            Err(_) => "it gave no reason; is this an ebbtide of this version?".to_owned(),
        };
        Err(ClientError::Refused { status, detail })
    }
}

/// The whole body of an answer.
pub async fn whole(response: Response<Incoming>) -> Result<Bytes, ClientError> {
    let body = response.into_body().collect().await;
    let body = body.map_err(|error| ClientError::BrokenOff(error.to_string()))?;
    Ok(body.to_bytes())
}

/// Runs one exchange.
pub fn run<T>(exchange: impl Future<Output = T>) -> Result<T, ClientError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ClientError::Runtime)?;
    Ok(runtime.block_on(exchange))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cli, config::Config};

    fn resolve(url: Option<&str>, http: &str) -> Result<String, ClientError> {
        let options = cli::parse(["--http", http, "--allow-anonymous"]).expect("valid flags");
        let config = Config::resolve(options).expect("valid");
        let at = At {
            url: url.map(|url| url.parse().expect("a URI")),
            cafile: None,
            key: None,
            login: None,
            password_file: None,
        };
        at.resolve(&config).map(|broker| broker.place.url())
    }

    #[test]
    fn the_address_is_the_one_named_or_the_configured_one() {
        for (url, http, expected) in [
            (None, "127.0.0.1:81", "http://127.0.0.1:81"),
            (None, "0.0.0.0:81", "http://127.0.0.1:81"),
            (Some("http://a:82/"), "127.0.0.1:81", "http://a:82"),
        ] {
            assert_eq!(resolve(url, http).expect("an address"), expected);
        }
    }

    #[test]
    fn a_key_is_one_word() {
        for (given, expected) in [("abc.d_e-f", Some("abc.d_e-f")), ("abc\n", Some("abc"))] {
            let key = one_word(given).ok().map(|key| key.0);
            assert_eq!(key.as_deref(), expected, "{given:?}");
        }
        for given in ["", " ", "a b", "a\nb", "ä"] {
            assert!(one_word(given).is_err(), "{given:?}");
        }
    }

    #[test]
    fn a_free_port_is_no_address() {
        let free = resolve(None, "127.0.0.1:0");
        assert!(free.is_err(), "a free port: which one is not known");
    }
}
