//! `/mqtt`: from an HTTP request to a WebSocket that speaks MQTT.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use ebbtide_broker::{Limit, Origin};
use hyper::upgrade::{Parts, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{App, problem::Problem};
use crate::{
    connection::{self, Surroundings},
    tcp::{Peer, Permit},
    tls::ClientCertificate,
    websocket::{Role, SUBPROTOCOLS, WebSocket},
};

pub async fn upgrade(State(app): State<App>, mut request: Request) -> Result<Response, Problem> {
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
    let permit = request.extensions().get::<Arc<Permit>>().cloned();
    let mut refusal = permit.as_ref().and_then(|permit| permit.refusal());
    // Behind a proxy the client's address is known only now.
    let is_unplaced = permit.as_ref().is_some_and(|permit| !permit.has_place());
    let (mut place, mut told) = (None, None);
    if let Some(peer) = peer.filter(|_| is_unplaced && refusal.is_none()) {
        let address = peer.remote.ip();
        match app.door.place(address) {
            Ok(found) => place = found,
            Err(limit) => {
                let why = "This address has too many connections, or opens them too fast.";
                let too_many = || Problem::new(StatusCode::TOO_MANY_REQUESTS, why);
                told = Some(app.door.refuse(limit, address).ok_or_else(too_many)?);
                refusal = Some(limit);
            }
        }
    }
    let certificate = request
        .extensions()
        .get::<Arc<ClientCertificate>>()
        .cloned();
    let upgraded = hyper::upgrade::on(&mut request);
    let client = Client {
        origin,
        certificate,
        surroundings: app.surroundings.clone(),
        refusal,
        place: (permit, place, told),
    };
    tokio::spawn(async move {
        match upgraded.await {
            Ok(upgraded) => client.begin_on(upgraded).await,
            Err(error) => {
                let address = client.origin.address;
                tracing::debug!(address, %error, "the WebSocket handshake was not completed");
            }
        }
    });
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
struct Client<P> {
    origin: Origin,
    certificate: Option<Arc<ClientCertificate>>,
    surroundings: Surroundings,
    refusal: Option<Limit>,
    place: P,
}

impl<P: Send + 'static> Client<P> {
    /// Most connections have no TLS: these get their socket back, for a stream of any kind costs memory as long as it is there.
    async fn begin_on(self, upgraded: Upgraded) {
        match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(Parts { io, read_buf, .. }) => self.begin(io.into_inner(), read_buf).await,
            Err(upgraded) => self.begin(TokioIo::new(upgraded), Bytes::new()).await,
        }
    }

    async fn begin<S>(self, io: S, ahead: Bytes)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let limits = self.surroundings.broker.get().0.limits();
        let packet_size = limits.maximum_packet_size;
        let connect_size = limits.connect_packet_size_max;
        let stream = WebSocket::new(io, ahead, Role::Server, packet_size, Some(connect_size));
        connection::spawn(
            stream,
            self.origin,
            self.certificate,
            self.surroundings,
            self.refusal,
            self.place,
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
