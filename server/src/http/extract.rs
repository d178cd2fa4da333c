//! What a request says: path, query and body, each with an answer that tells what is wrong with it.
//!
//! Who asks is known by the head of a request. Its body has to come soon after, and when it is there it is looked again whether who asks
//! may still do so: a key may have been revoked meanwhile.

use std::time::Duration;

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{StatusCode, request::Parts},
};
use ebbtide_api::Object;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::{App, access, problem::Problem};

/// The largest body, bytes: the largest payload in base64, and some more.
const BODY_BYTES_MAX: usize = 24 * 1024 * 1024;
/// How long a body may take.
const BODY_DEADLINE: Duration = Duration::from_secs(60);
/// What is larger is not parsed in a thread that others wait for, bytes.
const PARSED_AT_ONCE_BYTES_MAX: usize = 64 * 1024;
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

/// The body of somebody who may ask, by its end as by its head.
pub struct InBody<T, const BYTES_MAX: usize = BODY_BYTES_MAX>(pub T);

impl<T, const BYTES_MAX: usize> FromRequest<App> for InBody<T, BYTES_MAX>
where
    T: DeserializeOwned + Send + 'static,
{
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let body = read(body, BYTES_MAX, BODY_DEADLINE).await?;
        access::check_again(app, &parts)?;
        let value = match body.len() > PARSED_AT_ONCE_BYTES_MAX {
            false => parse(&body)?,
            true => apart(move || parse(&body)).await??,
        };
        Ok(Self(value))
    }
}

/// The body of somebody who is not known yet: it is small, and comes soon.
pub async fn json_of_stranger<T: DeserializeOwned>(request: Request) -> Result<T, Problem> {
    parse(&read(request.into_body(), STRANGER_BYTES_MAX, STRANGER_DEADLINE).await?)
}

async fn read(body: Body, bytes_max: usize, deadline: Duration) -> Result<Bytes, Problem> {
    let read = timeout(deadline, to_bytes(body, bytes_max)).await;
    let read = read.map_err(|_| {
        let seconds = deadline.as_secs();
        let detail = format!("The body did not come in time: it may take {seconds} seconds.");
        Problem::new(StatusCode::REQUEST_TIMEOUT, detail)
    })?;
    read.map_err(|_| {
        let detail = format!("The body has more than {bytes_max} bytes.");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    })
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
    use ebbtide_api::LoginRequest;
    use futures_util::stream;

    use super::*;

    fn stalled() -> Body {
        Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>())
    }

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

    /// However little of it is missing.
    #[tokio::test]
    async fn a_body_that_does_not_come_in_time_is_not_waited_for() {
        let late = read(stalled(), BODY_BYTES_MAX, Duration::from_millis(1)).await;
        let late = late.expect_err("it never comes");
        assert_eq!(late.status(), StatusCode::REQUEST_TIMEOUT);
    }
}
