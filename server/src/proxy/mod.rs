//! Who a client is when a reverse proxy stands in between: what trusted proxies say of it, and nobody else.
//!
//! MQTT and TLS know the PROXY protocol ([`header`]), HTTP has `X-Forwarded-For` ([`forwarded`]). Both can be forged by whoever
//! reaches the broker directly, so they count only from the addresses that were named.

pub(crate) mod forwarded;
pub(crate) mod header;

use std::{io, net::IpAddr, sync::Arc};

use axum::http::HeaderMap;
use ipnet::IpNet;
use tokio::net::TcpStream;

use crate::tcp::Peer;

/// Notes a connection that could not begin.
pub fn refused(peer: &Peer, error: &io::Error) {
    tracing::warn!(proxy = %peer.remote, %error, "a proxy did not say who its client is: connection closed");
}

/// What was configured.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    trusted: Arc<[IpNet]>,
    /// Connections of theirs begin with a PROXY header.
    has_header: bool,
}

impl Proxies {
    /// `has_header`: connections of trusted proxies begin with a PROXY header.
    pub fn new(trusted: &[IpNet], has_header: bool) -> Self {
        Self {
            trusted: trusted.into(),
            has_header,
        }
    }

    /// Whether it speaks for others.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted
            .iter()
            .any(|network| network.contains(&address))
    }

    /// At the beginning of a connection: reads the PROXY header, if there has to be one.
    ///
    /// # Errors
    /// There is none, it does not come in time, or it is malformed: the connection cannot be used.
    pub async fn greet(&self, stream: &mut TcpStream, mut peer: Peer) -> io::Result<Peer> {
        if self.has_header
            && self.trusts(peer.remote.ip())
            && let Some(client) = Box::pin(header::read(stream)).await?
        {
            peer.remote = client;
        }
        Ok(peer)
    }

    /// At a request: what `X-Forwarded-For` and `X-Forwarded-Proto` say, if they come from a trusted proxy.
    pub fn forwarded(&self, headers: &HeaderMap, mut peer: Peer) -> Peer {
        if !self.trusts(peer.remote.ip()) {
            return peer;
        }
        if let Some(client) = forwarded::client(headers, |address| self.trusts(address)) {
            // Its port is not told.
            peer.remote = (client, 0).into();
            peer.is_encrypted = forwarded::is_encrypted(headers).unwrap_or(peer.is_encrypted);
        }
        peer
    }
}
