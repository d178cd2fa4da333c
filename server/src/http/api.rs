//! `/api/v1`: the routes of the HTTP API. Its types are in the crate `ebbtide-api`.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderName, StatusCode, header},
};
use ebbtide_api::{
    PUBLISH_MANY_MAX, PublishManyRequest, PublishManyResponse, PublishRequest, PublishResponse,
};
use ebbtide_protocol::ReasonCode;
use ebbtide_store::redb::RedbStore;

use super::{
    App,
    access::Caller,
    content,
    extract::{InBody, bad},
    problem::Problem,
    publish::{self, Outgoing},
};

/// Publishes one message; answered when it is as safe as a PUBACK says, or with QoS 0 at once.
#[utoipa::path(
    post,
    path = "/api/v1/publish",
    operation_id = "publish",
    tag = "publish",
    request_body = PublishRequest,
    responses((status = 200, description = "It is as safe as a PUBACK says; with QoS 0 it has been taken in.", body = PublishResponse), Problem)
)]
pub async fn publish(
    State(app): State<App>,
    caller: Caller,
    InBody(asked, _room): InBody<PublishRequest>,
) -> Result<Json<PublishResponse>, Problem> {
    let message = outgoing(asked)?;
    let reason = publish::once(&app.surroundings, &caller, message).await?;
    Ok(Json(response(reason)))
}

/// Publishes messages in their order; answered when all are as safe as they are to be.
#[utoipa::path(
    post,
    path = "/api/v1/publish/many",
    operation_id = "publishMany",
    tag = "publish",
    request_body = PublishManyRequest,
    responses((status = 200, description = "What became of each.", body = PublishManyResponse), Problem)
)]
pub async fn publish_many(
    State(app): State<App>,
    caller: Caller,
    InBody(PublishManyRequest { messages }, _room): InBody<PublishManyRequest>,
) -> Result<Json<PublishManyResponse>, Problem> {
    // More are not read.
    if messages.is_empty() {
        return Err(bad(format!("messages: 1 to {PUBLISH_MANY_MAX} of them")));
    }
    let messages = messages.into_iter().enumerate().map(|(at, message)| {
        outgoing(message).map_err(|problem| problem.within(&format!("messages[{at}]")))
    });
    let messages = messages.collect::<Result<_, _>>()?;
    let reasons = publish::many(&app.surroundings, &caller, messages).await?;
    Ok(Json(PublishManyResponse {
        results: reasons.into_iter().map(response).collect(),
    }))
}

fn outgoing(asked: PublishRequest) -> Result<Outgoing, Problem> {
    Ok(Outgoing {
        topic: content::topic(asked.topic)?,
        payload: content::payload(asked.payload, asked.payload_base64)?,
        qos: content::qos(asked.qos)?,
        retain: asked.retain,
        properties: content::properties(asked.properties)?,
    })
}

/// What became of a message.
pub fn response(reason: ReasonCode) -> PublishResponse {
    PublishResponse {
        reason_code: reason as u8,
        reason: reason.name().to_owned(),
    }
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
        "There is no such route; GET /api/v1/openapi.json describes those that there are.",
    )
}

type NotAllowed = ([(HeaderName, &'static str); 1], Problem);

/// For any other method than these.
pub fn only(methods: &'static str) -> impl Fn() -> std::future::Ready<NotAllowed> + Clone {
    move || {
        let detail = format!("This route takes {methods} only.");
        let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail);
        std::future::ready(([(header::ALLOW, methods)], problem))
    }
}

#[cfg(test)]
mod tests {
    use axum::{
        Router,
        body::Body,
        extract::Request,
        http::Method,
        response::Response,
        routing::{any, post},
    };
    use tower::ServiceExt;

    use super::*;

    async fn ask(method: Method, path: &str) -> Response {
        let router: Router = Router::new()
            .route("/api/v1/publish", post(|| async {}).fallback(only("POST")))
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
