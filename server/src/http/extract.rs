//! What a request says: path, query and body, each with an answer that tells what is wrong with it.

use std::time::Duration;

use axum::{
    body::to_bytes,
    extract::{FromRequestParts, Path, Query, Request},
    http::{StatusCode, request::Parts},
};
use ebbtide_api::Object;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::problem::Problem;

/// The largest body, bytes: the largest payload in base64, and some more.
const BODY_BYTES_MAX: usize = 24 * 1024 * 1024;
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

/// The body.
pub async fn json<T: DeserializeOwned>(request: Request) -> Result<T, Problem> {
    read(request, BODY_BYTES_MAX).await
}

/// The body of somebody who is not known yet: it is small, and comes soon.
pub async fn json_of_stranger<T: DeserializeOwned>(request: Request) -> Result<T, Problem> {
    soon(request, STRANGER_DEADLINE).await
}

async fn soon<T: DeserializeOwned>(request: Request, deadline: Duration) -> Result<T, Problem> {
    let read = timeout(deadline, read(request, STRANGER_BYTES_MAX)).await;
    read.unwrap_or_else(|_| {
        let detail = "The body did not come in time.";
        Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail))
    })
}

async fn read<T: DeserializeOwned>(request: Request, bytes_max: usize) -> Result<T, Problem> {
    let body = to_bytes(request.into_body(), bytes_max)
        .await
        .map_err(|_| {
            let detail = format!("The body has more than {bytes_max} bytes.");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
        })?;
    let Object(value) =
        serde_json::from_slice(&body).map_err(|error| bad(format!("body: {error}")))?;
    Ok(value)
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
    use axum::body::{Body, Bytes};
    use ebbtide_api::LoginRequest;
    use futures_util::stream;

    use super::*;

    async fn status(body: Body, deadline: Duration) -> Option<StatusCode> {
        let read = soon::<LoginRequest>(Request::new(body), deadline).await;
        read.err().map(|problem| problem.status())
    }

    /// Each connection of a stranger holds no more than it has to, and not for long.
    #[tokio::test]
    async fn the_body_of_a_stranger_is_small_and_comes_soon() {
        let login = |password: String| {
            let text = format!(r#"{{"user": "ann", "password": "{password}"}}"#);
            status(Body::from(text), STRANGER_DEADLINE)
        };
        assert_eq!(login("p".repeat(1024)).await, None);
        assert_eq!(login("\\u0001".repeat(1024)).await, None);
        let large = login("p".repeat(STRANGER_BYTES_MAX)).await;
        assert_eq!(large, Some(StatusCode::PAYLOAD_TOO_LARGE));
        let stalled = stream::pending::<Result<Bytes, std::io::Error>>();
        let late = status(Body::from_stream(stalled), Duration::from_millis(1)).await;
        assert_eq!(late, Some(StatusCode::REQUEST_TIMEOUT));
    }
}
