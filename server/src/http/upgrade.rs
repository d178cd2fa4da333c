//! `/mqtt`: from an HTTP request to a WebSocket that speaks MQTT.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use ebbtide_broker::Origin;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{App, exchange::Arrival, problem::Problem};
use crate::{
    connection::{self, Surroundings},
    tcp::{Peer, Permit},
    tls::ClientCertificate,
    websocket::{Role, SUBPROTOCOLS, WebSocket},
};

pub async fn upgrade(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let headers = request.headers();
    if !has_token(headers, &header::UPGRADE, "websocket")
        || !has_token(headers, &header::CONNECTION, "upgrade")
    {
        let detail =
            "This is the address of MQTT over WebSocket: connect to it with a WebSocket client.";
        return Err(Problem::new(StatusCode::UPGRADE_REQUIRED, detail));
    }
    if !has_token(headers, &header::SEC_WEBSOCKET_VERSION, "13") {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "The WebSocket version has to be 13.",
        ));
    }
    let key = headers
        .get(header::SEC_WEBSOCKET_KEY)
        .map(|key| derive_accept_key(key.as_bytes()));
    let key =
        key.ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key is missing."))?;
    let subprotocol = SUBPROTOCOLS
        .into_iter()
        .find(|name| has_token(headers, &header::SEC_WEBSOCKET_PROTOCOL, name))
        .ok_or_else(|| {
            let detail = "The WebSocket subprotocol has to be `mqtt`: new WebSocket(url, 'mqtt').";
            Problem::new(StatusCode::BAD_REQUEST, detail)
        })?;

    let peer = request.extensions().get::<Peer>();
    let is_encrypted = peer.is_some_and(|peer| peer.is_encrypted);
    let origin = Origin {
        address: peer.map(Peer::shown).unwrap_or_default(),
        transport: if is_encrypted { "wss" } else { "ws" },
    };
    // Without a connection there is nothing to go on with: only tests ask so.
    let arrival = request.extensions().get::<Arc<Mutex<Arrival>>>();
    if let Some(arrival) = arrival {
        let mut arrival = arrival.lock();
        // Behind a proxy the client's address is known only now.
        if let Some(peer) = peer.filter(|_| !arrival.permit.has_place())
            && !app.door.locate(&mut arrival.permit, peer.remote.ip())
        {
            let why = "This address has too many connections, or opens them too fast.";
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, why));
        }
        arrival.client = Some(Client {
            origin,
            surroundings: app.surroundings.clone(),
        });
    }
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::UPGRADE, "websocket")
        .header(header::CONNECTION, "upgrade")
        .header(header::SEC_WEBSOCKET_ACCEPT, key)
        .header(header::SEC_WEBSOCKET_PROTOCOL, subprotocol)
        .body(Body::empty())
        .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
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
        connection::spawn(
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
