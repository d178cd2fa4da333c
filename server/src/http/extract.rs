//! What a request says: path, query and body, each with an answer that tells what is wrong with it.

use axum::{
    body::to_bytes,
    extract::{FromRequestParts, Path, Query, Request},
    http::{StatusCode, request::Parts},
};
use ebbtide_api::Object;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// The largest body, bytes: the largest payload in base64, and some more.
const BODY_BYTES_MAX: usize = 24 * 1024 * 1024;

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
    let body = to_bytes(request.into_body(), BODY_BYTES_MAX)
        .await
        .map_err(|_| {
            let detail = format!("The body has more than {BODY_BYTES_MAX} bytes.");
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
