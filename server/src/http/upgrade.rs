//! `/mqtt`: from an HTTP request to a WebSocket that speaks MQTT.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Version, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use ebbtide_broker::{Origin, Transport};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{App, exchange::Arrival, headers, problem::Problem};
use crate::{
    driver::{self, Surroundings},
    tcp::{Peer, Permit},
    tls::ClientCertificate,
    websocket::{Role, SUBPROTOCOLS, WebSocket},
};

/// As many headers as an answer has: room for them is made once.
const ANSWER_HEADERS_MAX: usize = 8;
/// Of the WebSocket protocol.
const WEB_SOCKET_VERSION: &str = "13";

/// The answer to a handshake, which has not been through the router.
pub fn answer<B>(
    app: &App,
    request: &Request<B>,
    peer: Peer,
    arrival: Option<&Mutex<Arrival>>,
) -> Response {
    let allowed = app.guard.check(request, Some(&peer));
    let answer = allowed.and_then(|()| shake_hands(app, request, peer, arrival));
    headers::complete(say_to_what(answer.into_response()))
}

/// A WebSocket begins with GET; to other methods it is shown what this address is for.
pub async fn refuse() -> Response {
    say_to_what(not_a_handshake().into_response())
}

/// 426 names what it takes (RFC 9110, section 15.5.22; RFC 6455, section 4.4).
fn say_to_what(mut answer: Response) -> Response {
    if answer.status() == StatusCode::UPGRADE_REQUIRED {
        let headers = answer.headers_mut();
        upgrade(headers);
        let version = HeaderValue::from_static(WEB_SOCKET_VERSION);
        headers.insert(header::SEC_WEBSOCKET_VERSION, version);
    }
    answer
}

fn upgrade(headers: &mut HeaderMap) {
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
}

fn not_a_handshake() -> Problem {
    let detail =
        "This is the address of MQTT over WebSocket: connect to it with a WebSocket client.";
    Problem::new(StatusCode::UPGRADE_REQUIRED, detail)
}

fn shake_hands<B>(
    app: &App,
    request: &Request<B>,
    peer: Peer,
    arrival: Option<&Mutex<Arrival>>,
) -> Result<Response, Problem> {
    let headers = request.headers();
    // HTTP/1.0 has no upgrades (RFC 9110, section 7.8).
    if request.version() < Version::HTTP_11
        || !has_token(headers, &header::UPGRADE, "websocket")
        || !has_token(headers, &header::CONNECTION, "upgrade")
    {
        return Err(not_a_handshake());
    }
    if !has_token(headers, &header::SEC_WEBSOCKET_VERSION, WEB_SOCKET_VERSION) {
        return Err(Problem::new(
            StatusCode::UPGRADE_REQUIRED,
            "The WebSocket version has to be 13.",
        ));
    }
    let key = headers
        .get(header::SEC_WEBSOCKET_KEY)
        .and_then(|key| HeaderValue::try_from(derive_accept_key(key.as_bytes())).ok());
    let key =
        key.ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key is missing."))?;
    let subprotocol = SUBPROTOCOLS
        .into_iter()
        .find(|name| has_token(headers, &header::SEC_WEBSOCKET_PROTOCOL, name))
        .ok_or_else(|| {
            let detail = "The WebSocket subprotocol has to be `mqtt`: new WebSocket(url, 'mqtt').";
            Problem::new(StatusCode::BAD_REQUEST, detail)
        })?;

    if let Some(arrival) = arrival {
        let mut arrival = arrival.lock();
        // Behind a proxy the client's address is known only now.
        if !arrival.permit.has_place() && !app.door.locate(&mut arrival.permit, peer.remote.ip()) {
            let why = "This address has too many connections, or opens them too fast.";
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, why));
        }
        arrival.client = Some(Client {
            origin: Origin {
                address: peer.shown(),
                transport: match peer.is_encrypted {
                    true => Transport::Wss,
                    false => Transport::Ws,
                },
            },
            surroundings: app.surroundings.clone(),
        });
    }
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.reserve(ANSWER_HEADERS_MAX);
    upgrade(headers);
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, key);
    let subprotocol = HeaderValue::from_static(subprotocol);
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
    Ok(answer)
}

/// A client whose handshake is under way.
#[derive(Debug)]
pub struct Client {
    origin: Origin,
    surroundings: Surroundings,
}

impl Client {
    /// Its requests have been answered: from here on it speaks MQTT. `ahead` was read with the last of them.
    pub fn begin<S>(
        self,
        stream: S,
        ahead: Bytes,
        certificate: Option<Arc<ClientCertificate>>,
        permit: Permit,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let limits = self.surroundings.broker.get().0.limits();
        let packet_size = limits.maximum_packet_size;
        let connect_size = limits.connect_packet_size_max;
        let refusal = permit.refusal();
        let stream = WebSocket::new(stream, ahead, Role::Server, packet_size, Some(connect_size));
        driver::spawn(
            stream,
            self.origin,
            certificate,
            self.surroundings,
            refusal,
            permit,
        );
    }
}

/// Whether a header that lists tokens, perhaps over several lines, has this one.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|item| item.trim().eq_ignore_ascii_case(token))
}
