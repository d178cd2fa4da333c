//! Asking a running broker over its HTTP API, one request a connection.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use bytes::Bytes;
use clap::Args;
use ebbtide_api::{LoginRequest, LoginResponse, Password, ProblemDetails};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, Uri,
    body::Incoming,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::TcpStream;

use crate::config::{Config, ListenAddress};

/// Where the broker is.
#[derive(Args, Clone, Debug)]
pub struct At {
    /// The HTTP address of the running broker, for example `http://127.0.0.1:8080`. Default: the configured one (`--http`).
    #[arg(long, value_name = "URL", env = "EBBTIDE_URL")]
    url: Option<Uri>,

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

/// The password where --password-file does not name one; `ebbtide pub` and `ebbtide sub` define it.
const PASSWORD_VARIABLE: &str = "EBBTIDE_PASSWORD";
/// A file with a password or a token is not longer.
const PASSWORD_FILE_BYTES_MAX: u64 = 64 * 1024;

/// Why a broker did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Not an address that can be asked.
    #[error(
        "{0} is no address of a broker: give --url http://HOST:PORT, the one that `ebbtide serve` prints as dashboard"
    )]
    Url(String),
    /// A user is to be logged in, and nothing says the password.
    #[error("--login {0} needs a password: give --password-file FILE, or EBBTIDE_PASSWORD")]
    NoPassword(String),
    /// There is none to be read.
    #[error("cannot read --password-file {}: {why}", .file.display())]
    Password {
        /// Where.
        file: PathBuf,
        /// Why not.
        why: String,
    },
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
    /// It has answered and refused.
    #[error("the broker refused ({status}): {detail}")]
    Refused {
        /// Of the answer.
        status: u16,
        /// What it said.
        detail: String,
    },
    /// It broke off, or its answer makes no sense.
    #[error("the broker broke off: {0}")]
    BrokenOff(String),
}

impl At {
    /// The one named, or the configured one.
    pub fn resolve(self, config: &Config) -> Result<Broker, ClientError> {
        let bearer = self.bearer()?;
        let (url, typed) = match self.url {
            Some(url) => (url.clone(), url.to_string()),
            None => {
                let ListenAddress(mut address) = config.http;
                if address.ip().is_unspecified() {
                    address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
                }
                let typed = format!("http://{address}");
                let url = Uri::try_from(&typed).map_err(|_| ClientError::Url(typed.clone()))?;
                (url, typed)
            }
        };
        let host = url
            .host()
            .map(|host| host.trim_matches(['[', ']']).to_owned());
        match (url.scheme_str(), host, url.port_u16().unwrap_or(80)) {
            (Some("http"), Some(host), port @ 1..) if matches!(url.path(), "" | "/") => {
                Ok(Broker {
                    authority: url
                        .authority()
                        .map_or_else(String::new, ToString::to_string),
                    host,
                    port,
                    bearer,
                    token: OnceLock::new(),
                })
            }
            _ => Err(ClientError::Url(typed)),
        }
    }

    fn bearer(&self) -> Result<Bearer, ClientError> {
        let Some(user) = &self.login else {
            return Ok(match &self.key {
                Some(key) => Bearer::Key(Password(key.clone())),
                None => Bearer::Nobody,
            });
        };
        let password = match &self.password_file {
            Some(file) => first_line(file).map_err(|why| ClientError::Password {
                file: file.clone(),
                why,
            })?,
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
    authority: String,
    host: String,
    port: u16,
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
        let unreachable = |why: String| ClientError::Unreachable {
            url: format!("http://{}", self.authority),
            why,
        };
        let stream = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|error| unreachable(error.to_string()))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| unreachable(error.to_string()))?;
        // Ends with the last of sender and body; its errors reach them.
        tokio::spawn(connection);
        let body = body
            .map(|body| serde_json::to_vec(body).expect("requests of the API are plain objects"));
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.authority)
            .header(CONTENT_TYPE, "application/json");
        if let Some(key) = key {
            request = request.header(AUTHORIZATION, format!("Bearer {}", key.0));
        }
        let request = request
            .body(Full::new(Bytes::from(body.unwrap_or_default())))
            .map_err(|error| unreachable(error.to_string()))?;
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| ClientError::BrokenOff(error.to_string()))?;
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

/// What a file (or standard input, `-`) has as a password: its first line.
pub fn first_line(file: &Path) -> Result<String, String> {
    let mut text = String::new();
    let read = if file.as_os_str() == "-" {
        io::stdin()
            .lock()
            .take(PASSWORD_FILE_BYTES_MAX)
            .read_to_string(&mut text)
    } else {
        let opened = std::fs::File::open(file);
        opened.and_then(|file| file.take(PASSWORD_FILE_BYTES_MAX).read_to_string(&mut text))
    };
    read.map_err(|error| error.to_string())?;
    match text.lines().next().unwrap_or_default() {
        "" => Err("its first line is empty".to_owned()),
        password => Ok(password.to_owned()),
    }
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

    fn resolve(url: Option<&str>, http: &str) -> Result<Broker, ClientError> {
        let options = cli::parse(["--http", http, "--allow-anonymous"]).expect("valid flags");
        let config = Config::resolve(options).expect("valid");
        let url = url.map(|url| url.parse().expect("a URI"));
        At {
            url,
            key: None,
            login: None,
            password_file: None,
        }
        .resolve(&config)
    }

    #[test]
    fn the_address_is_the_one_named_or_the_configured_one() {
        let at = |url, http| {
            resolve(url, http)
                .map(|broker| (broker.host, broker.port))
                .ok()
        };
        let is = |host: &str, port| Some((host.to_owned(), port));
        assert_eq!(at(None, "127.0.0.1:81"), is("127.0.0.1", 81));
        assert_eq!(at(None, "0.0.0.0:81"), is("127.0.0.1", 81));
        assert_eq!(at(Some("http://[::1]:82/"), "127.0.0.1:81"), is("::1", 82));
        assert_eq!(
            at(Some("http://broker.example"), "127.0.0.1:81"),
            is("broker.example", 80)
        );
        assert_eq!(
            at(None, "127.0.0.1:0"),
            None,
            "a free port: which one is not known"
        );
        for strange in [
            "https://broker.example",
            "mqtt://a:1",
            "a:1",
            "http://a:1/api",
        ] {
            let error = resolve(Some(strange), "127.0.0.1:81").expect_err(strange);
            assert!(
                error.to_string().contains("--url http://HOST:PORT"),
                "{error}"
            );
        }
    }
}
