//! The queue of a session: looked at, read from the disk where it is, and emptied.

use std::collections::HashMap;

use axum::{Json, extract::State, http::StatusCode};
use ebbtide_api::{PurgeResponse, QueuePage, QueueQuery, QueuedMessage, QueuedState};
use ebbtide_broker::{Command, Outcome, QueueEntry, QueuedContent, rfc3339};
use ebbtide_protocol::QoS;
use ebbtide_store::{Incarnation, Message, Queued, Sequence, StoreError};

use super::{
    LIMIT_DEFAULT, LIMIT_MAX,
    command::{done, unexpected},
};
use crate::{
    http::{
        App,
        commit::committed,
        content::{self, Payload},
        extract::{InPath, InQuery, within},
        problem::Problem,
    },
    storage::Reader,
};

/// Bytes of each payload if nothing else is asked for, and at the most.
const PAYLOAD_BYTES_DEFAULT: usize = 256;
const PAYLOAD_BYTES_MAX: usize = 65_536;
/// Bytes of messages that are read for one page, but for the last message.
const READ_BYTES_MAX: usize = 8 * 1024 * 1024;
/// So many go at a time: others write in between, and the client may come back.
const PURGE_PART: usize = 10_000;

/// A page of what the session is to get.
#[utoipa::path(
    get,
    path = "/api/v1/sessions/{client_id}/queue",
    operation_id = "peekQueue",
    tag = "sessions",
    params(("client_id" = String, Path, description = "A client id, percent-encoded."), QueueQuery),
    responses((status = 200, description = "A page.", body = QueuePage), Problem)
)]
pub async fn peek(
    State(app): State<App>,
    InPath(client_id): InPath<String>,
    InQuery(query): InQuery<QueueQuery>,
) -> Result<Json<QueuePage>, Problem> {
    let offset = query.offset.unwrap_or_default();
    let count = within("limit", query.limit, LIMIT_DEFAULT, 1..=LIMIT_MAX)?;
    let payload_bytes_max = within(
        "payload_bytes_max",
        query.payload_bytes_max,
        PAYLOAD_BYTES_DEFAULT,
        0..=PAYLOAD_BYTES_MAX,
    )?;
    let (broker, reader) = app.surroundings.broker.get();
    let command = Command::Queue { offset, count };
    let Outcome::Queue(part) = done(&app, &broker, &client_id, command).await? else {
        return Err(unexpected());
    };
    committed(&broker, part.readable_after).await?;
    let (entries, total) = (part.entries, part.total);
    let (entries, read) = read_blocking(&reader, entries).await?;
    let end = entries.last().map_or(total, |last| last.position + 1);
    let now_ms = app.surroundings.clock.now().wall.0;
    let messages = entries.iter().filter_map(|entry| {
        let (message, qos) = match &entry.content {
            QueuedContent::Message(message, qos) => (Some(&**message), *qos),
            QueuedContent::Sent(qos) => (None, *qos),
            QueuedContent::Stored(owner, sequence) => {
                let queued = read.get(&(*owner, *sequence))?;
                (Some(&*queued.message), queued.recipient.qos)
            }
        };
        Some(shown(entry, message, qos, payload_bytes_max, now_ms))
    });
    Ok(Json(QueuePage {
        messages: messages.collect(),
        total,
        next_offset: (end < total).then_some(end),
    }))
}

/// Messages by the session or group that they wait for.
pub type Read = HashMap<(Incarnation, Sequence), Queued>;

/// Reads what is on disk, as far as the bytes go. Gives the entries that were come to.
pub async fn read_blocking(
    reader: &Reader,
    entries: Vec<QueueEntry>,
) -> Result<(Vec<QueueEntry>, Read), Problem> {
    let reader = reader.clone();
    let failed = |error: String| Problem::new(StatusCode::SERVICE_UNAVAILABLE, error);
    tokio::task::spawn_blocking(move || read(&reader, entries))
        .await
        .map_err(|error| failed(error.to_string()))?
        .map_err(|error| failed(format!("The queue cannot be read: {error}.")))
}

/// How far it is.
pub fn state_of(entry: &QueueEntry) -> QueuedState {
    match entry.exchange {
        None => QueuedState::Waiting,
        Some((_, false)) => QueuedState::Sent,
        Some((_, true)) => QueuedState::Released,
    }
}

fn read(
    reader: &Reader,
    mut entries: Vec<QueueEntry>,
) -> Result<(Vec<QueueEntry>, Read), StoreError> {
    let mut read = Read::new();
    let mut bytes_left = READ_BYTES_MAX;
    let mut at = 0;
    while at < entries.len() {
        let QueuedContent::Stored(owner, _) = entries[at].content else {
            at += 1;
            continue;
        };
        let run = entries[at..].iter().map_while(|entry| match entry.content {
            QueuedContent::Stored(other, sequence) if other == owner => Some(sequence),
            _ => None,
        });
        let sequences: Vec<Sequence> = run.collect();
        let part = reader.read(owner, &sequences, bytes_left)?;
        for queued in part.messages {
            bytes_left = bytes_left.saturating_sub(queued.message.size_bytes());
            read.insert((owner, queued.sequence), queued);
        }
        at += part.looked_at;
        if part.looked_at < sequences.len() {
            entries.truncate(at);
        }
    }
    Ok((entries, read))
}

fn shown(
    entry: &QueueEntry,
    message: Option<&Message>,
    qos: QoS,
    payload_bytes_max: usize,
    now_ms: u64,
) -> QueuedMessage {
    let payload = message.map(|message| Payload::new(&message.payload, payload_bytes_max));
    let payload = payload.unwrap_or_default();
    let expires_at = message.and_then(Message::expires_at);
    let shared = entry.shared.as_ref();
    QueuedMessage {
        position: entry.position,
        state: state_of(entry),
        packet_id: entry.exchange.map(|(packet_id, _)| packet_id.get()),
        shared_subscription: shared.map(|filter| filter.as_str().to_owned()),
        topic: message.map(|message| message.topic.as_str().to_owned()),
        qos: qos as u8,
        payload: payload.text,
        payload_base64: payload.base64,
        payload_bytes: message.map(|message| message.payload.len() as u64),
        truncated: payload.truncated,
        accepted_at: message.map(|message| rfc3339(message.accepted_at)),
        expires_at: expires_at.map(rfc3339),
        expires_in_s: expires_at.map(|at| at.0.saturating_sub(now_ms) / 1000),
        properties: message
            .map(|message| content::shown(&message.properties))
            .unwrap_or_default(),
    }
}

/// Drops what waits now; answered when it is off the disk. What comes meanwhile stays.
#[utoipa::path(
    delete,
    path = "/api/v1/sessions/{client_id}/queue",
    operation_id = "purgeQueue",
    tag = "sessions",
    params(("client_id" = String, Path, description = "A client id, percent-encoded.")),
    responses((status = 200, description = "They are off the disk.", body = PurgeResponse), Problem)
)]
pub async fn purge(
    State(app): State<App>,
    InPath(client_id): InPath<String>,
) -> Result<Json<PurgeResponse>, Problem> {
    let (broker, _) = app.surroundings.broker.get();
    let up_to = broker.last_sequence();
    let mut purged = 0;
    loop {
        let command = Command::Purge {
            up_to,
            count: PURGE_PART,
        };
        let Outcome::Purged { count, ticket } = done(&app, &broker, &client_id, command).await?
        else {
            return Err(unexpected());
        };
        purged += count;
        committed(&broker, ticket).await?;
        if count == 0 {
            tracing::info!(
                client = client_id,
                purged,
                "an operator has emptied its queue"
            );
            return Ok(Json(PurgeResponse { purged }));
        }
    }
}
