//! Who may ask at all: the `Host` must be one of ours (against DNS rebinding), the `Origin` our own or an allowed one, and
//! what changes something comes as JSON, which no foreign form can send.
//!
//! A browser sends `Origin` with every handshake of a WebSocket. One of MQTT without it is no page's, and may call this machine by any name.

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::{
    extract::State,
    http::{HeaderMap, Method, Request, StatusCode, header},
    middleware::Next,
    response::Response,
};

use super::{App, WEB_SOCKET, problem::Problem};
use crate::{
    config::{Config, HostName, Origin},
    tcp::Peer,
};

/// What is allowed beside the obvious.
#[derive(Debug)]
pub struct Guard(ArcSwap<Allowed>);

#[derive(Debug)]
struct Allowed {
    hosts: Vec<HostName>,
    origins: Vec<Origin>,
}

impl Allowed {
    fn new(config: &Config) -> Self {
        Self {
            hosts: config.allow_host.clone(),
            origins: config.allow_origin.clone(),
        }
    }
}

impl Guard {
    pub fn new(config: &Config) -> Self {
        Self(ArcSwap::from_pointee(Allowed::new(config)))
    }

    /// Whether somebody may ask this.
    ///
    /// # Errors
    /// The answer that says why not.
    pub fn check<B>(&self, request: &Request<B>, peer: Option<&Peer>) -> Result<(), Problem> {
        self.0.load().check(request, peer)
    }

    /// From now on this is allowed.
    pub fn set(&self, config: &Config) {
        self.0.store(Arc::new(Allowed::new(config)));
    }
}

impl Allowed {
    fn check<B>(&self, request: &Request<B>, peer: Option<&Peer>) -> Result<(), Problem> {
        let authority = authority(request);
        let host = authority.and_then(HostName::of_authority).ok_or_else(|| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "The request needs one valid Host header.",
            )
        })?;
        let is_upgrade = request.headers().contains_key(header::UPGRADE);
        let origin = request.headers().get(header::ORIGIN);
        let is_native = is_upgrade
            && origin.is_none()
            && request.method() == Method::GET
            && request.uri().path() == WEB_SOCKET;
        if !is_native && !self.knows(&host, peer) {
            let detail = format!(
                "This broker does not answer to the host name `{host}`. If it is yours, start it with --allow-host {host}."
            );
            return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail));
        }
        let is_safe = matches!(
            *request.method(),
            Method::GET | Method::HEAD | Method::OPTIONS
        );
        if (!is_safe || is_upgrade)
            && let Some(origin) = origin
        {
            let origin = origin.to_str().unwrap_or_default().to_ascii_lowercase();
            if !self.allows(&origin, authority.unwrap_or_default()) {
                let detail = format!(
                    "Pages of {origin} may not use this broker. If they are yours, start it with --allow-origin {origin}."
                );
                return Err(Problem::new(StatusCode::FORBIDDEN, detail));
            }
        }
        if !is_safe && request.uri().path().starts_with("/api/") && !is_json(request.headers()) {
            let detail =
                "What changes something has to come with `content-type: application/json`.";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        Ok(())
    }

    /// Loopback names, the address that the client has reached, and what is configured.
    fn knows(&self, host: &HostName, peer: Option<&Peer>) -> bool {
        let is_local_name = host.as_str() == "localhost" || host.as_str().ends_with(".localhost");
        let is_local = is_local_name || host.ip().is_some_and(|ip| ip.to_canonical().is_loopback());
        let is_reached = peer.is_some_and(|peer| {
            host.ip().map(|ip| ip.to_canonical()) == Some(peer.local.ip().to_canonical())
        });
        is_local || is_reached || self.hosts.contains(host)
    }

    /// Same-origin: the page came from the authority that it now talks to.
    fn allows(&self, origin: &str, authority: &str) -> bool {
        let is_own = ["http://", "https://"].iter().any(|scheme| {
            origin
                .strip_prefix(scheme)
                .is_some_and(|rest| rest.eq_ignore_ascii_case(authority))
        });
        is_own
            || self.origins.iter().any(|allowed| match allowed {
                Origin::Any => true,
                Origin::Exactly(allowed) => allowed == origin,
            })
    }
}

/// The middleware.
pub async fn check(
    State(app): State<App>,
    request: axum::extract::Request,
    next: Next,
) -> Result<Response, Problem> {
    app.guard.check(&request, request.extensions().get())?;
    Ok(next.run(request).await)
}

fn authority<B>(request: &Request<B>) -> Option<&str> {
    match request.uri().authority() {
        Some(authority) => Some(authority.as_str()),
        None => {
            // One and no more (RFC 9112, section 3.2): a proxy may have looked at another than we do.
            let mut hosts = request.headers().get_all(header::HOST).iter();
            let host = hosts.next()?.to_str().ok();
            host.filter(|_| hosts.next().is_none())
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    content_type
        .split(';')
        .next()
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed() -> Allowed {
        Allowed {
            hosts: vec!["broker.example".parse().expect("a host")],
            origins: vec!["https://app.example".parse().expect("an origin")],
        }
    }

    fn status(method: &str, path: &str, headers: &[(&str, &str)]) -> Option<StatusCode> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).expect("a request");
        let local = "10.0.0.7:8080".parse().expect("an address");
        let peer = Peer {
            remote: local,
            local,
            is_encrypted: false,
        };
        allowed()
            .check(&request, Some(&peer))
            .err()
            .map(|problem| problem.status())
    }

    #[test]
    fn hosts() {
        for known in [
            "localhost:8080",
            "127.0.0.1",
            "[::1]:9",
            "app.localhost",
            "10.0.0.7:1",
            "Broker.Example",
        ] {
            assert_eq!(status("GET", "/", &[("host", known)]), None, "{known}");
        }
        for strange in ["evil.example", "10.0.0.8", "localhost.evil.example"] {
            let found = status("GET", "/", &[("host", strange)]);
            assert_eq!(found, Some(StatusCode::MISDIRECTED_REQUEST), "{strange}");
        }
        assert_eq!(status("GET", "/", &[]), Some(StatusCode::BAD_REQUEST));
        let two = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(status("GET", "/", &two), Some(StatusCode::BAD_REQUEST));
    }

    #[test]
    fn origins() {
        let upgrade = |origin: &str| {
            status(
                "GET",
                "/mqtt",
                &[
                    ("host", "localhost:8080"),
                    ("upgrade", "websocket"),
                    ("origin", origin),
                ],
            )
        };
        assert_eq!(upgrade("http://localhost:8080"), None);
        assert_eq!(
            upgrade("https://localhost:8080"),
            None,
            "behind a proxy that ends TLS"
        );
        assert_eq!(upgrade("https://app.example"), None);
        for strange in [
            "http://localhost:9090",
            "https://evil.example",
            "null",
            "http://localhost:8080.evil.example",
        ] {
            assert_eq!(upgrade(strange), Some(StatusCode::FORBIDDEN), "{strange}");
        }
        let native = status(
            "GET",
            "/mqtt",
            &[("host", "localhost:8080"), ("upgrade", "websocket")],
        );
        assert_eq!(native, None, "no Origin: not a browser");
    }

    #[test]
    fn a_web_socket_that_is_no_pages_may_call_this_machine_by_any_name() {
        let asked = |method: &str, path: &str, headers: &[(&str, &str)]| {
            let host = ("host", "broker:8080");
            status(method, path, &[&[host], headers].concat())
        };
        let upgrade = ("upgrade", "websocket");
        let misdirected = Some(StatusCode::MISDIRECTED_REQUEST);
        assert_eq!(asked("GET", "/mqtt", &[upgrade]), None);
        // A page by a name that was bound to this address: it says where it is from.
        for origin in ["http://broker:8080", "null", ""] {
            let found = asked("GET", "/mqtt", &[upgrade, ("origin", origin)]);
            assert_eq!(found, misdirected, "{origin:?}");
        }
        assert_eq!(asked("GET", "/mqtt", &[]), misdirected);
        assert_eq!(asked("GET", "/", &[upgrade]), misdirected);
        assert_eq!(asked("GET", "/api/v1/stats", &[upgrade]), misdirected);
        assert_eq!(asked("POST", "/mqtt", &[upgrade]), misdirected);
        let nameless = status("GET", "/mqtt", &[upgrade]);
        assert_eq!(nameless, Some(StatusCode::BAD_REQUEST));
    }

    #[test]
    fn changes_come_as_json() {
        let post = |content_type: &str| {
            status(
                "POST",
                "/api/v1/publish",
                &[("host", "localhost"), ("content-type", content_type)],
            )
        };
        assert_eq!(post("application/json; charset=utf-8"), None);
        for other in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/jsonp",
        ] {
            assert_eq!(
                post(other),
                Some(StatusCode::UNSUPPORTED_MEDIA_TYPE),
                "{other}"
            );
        }
        let bare = status("POST", "/api/v1/publish", &[("host", "localhost")]);
        assert_eq!(bare, Some(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
}
