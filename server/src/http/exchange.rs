//! One connection on the HTTP address: request after request, and the WebSocket that it may become.
//!
//! Thousands may shake hands at once, and stay. So what HTTP needs of memory is taken when there is something to read, and given back
//! before the WebSocket begins: what is freed between things that stay is not the system's again.

use std::{
    future::{poll_fn, ready},
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use ebbtide_broker::Limit;
use futures_util::future::Either;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    Service, WEB_SOCKET,
    problem::Problem,
    stalled::{Outgoing, Watched},
    upgrade::Client,
};
use crate::{
    tcp::{Door, Peer, Permit},
    tls::ClientCertificate,
};

/// How long a client may take to send the head of a request.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);
/// So much of it, at the first request, no memory is taken while nothing comes.
const SILENCE_MAX: Duration = Duration::from_secs(1);
/// The largest head of a request, bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How long a client may take nothing of an answer. It may be twice as long until that is known.
const STALL_MAX: Duration = Duration::from_secs(30);

/// A connection as its requests see it.
#[derive(Debug)]
pub struct Arrival {
    /// It goes with the connection into an upgrade: a WebSocket counts like any other.
    pub permit: Permit,
    /// What the client has shown in the handshake of TLS.
    pub certificate: Option<Arc<ClientCertificate>>,
    /// Who goes on over WebSocket once the answer that says so has been sent.
    pub client: Option<Client>,
}

/// Waits until something has come, or for so long that HTTP has to wait itself. `false`: the door was closed before.
pub async fn has_come(stream: &TcpStream, door: &mut Door) -> bool {
    tokio::select! {
        biased;
        // An error shows when it is read.
        _ = timeout(SILENCE_MAX, stream.readable()) => true,
        () = door.closed() => false,
    }
}

/// Serves a connection until its end, or until it is one over WebSocket in a task of its own.
pub async fn exchange<S>(
    stream: S,
    peer: Peer,
    certificate: Option<Arc<ClientCertificate>>,
    permit: Permit,
    service: Service,
    door: Door,
) where
    S: AsyncRead + AsyncWrite + Outgoing + Unpin + Send + 'static,
{
    let stream = Watched::new(stream, STALL_MAX);
    let arrival = Arc::new(Mutex::new(Arrival {
        permit,
        certificate,
        client: None,
    }));
    let requests = Box::pin(requests(stream, peer, Arc::clone(&arrival), service, door));
    let Some((stream, ahead)) = requests.await else {
        return;
    };
    // Requests hold it only while they are answered.
    let Some(Arrival {
        permit,
        certificate,
        client: Some(client),
    }) = Arc::into_inner(arrival).map(Mutex::into_inner)
    else {
        return;
    };
    client.begin(stream, ahead, certificate, permit);
}

/// Request after request. What is returned is the stream of a WebSocket, with what was read of it already.
async fn requests<S>(
    stream: Watched<S>,
    peer: Peer,
    arrival: Arc<Mutex<Arrival>>,
    service: Service,
    mut door: Door,
) -> Option<(S, Bytes)>
where
    S: AsyncRead + AsyncWrite + Outgoing + Unpin + Send + 'static,
{
    let shared = Arc::clone(&arrival);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let client = service.proxies.forwarded(request.headers(), peer);
        // MQTT over WebSocket tells it in its own words.
        let refusal = match request.uri().path() {
            WEB_SOCKET => None,
            _ => shared.lock().permit.refusal(),
        };
        match refusal {
            Some(limit) => Either::Left(ready(Ok(too_many(limit)))),
            None => Either::Right(service.answer(request, client, Some(&shared))),
        }
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE - SILENCE_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let is_closed = {
        let mut closed = pin!(door.closed());
        tokio::select! {
            // Most handshakes are over at once, and never ask whether the door is closed.
            biased;
            ended = poll_fn(|context| connection.poll_without_shutdown(context)) => Err(ended),
            () = &mut closed => Ok(()),
        }
    };
    let ended = match is_closed {
        Err(ended) => ended,
        Ok(()) => {
            Pin::new(&mut connection).graceful_shutdown();
            poll_fn(|context| connection.poll_without_shutdown(context)).await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(address = %peer.remote, %error, "HTTP connection failed");
        return None;
    }
    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner();
    if arrival.lock().client.is_some() {
        // MQTT has rules of its own for who takes nothing.
        return Some((stream.into_inner(), parts.read_buf));
    }
    if let Err(error) = stream.shutdown().await {
        tracing::debug!(address = %peer.remote, %error, "HTTP connection failed");
    }
    None
}

/// The answer to whoever is one too many.
fn too_many(limit: Limit) -> Response {
    let status = match limit {
        Limit::ConnectionsMax => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::TOO_MANY_REQUESTS,
    };
    let detail = format!("Too many connections: {} is reached.", limit.name());
    let mut response = Problem::new(status, detail).into_response();
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}
