//! `/api/v1/retained`: retained messages listed, read, set and deleted.
//!
//! A page is gathered in parts, so that nobody who publishes waits long for it. What is set or deleted is published like
//! any other message, so subscribers see it.

pub mod delete;

use axum::{Json, extract::State, http::StatusCode};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ebbtide_api::{
    PublishResponse, PutRetainedRequest, RetainedMessage, RetainedPage, RetainedQuery,
    RetainedTopicQuery,
};
use ebbtide_broker::rfc3339;
use ebbtide_protocol::{QoS, TopicFilter};
use ebbtide_store::Message;

use super::{
    App,
    access::Caller,
    api,
    commit::committed,
    content::{self, Payload},
    extract::{InBody, InPath, InQuery, bad, within},
    problem::Problem,
    publish::{self, Outgoing},
};

/// Messages on a page if nothing else is asked for, and at the most.
const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1000;
/// Bytes of each payload in a list if nothing else is asked for, and at the most.
const PAYLOAD_BYTES_DEFAULT: usize = 4096;
const PAYLOAD_BYTES_MAX: usize = 65_536;
/// Bytes of payloads on a page, but for the last message.
const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Messages looked at in one part: as many as are deleted together.
const PART: usize = 256;
/// Parts of one page, whether or not anything in them matches.
const PARTS_MAX: usize = 256;

/// A page of those that match.
#[utoipa::path(
    get,
    path = "/api/v1/retained",
    operation_id = "listRetained",
    tag = "retained",
    params(RetainedQuery),
    responses((status = 200, description = "A page.", body = RetainedPage), Problem)
)]
pub async fn list(
    State(app): State<App>,
    InQuery(query): InQuery<RetainedQuery>,
) -> Result<Json<RetainedPage>, Problem> {
    let filter = filter(query.filter.unwrap_or_else(|| "#".into()))?;
    let limit = within("limit", query.limit, LIMIT_DEFAULT, 1..=LIMIT_MAX)?;
    let payload_bytes_max = within(
        "payload_bytes_max",
        query.payload_bytes_max,
        PAYLOAD_BYTES_DEFAULT,
        0..=PAYLOAD_BYTES_MAX,
    )?;
    let mut after = query.cursor.map(|cursor| decode(&cursor)).transpose()?;
    let (broker, _) = app.surroundings.broker.get();
    let now = app.surroundings.clock.now();
    let mut retained = Vec::new();
    let mut bytes = 0;
    for _ in 0..PARTS_MAX {
        let most = PART.min(limit - retained.len());
        let part = broker.retained_part(&filter, after.as_deref(), most, now);
        for message in part.messages {
            bytes += message.payload.len().min(payload_bytes_max);
            retained.push(shown(&message, payload_bytes_max));
        }
        after = part.next;
        if after.is_none() || retained.len() >= limit || bytes >= PAGE_BYTES_MAX {
            break;
        }
        tokio::task::yield_now().await;
    }
    Ok(Json(RetainedPage {
        retained,
        next: after.map(|position| URL_SAFE_NO_PAD.encode(position)),
    }))
}

/// The message of one topic, with all of its payload unless less is asked for.
#[utoipa::path(
    get,
    path = "/api/v1/retained/{topic}",
    operation_id = "getRetained",
    tag = "retained",
    params(("topic" = String, Path, description = "A topic name, percent-encoded: `a%2Fb`; `a/b` will do, too."), RetainedTopicQuery),
    responses((status = 200, description = "The message.", body = RetainedMessage), Problem)
)]
pub async fn one(
    State(app): State<App>,
    InPath(topic): InPath<String>,
    InQuery(query): InQuery<RetainedTopicQuery>,
) -> Result<Json<RetainedMessage>, Problem> {
    let topic = content::topic(topic)?;
    let (broker, _) = app.surroundings.broker.get();
    let message = broker.retained(&topic, app.surroundings.clock.now());
    let message = message.ok_or_else(nothing)?;
    let bytes_max = query.payload_bytes_max.unwrap_or(usize::MAX);
    Ok(Json(shown(&message, bytes_max)))
}

/// Sets the message of one topic; answered when it is on disk.
#[utoipa::path(
    put,
    path = "/api/v1/retained/{topic}",
    operation_id = "putRetained",
    tag = "retained",
    params(("topic" = String, Path, description = "A topic name, percent-encoded: `a%2Fb`; `a/b` will do, too.")),
    request_body = PutRetainedRequest,
    responses((status = 200, description = "It is on disk.", body = PublishResponse), Problem)
)]
pub async fn put(
    State(app): State<App>,
    caller: Caller,
    InPath(topic): InPath<String>,
    InBody(asked, _room): InBody<PutRetainedRequest>,
) -> Result<Json<PublishResponse>, Problem> {
    let message = Outgoing {
        topic: content::topic(topic)?,
        payload: content::payload(asked.payload, asked.payload_base64)?,
        qos: content::qos(asked.qos)?,
        retain: true,
        properties: content::properties(asked.properties)?,
    };
    if message.payload.is_empty() {
        return Err(bad(
            "An empty payload would delete the message: use DELETE for that.",
        ));
    }
    let (broker, _) = app.surroundings.broker.get();
    if broker.keeps_itself(&message.topic) {
        return Err(not_yours());
    }
    let is_silent = message.qos == QoS::AtMostOnce;
    let reason = publish::once(&app.surroundings, &caller, message).await?;
    if is_silent {
        committed(&broker, broker.journal().last()).await?;
    }
    Ok(Json(api::response(reason)))
}

/// A filter that matches topics by itself.
fn filter(text: String) -> Result<TopicFilter, Problem> {
    let filter = TopicFilter::new(text).map_err(|error| bad(format!("filter: {error}")))?;
    match filter.share() {
        None => Ok(filter),
        Some((_, pattern)) => Err(bad(format!(
            "filter: nothing is retained for a shared subscription; give `{pattern}` alone"
        ))),
    }
}

fn decode(cursor: &str) -> Result<String, Problem> {
    let wrong = || bad("cursor: give `next` of the page before, as it was");
    let decoded = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| wrong())?;
    String::from_utf8(decoded).map_err(|_| wrong())
}

fn nothing() -> Problem {
    let detail = "Nothing is retained in this topic.";
    Problem::new(StatusCode::NOT_FOUND, detail)
}

fn not_yours() -> Problem {
    let detail = "The broker itself keeps this topic: nobody else publishes to it.";
    Problem::new(StatusCode::FORBIDDEN, detail)
}

fn shown(message: &Message, payload_bytes_max: usize) -> RetainedMessage {
    let payload = Payload::new(&message.payload, payload_bytes_max);
    RetainedMessage {
        topic: message.topic.as_str().to_owned(),
        payload: payload.text,
        payload_base64: payload.base64,
        payload_bytes: message.payload.len() as u64,
        truncated: payload.truncated,
        qos: message.qos as u8,
        accepted_at: rfc3339(message.accepted_at),
        expires_at: message.expires_at().map(rfc3339),
        properties: content::shown(&message.properties),
    }
}
