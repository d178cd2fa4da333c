//! `POST /api/v1/backup`: everything that is committed at one moment, streamed while the broker goes on.
//!
//! A thread reads the snapshot and writes frames; what a slow client does not take, it waits for, until the deadline. A client
//! that goes away, the deadline, or that what the client has shown was revoked, ends the snapshot. A backup that is broken off lacks its
//! end mark, and its connection ends without the end of the body.

use std::{
    io::{self, Write},
    time::Duration,
};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::{Bytes, BytesMut};
use ebbtide_api::BackupRequest;
use ebbtide_store::redb::snapshot::Snapshot;
use futures_util::stream;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::{Instant, sleep_until},
};

use super::{App, access::Caller, api::file, extract::InBody, problem::Problem};

const DEADLINE_S: u32 = 10 * 60;
const DEADLINE_S_MAX: u32 = 60 * 60;
/// Bytes in a piece of the body, and pieces that may wait for the client.
const PIECE_BYTES: usize = 64 * 1024;
const PIECES_MAX: usize = 4;

type Piece = io::Result<Bytes>;

/// Answers with the backup.
#[utoipa::path(
    post,
    path = "/api/v1/backup",
    operation_id = "backup",
    tag = "maintenance",
    request_body = BackupRequest,
    responses((status = 200, description = "The backup, streamed.", body = Vec<u8>, content_type = "application/octet-stream"), Problem)
)]
pub async fn backup(
    State(app): State<App>,
    caller: Caller,
    InBody(asked, _room): InBody<BackupRequest>,
) -> Result<Response, Problem> {
    let deadline_s = asked.deadline_s.unwrap_or(DEADLINE_S);
    if deadline_s == 0 || deadline_s > DEADLINE_S_MAX {
        let detail = format!("deadline_s: 1 to {DEADLINE_S_MAX}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    let permit = app.begin_maintenance()?;
    let snapshot = file(&app)?.snapshot().map_err(|error| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("The store does not work: {error}."),
        )
    })?;
    let deadline = Instant::now() + Duration::from_secs(deadline_s.into());
    let (to_pump, from_writer) = mpsc::channel(PIECES_MAX);
    let (to_client, from_pump) = mpsc::channel(PIECES_MAX);
    tokio::task::spawn_blocking(move || write(&snapshot, to_pump, permit));
    tokio::spawn(async move {
        // A token that expires does not end it: it counted when the backup began, and there is a deadline.
        let end = async {
            tokio::select! {
                () = sleep_until(deadline) => "the deadline of the backup has passed",
                () = caller.revoked(&app) => "the key or the user that it was made for does not count any more",
            }
        };
        pump(from_writer, to_client, end).await;
    });
    let pieces = stream::unfold(from_pump, |mut from_pump| async {
        Some((from_pump.recv().await?, from_pump))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    for (name, value) in [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"ebbtide.backup\"",
        ),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// On a thread of its own.
fn write(snapshot: &Snapshot, to_pump: mpsc::Sender<Piece>, permit: OwnedSemaphorePermit) {
    let started = std::time::Instant::now();
    let mut pieces = Pieces {
        to_pump,
        gathered: BytesMut::with_capacity(PIECE_BYTES),
    };
    match snapshot.write(&mut pieces) {
        Ok(written) => {
            let (rows, bytes) = (written.rows, written.bytes);
            tracing::info!(rows, bytes, took = ?started.elapsed(), "a backup was made");
        }
        Err(error) => {
            tracing::warn!(%error, "a backup was broken off");
            // Without an error the body would end as if it were whole.
            let _ = pieces.to_pump.blocking_send(Err(io::Error::other(error)));
        }
    }
    drop(permit);
}

/// From the thread to the client, until one of them ends, or `end` says why it has to: then the others notice.
async fn pump(
    mut from_writer: mpsc::Receiver<Piece>,
    to_client: mpsc::Sender<Piece>,
    end: impl Future<Output = &'static str>,
) {
    let all = async {
        while let Some(piece) = from_writer.recv().await {
            let is_last = piece.is_err();
            if to_client.send(piece).await.is_err() || is_last {
                return;
            }
        }
    };
    let why = tokio::select! {
        biased;
        () = all => return,
        why = end => why,
    };
    // The client may take nothing: freed first, so that pages are not kept for it.
    drop(from_writer);
    let error = io::Error::new(io::ErrorKind::TimedOut, why);
    let _ = to_client.send(Err(error)).await;
}

/// Gathers what is written into pieces.
struct Pieces {
    to_pump: mpsc::Sender<Piece>,
    gathered: BytesMut,
}

impl Pieces {
    fn send(&mut self) -> io::Result<()> {
        let piece = self.gathered.split().freeze();
        let gone = |_| {
            io::Error::new(
                io::ErrorKind::BrokenPipe,
                "the client went away, time is up, or its key was revoked",
            )
        };
        self.to_pump.blocking_send(Ok(piece)).map_err(gone)
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE_BYTES - self.gathered.len());
        self.gathered.extend_from_slice(&bytes[..taken]);
        if self.gathered.len() == PIECE_BYTES {
            self.send()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        self.send()
    }
}
