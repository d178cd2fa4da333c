//! `/api/v1`: the routes of the HTTP API. Its types are in the crate `ebbtide-api`.

use axum::{
    Json,
    body::to_bytes,
    extract::{Request, State},
    http::StatusCode,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use ebbtide_api::{PublishRequest, PublishResponse};
use ebbtide_protocol::{QoS, TopicName};

use super::{App, problem::Problem, publish};

/// The largest body, bytes: the largest payload in base64, and some more.
const BODY_BYTES_MAX: usize = 24 * 1024 * 1024;

/// Publishes one message; answered when it is as safe as a PUBACK says.
pub async fn publish(
    State(app): State<App>,
    request: Request,
) -> Result<Json<PublishResponse>, Problem> {
    let bad = |detail: String| Problem::new(StatusCode::BAD_REQUEST, detail);
    let body = to_bytes(request.into_body(), BODY_BYTES_MAX)
        .await
        .map_err(|error| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()))?;
    let asked: PublishRequest =
        serde_json::from_slice(&body).map_err(|error| bad(error.to_string()))?;
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

/// Everything else below `/api/`.
pub async fn unknown() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "There is no such route. See /docs/ for those that there are.",
    )
}
