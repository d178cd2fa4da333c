//! Who a client is when a reverse proxy stands in between: what trusted proxies say of it, and nobody else.
//!
//! MQTT and TLS know the PROXY protocol ([`header`]), HTTP has `X-Forwarded-For` ([`forwarded`]). Both can be forged by whoever
//! reaches the broker directly, so they count only from the addresses that were named.

pub(crate) mod forwarded;
pub(crate) mod header;

use std::{io, net::IpAddr, sync::Arc};

use arc_swap::ArcSwap;
use axum::http::HeaderMap;
use ipnet::IpNet;
use tokio::net::TcpStream;

use crate::{config::Config, logging::Throttle, tcp::Peer};

/// What is configured now.
#[derive(Clone, Debug)]
pub struct Proxies {
    trust: Arc<ArcSwap<Trust>>,
    /// Keeps those who come through a proxy, or in its place, from flooding the log.
    complaints: Arc<Throttle>,
}

#[derive(Debug)]
struct Trust {
    networks: Vec<IpNet>,
    /// Connections of theirs begin with a PROXY header.
    has_header: bool,
}

impl Trust {
    fn new(config: &Config) -> Self {
        let networks = config.trusted_proxies.iter();
        Self {
            networks: networks.map(|network| network.0).collect(),
            has_header: config.proxy_protocol,
        }
    }
}

impl Proxies {
    pub fn new(config: &Config) -> Self {
        Self {
            trust: Arc::new(ArcSwap::from_pointee(Trust::new(config))),
            complaints: Arc::new(Throttle::new()),
        }
    }

    /// Notes a connection that could not begin.
    pub fn refused(&self, peer: &Peer, error: &io::Error) {
        if let Some(suppressed) = self.complaints.permit() {
            tracing::warn!(proxy = %peer.remote, %error, suppressed, "a proxy did not say who its client is: connection closed");
        }
    }

    /// From now on these count: for the connections and requests to come.
    pub fn set(&self, config: &Config) {
        self.trust.store(Arc::new(Trust::new(config)));
    }

    /// Whether it speaks for others.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let trust = self.trust.load();
        trust
            .networks
            .iter()
            .any(|network| network.contains(&address))
    }

    /// Whether its connections begin with a PROXY header.
    pub fn has_header(&self, peer: &Peer) -> bool {
        self.trust.load().has_header && self.trusts(peer.remote.ip())
    }

    /// At the beginning of a connection: reads the PROXY header, if there has to be one.
    ///
    /// # Errors
    /// There is none, it does not come in time, or it is malformed: the connection cannot be used.
    pub async fn greet(&self, stream: &mut TcpStream, mut peer: Peer) -> io::Result<Peer> {
        if self.has_header(&peer)
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
