//! The listeners: accepts byte streams [MQTT-4.2-1], no more than are allowed, until told to stop.
//!
//! Who may stay is decided at the [`Door`]: first how many there are in all, then, once the client's address is known, how many that has.

mod addresses;
mod door;

pub use self::door::{Door, Permit};

use std::{io, net::SocketAddr, pin::pin, time::Duration};

use tokio::net::{TcpListener, TcpStream};

/// How long accepting pauses when the system has no file descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// Both ends of an accepted stream.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The other side.
    pub remote: SocketAddr,
    /// This side, as the client reached it.
    pub local: SocketAddr,
    /// What it came in by has TLS.
    pub is_encrypted: bool,
}

impl Peer {
    /// The client's address as it is shown. A proxy may not tell the port.
    pub fn shown(&self) -> String {
        match self.remote.port() {
            0 => self.remote.ip().to_string(),
            _ => self.remote.to_string(),
        }
    }
}

/// Small packets are not to wait for others. On Linux the listener has given it on, and a system call is saved.
fn send_at_once(stream: &TcpStream) {
    if !cfg!(target_os = "linux")
        && let Err(error) = stream.set_nodelay(true)
    {
        tracing::debug!(%error, "the connection was gone before it began");
    }
}

/// Accepts until the door is closed. `handle` must not wait: it spawns.
pub async fn accept(listener: TcpListener, door: Door, handle: impl Fn(TcpStream, Peer, Permit)) {
    // One address is listened on: that is what every client has reached, and the system need not be asked.
    let own = listener.local_addr().ok();
    let own = own.filter(|own| !own.ip().is_unspecified());
    let mut closing = door.clone();
    let mut closed = pin!(closing.closed());
    loop {
        let accepted = tokio::select! {
            () = &mut closed => return,
            accepted = listener.accept() => accepted.and_then(|(stream, remote)| {
                let local = own.map_or_else(|| stream.local_addr(), Ok)?;
                send_at_once(&stream);
                Ok((stream, Peer { remote, local, is_encrypted: false }))
            }),
        };
        match accepted {
            Ok((stream, peer)) => {
                if let Some(permit) = door.enter(&peer) {
                    handle(stream, peer, permit);
                }
            }
            // The one connection failed, the listener did not.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                door.failed(&error);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
