//! `/api/v1`: the routes of the HTTP API. Its types are in the crate `ebbtide-api`.

use std::sync::Arc;

use axum::{
    Json,
    body::to_bytes,
    extract::{Request, State},
    http::{HeaderName, StatusCode, header},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use ebbtide_api::{PublishRequest, PublishResponse};
use ebbtide_protocol::{QoS, TopicName};
use ebbtide_store::redb::RedbStore;
use serde::de::DeserializeOwned;

use super::{App, problem::Problem, publish};

/// The largest body, bytes: the largest payload in base64, and some more.
const BODY_BYTES_MAX: usize = 24 * 1024 * 1024;

/// Publishes one message; answered when it is as safe as a PUBACK says, or with QoS 0 at once.
pub async fn publish(
    State(app): State<App>,
    request: Request,
) -> Result<Json<PublishResponse>, Problem> {
    let bad = |detail: String| Problem::new(StatusCode::BAD_REQUEST, detail);
    let asked: PublishRequest = json(request).await?;
    let topic = TopicName::new(asked.topic).map_err(|error| bad(format!("topic: {error}")))?;
    let payload = match (asked.payload, asked.payload_base64) {
        (Some(text), None) => Bytes::from(text),
        (None, Some(encoded)) => STANDARD
            .decode(encoded)
            .map(Bytes::from)
            .map_err(|error| bad(format!("payload_base64: {error}")))?,
        (None, None) => Bytes::new(),
        (Some(_), Some(_)) => return Err(bad("Give either payload or payload_base64.".into())),
    };
    let qos = QoS::from_bits(asked.qos).ok_or_else(|| bad("qos: 0, 1 or 2".into()))?;
    let reason = publish::once(&app.surroundings, topic, payload, qos, asked.retain).await?;
    Ok(Json(PublishResponse {
        reason_code: reason as u8,
        reason: reason.name().to_owned(),
    }))
}

/// The body of a request.
pub async fn json<T: DeserializeOwned>(request: Request) -> Result<T, Problem> {
    let body = to_bytes(request.into_body(), BODY_BYTES_MAX)
        .await
        .map_err(|error| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()))?;
    serde_json::from_slice(&body)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()))
}

/// The file that the broker keeps everything in.
pub fn file(app: &App) -> Result<Arc<RedbStore>, Problem> {
    match app.surroundings.broker.get().1.file() {
        Ok(Some(file)) => Ok(file),
        Ok(None) => Err(Problem::new(
            StatusCode::CONFLICT,
            "This broker keeps everything in memory only (--ephemeral): it has no file.",
        )),
        Err(_) => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "The store does not work now; try again later.",
        )),
    }
}

/// Everything else below `/api`.
pub async fn unknown() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "There is no such route; the API has POST /api/v1/publish, /api/v1/backup and /api/v1/compact, and GET \
         /api/v1/sessions and /api/v1/sessions/{client id}.",
    )
}

type NotAllowed = ([(HeaderName, &'static str); 1], Problem);

/// Another method than POST on a route.
pub async fn wrong_method() -> NotAllowed {
    not_allowed("POST", "This route takes POST only.")
}

/// Another method than GET on a route.
pub async fn wrong_method_for_reading() -> NotAllowed {
    not_allowed("GET", "This route takes GET only.")
}

fn not_allowed(allowed: &'static str, detail: &'static str) -> NotAllowed {
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail);
    ([(header::ALLOW, allowed)], problem)
}

#[cfg(test)]
mod tests {
    use axum::{
        Router,
        body::Body,
        http::Method,
        response::Response,
        routing::{any, post},
    };
    use tower::ServiceExt;

    use super::*;

    async fn ask(method: Method, path: &str) -> Response {
        let router: Router = Router::new()
            .route("/api/v1/publish", post(|| async {}).fallback(wrong_method))
            .route("/api/{*path}", any(unknown));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(Body::empty())
            .expect("a request");
        match router.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    #[tokio::test]
    async fn what_is_not_there_is_a_problem_as_well() {
        for (method, path, status) in [
            (
                Method::GET,
                "/api/v1/publish",
                StatusCode::METHOD_NOT_ALLOWED,
            ),
            (
                Method::DELETE,
                "/api/v1/publish",
                StatusCode::METHOD_NOT_ALLOWED,
            ),
            (Method::GET, "/api/v2", StatusCode::NOT_FOUND),
        ] {
            let response = ask(method, path).await;
            assert_eq!(response.status(), status);
            let kind = response.headers().get(header::CONTENT_TYPE);
            assert_eq!(
                kind.map(|kind| kind.as_bytes()),
                Some("application/problem+json".as_bytes())
            );
            let allowed: Vec<_> = response.headers().get_all(header::ALLOW).iter().collect();
            let expected: &[&str] = if status == StatusCode::METHOD_NOT_ALLOWED {
                &["POST"]
            } else {
                &[]
            };
            assert_eq!(allowed, expected);
        }
    }
}
