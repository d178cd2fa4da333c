//! Who may use the HTTP API, once authentication is on: a key, or a token from the login, with the scope that the route needs.

pub mod keys;
pub mod login;
pub mod rules;
pub mod users;

use std::time::Duration;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use ebbtide_api::Scope;
use ebbtide_broker::{Identity, Rights, Subject};
use ebbtide_store::{
    WallTime,
    access::{KeyRow, Scopes, UserRow},
};
use sha2::{Digest, Sha256};

use super::{App, problem::Problem};
use crate::tcp::Peer;

/// A key says what it is.
const KEY_PREFIX: &str = "ebbtide_";
/// So often is looked whether what somebody has shown who still gets an answer counts.
const LOOK: Duration = Duration::from_secs(1);
/// Its last use is noted to the minute.
const USED_STEP_MS: u64 = 60_000;

/// Whoever asks, and what it may do.
#[derive(Clone, Debug)]
pub enum Caller {
    /// Nobody is asked who they are.
    Anybody,
    /// A key.
    Key(Box<KeyRow>),
    /// A user by its token, and until when that counts.
    User(Box<UserRow>, WallTime),
}

impl Caller {
    /// As which client it publishes. Rules are about users; a key is the operator's.
    pub fn identity(&self) -> Identity {
        match self {
            Self::Anybody | Self::Key(_) => Identity {
                is_trusted: true,
                ..Identity::default()
            },
            Self::User(user, _) => Identity {
                claims: user.claims.clone(),
                ..Identity::of_user(Some(user.name.clone()))
            },
        }
    }
}

impl Caller {
    /// Whether it may see what is there, and not only change it.
    pub fn may_read(&self) -> bool {
        match self {
            Self::Anybody => true,
            Self::Key(key) => has(key.scopes, Scope::Read),
            Self::User(user, _) => has(user.scopes, Scope::Read),
        }
    }

    /// What rules let it do; `None`: anything.
    pub fn rights(&self, app: &App) -> Option<Rights> {
        let Self::User(user, _) = self else {
            return None;
        };
        let subject = Subject {
            user: Some(user.name.clone()),
            claims: user.claims.clone(),
            // The connection that it publishes by gets one of its own.
            ..Subject::default()
        };
        let rules = app.surroundings.broker.get().0.rules()?;
        Some(Rights::new(subject, rules))
    }

    /// Whether what it has shown still counts: it may have been revoked, replaced or expired since.
    pub fn still_counts(&self, app: &App) -> bool {
        let is_over = |expires_at: &WallTime| *expires_at <= app.surroundings.clock.now().wall;
        !self.is_revoked(app) && !matches!(self, Self::User(_, at) if is_over(at))
    }

    /// Whether somebody has taken away what it has shown.
    pub fn is_revoked(&self, app: &App) -> bool {
        let content = app.surroundings.authenticator.directory().read();
        match self {
            Self::Anybody => false,
            Self::Key(key) => !content.keys.contains_key(&key.id),
            Self::User(user, _) => {
                let known = content.users.get(&user.name);
                let is_same = |known: &UserRow| {
                    known.changed_at == user.changed_at && known.scopes == user.scopes
                };
                !known.is_some_and(is_same)
            }
        }
    }

    /// Waits until it does not count any more.
    pub async fn ended(&self, app: &App) {
        while self.still_counts(app) {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until it is taken away.
    pub async fn revoked(&self, app: &App) {
        while !self.is_revoked(app) {
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get().cloned().ok_or_else(|| {
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "It is not known who asks.",
            )
        })
    }
}

/// The middleware of the API.
pub async fn check(State(app): State<App>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let caller = match look(&app, &parts) {
        Ok(caller) => caller,
        Err(problem) => return with_challenge(problem.into_response()),
    };
    let mut request = Request::from_parts(parts, body);
    let is_asked = !matches!(caller, Caller::Anybody);
    request.extensions_mut().insert(caller);
    let response = next.run(request).await;
    match is_asked {
        true => with_challenge(response),
        false => response,
    }
}

/// Looks again, now that the body is there too: what was shown may have been revoked since the head.
pub fn check_again(app: &App, parts: &Parts) -> Result<(), Problem> {
    look(app, parts).map(|_| ())
}

/// Who asks, if it may. If not, the log says so.
fn look(app: &App, parts: &Parts) -> Result<Caller, Problem> {
    match needed(&parts.method, parts.uri.path()) {
        Some(scope) if app.surroundings.authenticator.is_on() => {
            caller(app, &parts.headers, scope).inspect_err(|problem| complain(app, parts, problem))
        }
        _ => Ok(Caller::Anybody),
    }
}

/// Users and keys are of use, and may be set up, where somebody is asked.
fn has_to_be_on(app: &App) -> Result<(), Problem> {
    if app.surroundings.authenticator.is_on() {
        return Ok(());
    }
    let detail = "Nobody is asked who they are here: start the broker with --auth, for example --auth password.";
    Err(Problem::new(StatusCode::CONFLICT, detail))
}

/// The scope that a route needs; `None`: it asks by itself, or anybody may.
pub fn needed(method: &Method, path: &str) -> Option<Scope> {
    let path = path.strip_prefix("/api/v1/").unwrap_or_default();
    let is_below = |part: &str| path == part || path.starts_with(&format!("{part}/"));
    let is_safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    if path == "openapi.json" || is_below("login") {
        None
    } else if is_below("users") || is_below("keys") {
        Some(Scope::Admin)
    } else if is_safe || path == "rules/simulate" || path == "rules/validate" {
        Some(Scope::Read)
    } else if is_below("publish") || is_below("retained") {
        Some(Scope::Publish)
    } else {
        Some(Scope::Admin)
    }
}

fn has(scopes: Scopes, scope: Scope) -> bool {
    scopes.admin
        || match scope {
            Scope::Read => scopes.read,
            Scope::Publish => scopes.publish,
            Scope::Admin => false,
        }
}

/// Who it is, if it may do that.
fn caller(app: &App, headers: &HeaderMap, scope: Scope) -> Result<Caller, Problem> {
    let token = bearer(headers)?;
    let authenticator = &app.surroundings.authenticator;
    let (caller, scopes) = match token.strip_prefix(KEY_PREFIX) {
        Some(key) => {
            let row = by_key(app, token, key)?;
            let scopes = row.scopes;
            (Caller::Key(Box::new(row)), scopes)
        }
        None => {
            let (user, owner) = authenticator.by_own_token(token).map_err(|why| {
                Problem::new(StatusCode::UNAUTHORIZED, format!("Not let in: {why}."))
            })?;
            let scopes = user.scopes;
            (Caller::User(Box::new(user), owner.expires_at), scopes)
        }
    };
    if has(scopes, scope) {
        return Ok(caller);
    }
    let name = scope.name();
    let detail = format!("This needs the scope `{name}`, which the key or the user does not have.");
    Err(Problem::new(StatusCode::FORBIDDEN, detail))
}

/// The key that was shown, if it is one.
fn by_key(app: &App, whole: &str, key: &str) -> Result<KeyRow, Problem> {
    let refused = || {
        let detail = "Not let in: there is no such key, or it was revoked.";
        Problem::new(StatusCode::UNAUTHORIZED, detail)
    };
    let (id, _) = key.split_once('_').ok_or_else(refused)?;
    let directory = app.surroundings.authenticator.directory();
    let row = directory.read().keys.get(id).cloned();
    // The hash of something that nobody can guess: how long it takes to compare tells nothing.
    let row = row
        .filter(|row| row.hash.0 == hash(whole))
        .ok_or_else(refused)?;
    let now = app.surroundings.clock.now().wall;
    let is_noted = |at: WallTime| now.0.saturating_sub(at.0) < USED_STEP_MS;
    if !row.used_at.is_some_and(is_noted) {
        let (broker, _) = app.surroundings.broker.get();
        let used = KeyRow {
            used_at: Some(now),
            ..row.clone()
        };
        directory.note_use(&broker, used);
    }
    Ok(row)
}

fn hash(key: &str) -> Vec<u8> {
    Sha256::digest(key.as_bytes()).to_vec()
}

/// What stands behind `Authorization: Bearer`.
fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let value = headers.get(header::AUTHORIZATION);
    let value = value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    match value.split_once(' ') {
        Some((kind, token)) if kind.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "This needs `Authorization: Bearer` with a key, or with a token from POST /api/v1/login.",
        )),
    }
}

/// For 401 a client is told what to show (RFC 9110, section 11.6.1).
fn with_challenge(mut response: Response) -> Response {
    if response.status() == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Bearer");
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// One line for the operator.
fn complain(app: &App, parts: &Parts, problem: &Problem) {
    if let Some(suppressed) = app.surroundings.violations.permit() {
        let peer = parts.extensions.get::<Peer>();
        let address = peer.map(|peer| peer.remote.to_string());
        let (method, path) = (&parts.method, parts.uri.path());
        tracing::warn!(
            address,
            suppressed,
            "{method} {path} was refused: {}",
            problem.detail()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::routes::routes;

    #[test]
    fn every_route_needs_what_it_does() {
        let mut open = Vec::new();
        for (path, methods, _) in routes() {
            for method in methods.split(", ") {
                let parsed: Method = method.parse().expect("a method");
                match needed(&parsed, path) {
                    None => open.push(path),
                    Some(Scope::Read) => assert!(
                        method == "GET" || path.starts_with("/api/v1/rules/"),
                        "{method} {path}"
                    ),
                    Some(_) => {}
                }
            }
        }
        let expected = [
            "/api/v1/openapi.json",
            "/api/v1/login",
            "/api/v1/login",
            "/api/v1/login/renew",
        ];
        open.sort_unstable();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(open, expected);
        for (method, path, scope) in [
            (Method::POST, "/api/v1/publish/many", Scope::Publish),
            (Method::DELETE, "/api/v1/retained/a/b", Scope::Publish),
            (Method::GET, "/api/v1/users", Scope::Admin),
            (Method::GET, "/api/v1/keys", Scope::Admin),
            (Method::PUT, "/api/v1/rules", Scope::Admin),
            (Method::DELETE, "/api/v1/sessions/a", Scope::Admin),
            (Method::POST, "/api/v1/backup", Scope::Admin),
            (Method::GET, "/api/v1/loginx", Scope::Read),
            (Method::GET, "/metrics", Scope::Read),
        ] {
            assert_eq!(needed(&method, path), Some(scope), "{method} {path}");
        }
    }
}
