//! What a request says: path, query and body, each with an answer that tells what is wrong with it.
//!
//! Who asks is known by the head of a request. Its body has to come soon after, and when it is there it is looked again whether who asks
//! may still do so: a key may have been revoked meanwhile. How much all bodies take together is in `bodies`.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{StatusCode, request::Parts},
};
use ebbtide_api::Object;
use serde::de::DeserializeOwned;

use super::{
    App, access,
    bodies::{Held, LARGE_BYTES, read},
    problem::Problem,
};

/// The largest body, bytes: the largest payload in base64, and some more.
const BODY_BYTES_MAX: usize = 24 * 1024 * 1024;
/// How long a body may take.
const BODY_DEADLINE: Duration = Duration::from_secs(60);
/// The same of somebody who is not known yet: a name and a password, each character escaped, fit.
const STRANGER_BYTES_MAX: usize = 16 * 1024;
/// How long that may take.
const STRANGER_DEADLINE: Duration = Duration::from_secs(10);

/// The variable part of the path, decoded.
pub struct InPath<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for InPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(rejection) => Err(bad(rejection.body_text())),
        }
    }
}

/// The query.
pub struct InQuery<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for InQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(bad(rejection.body_text())),
        }
    }
}

/// The body of somebody who may ask, by its end as by its head. The room that it takes is given back when the request is answered.
pub struct InBody<T>(pub T, pub Held);

impl<T: DeserializeOwned + Send + 'static> FromRequest<App> for InBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let unparsed = Unparsed::<BODY_BYTES_MAX>::from_request(request, app).await?;
        let (value, held) = match unparsed.bytes.len() > LARGE_BYTES {
            false => unparsed.parse()?,
            // Not in a thread that others wait for.
            true => apart(move || unparsed.parse()).await??,
        };
        Ok(Self(value, held))
    }
}

/// The same, for whom it has to wait until it is parsed: it takes a multiple of its bytes then.
pub struct Unparsed<const BYTES_MAX: usize> {
    parts: Parts,
    bytes: Bytes,
    held: Held,
}

impl<const BYTES_MAX: usize> FromRequest<App> for Unparsed<BYTES_MAX> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let room = app
            .bodies
            .room(access::needed(&parts.method, parts.uri.path()));
        let (bytes, held) = read(body, BYTES_MAX, BODY_DEADLINE, Some(room)).await?;
        let unparsed = Self { parts, bytes, held };
        unparsed.check_again(app)?;
        Ok(unparsed)
    }
}

impl<const BYTES_MAX: usize> Unparsed<BYTES_MAX> {
    /// Looks again whether who asks may still do so.
    pub fn check_again(&self, app: &App) -> Result<(), Problem> {
        access::check_again(app, &self.parts)
    }

    /// What it says, and the room that it takes.
    pub fn parse<T: DeserializeOwned>(self) -> Result<(T, Held), Problem> {
        Ok((parse(&self.bytes)?, self.held))
    }
}

/// The body of somebody who is not known yet: it is small, and comes soon.
pub async fn json_of_stranger<T: DeserializeOwned>(request: Request) -> Result<T, Problem> {
    let body = request.into_body();
    let (bytes, _) = read(body, STRANGER_BYTES_MAX, STRANGER_DEADLINE, None).await?;
    parse(&bytes)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let Object(value) =
        serde_json::from_slice(body).map_err(|error| bad(format!("body: {error}")))?;
    Ok(value)
}

/// Work that takes long, in a thread where nobody else waits for it.
pub async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| {
        let detail = format!("It was not done: {error}.");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    })
}

/// A number that may not be given, within bounds.
pub fn within(
    name: &str,
    given: Option<usize>,
    default: usize,
    bounds: std::ops::RangeInclusive<usize>,
) -> Result<usize, Problem> {
    let value = given.unwrap_or(default);
    if bounds.contains(&value) {
        return Ok(value);
    }
    let (least, most) = bounds.into_inner();
    Err(bad(format!("{name}: {least} to {most}")))
}

/// The request cannot be understood, or must not be like this.
pub fn bad(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use ebbtide_api::LoginRequest;

    use super::*;

    /// Each connection of a stranger holds no more than it has to, and not for long.
    #[tokio::test]
    async fn the_body_of_a_stranger_is_small_and_comes_soon() {
        let login = async |password: String| {
            let text = format!(r#"{{"user": "ann", "password": "{password}"}}"#);
            let read = json_of_stranger::<LoginRequest>(Request::new(Body::from(text))).await;
            read.err().map(|problem| problem.status())
        };
        assert_eq!(login("p".repeat(1024)).await, None);
        assert_eq!(login("\\u0001".repeat(1024)).await, None);
        let large = login("p".repeat(STRANGER_BYTES_MAX)).await;
        assert_eq!(large, Some(StatusCode::PAYLOAD_TOO_LARGE));
    }
}
