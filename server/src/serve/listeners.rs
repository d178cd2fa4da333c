//! The addresses that are listened on: opened before anything else, so that a broker that could not be reached never touches
//! the data, and served once the broker is there.

use std::{io, net::SocketAddr};

use ebbtide_broker::{Origin, Transport};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::ServeError;
use crate::{
    config::{Config, ListenAddress},
    driver::{self, Surroundings, Tcp},
    http,
    proxy::Proxies,
    tcp::{self, Door, Peer, Permit},
    tls::{self, Encrypted, Tls},
};

/// How many connections of each listener the system may hold until they are accepted; it may hold fewer (`net.core.somaxconn`). Whoever
/// finds no room tries again after a second, and after a broker's restart all come at once.
const UNACCEPTED_MAX: u32 = 4096;

/// All of them.
#[derive(Debug)]
pub struct Listeners {
    mqtt: TcpListener,
    http: TcpListener,
    mqtts: Option<TcpListener>,
    https: Option<TcpListener>,
    tls: Option<Tls>,
}

/// Where they are in fact: port 0 has become a real one.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    pub mqtt: ListenAddress,
    pub http: ListenAddress,
    pub mqtts: Option<ListenAddress>,
    pub https: Option<ListenAddress>,
}

impl Addresses {
    /// Whether nobody else's machine can reach them.
    pub fn are_loopback(&self) -> bool {
        [Some(self.mqtt), Some(self.http), self.mqtts, self.https]
            .into_iter()
            .flatten()
            .all(ListenAddress::is_loopback)
    }
}

impl Listeners {
    /// Reads the certificate, takes the ports.
    pub fn open(config: &Config) -> Result<Self, ServeError> {
        let tls = config.tls.clone().map(Tls::load).transpose()?;
        let [mut mqtt, mut http, mut mqtts, mut https] = [const { None }; 4];
        for (option, address) in config.listeners() {
            let place = match option {
                "--mqtt" => &mut mqtt,
                "--http" => &mut http,
                "--mqtts" => &mut mqtts,
                _ => &mut https,
            };
            *place = Some(listen(option, address)?);
        }
        Ok(Self {
            mqtt: mqtt.expect("there always is one for MQTT"),
            http: http.expect("there always is one for HTTP"),
            mqtts,
            https,
            tls,
        })
    }

    pub fn addresses(&self) -> Addresses {
        let local = |listener: &TcpListener| {
            let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
            ListenAddress(listener.local_addr().unwrap_or(unknown))
        };
        Addresses {
            mqtt: local(&self.mqtt),
            http: local(&self.http),
            mqtts: self.mqtts.as_ref().map(local),
            https: self.https.as_ref().map(local),
        }
    }

    /// What those with TLS show to clients.
    pub fn tls(&self) -> Option<Tls> {
        self.tls.clone()
    }

    /// Takes clients in, at each of them, until the door is closed.
    pub fn accept(
        self,
        door: &Door,
        surroundings: &Surroundings,
        web: &http::Service,
        proxies: &Proxies,
    ) {
        let mqtt = |listener, tls| {
            tokio::spawn(accept_mqtt(
                listener,
                door.clone(),
                surroundings.clone(),
                tls,
                proxies.clone(),
            ));
        };
        let http = |listener, tls| {
            tokio::spawn(http::serve(listener, door.clone(), web.clone(), tls));
        };
        mqtt(self.mqtt, None);
        http(self.http, None);
        if let Some(tls) = self.tls {
            if let Some(listener) = self.mqtts {
                mqtt(listener, Some(tls.clone()));
            }
            if let Some(listener) = self.https {
                http(listener, Some(tls.clone()));
            }
            tokio::spawn(tls::watch(tls));
        }
    }
}

fn listen(option: &'static str, address: ListenAddress) -> Result<TcpListener, ServeError> {
    open(address.0).map_err(|source| ServeError::Listen {
        option,
        address,
        source,
    })
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A restart need not wait until the connections of before are forgotten. On Windows it means something else.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    // Linux gives it on to every connection that is accepted, see `tcp::accept`.
    socket.set_nodelay(true)?;
    socket.bind(address)?;
    socket.listen(UNACCEPTED_MAX)
}

/// With `tls` every connection begins with a handshake.
async fn accept_mqtt(
    listener: TcpListener,
    door: Door,
    surroundings: Surroundings,
    tls: Option<Tls>,
    proxies: Proxies,
) {
    let entrance = door.clone();
    let handle = move |mut stream: TcpStream, peer: Peer, mut permit: Permit| {
        let (surroundings, tls, proxies) = (surroundings.clone(), tls.clone(), proxies.clone());
        if tls.is_none() && !proxies.has_header(&peer) {
            // There is nothing to wait for: it needs no other task than its own.
            return plain(stream, &peer, permit, &entrance, surroundings);
        }
        let door = entrance.clone();
        tokio::spawn(async move {
            let peer = match proxies.greet(&mut stream, peer).await {
                Ok(peer) => peer,
                Err(error) => return proxies.refused(&peer, &error),
            };
            let Some(tls) = tls else {
                return plain(stream, &peer, permit, &door, surroundings);
            };
            // To tell it why it is one too many would take a handshake.
            if !door.locate(&mut permit, peer.remote.ip()) || permit.refusal().is_some() {
                return;
            }
            let accepted = tls.accept(stream).await.map(|stream| {
                let certificate = tls::certificate(&stream);
                (Encrypted::new(stream), certificate)
            });
            match accepted {
                Ok((stream, certificate)) => {
                    let origin = origin(&peer, Transport::Tls);
                    driver::spawn(stream, origin, certificate, surroundings, None, permit);
                }
                Err(error) => tls.refused(&peer, &error),
            }
        });
    };
    tcp::accept(listener, door, handle).await;
}

/// Begins a connection without TLS, now that its client's address is known.
fn plain(
    stream: TcpStream,
    peer: &Peer,
    mut permit: Permit,
    door: &Door,
    surroundings: Surroundings,
) {
    if !door.locate(&mut permit, peer.remote.ip()) {
        return;
    }
    let refusal = permit.refusal();
    let origin = origin(peer, Transport::Tcp);
    let stream = Tcp::new(stream);
    driver::spawn(stream, origin, None, surroundings, refusal, permit);
}

fn origin(peer: &Peer, transport: Transport) -> Origin {
    Origin {
        address: peer.shown(),
        transport,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_is_accepted_sends_at_once() {
        let listener = open((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let client = TcpStream::connect(address).await.expect("it listens");
        let (accepted, _) = listener.accept().await.expect("a client has come");
        assert!(accepted.nodelay().expect("an open socket"));
        assert!(
            !client.nodelay().expect("an open socket"),
            "it is not the default"
        );
    }
}
