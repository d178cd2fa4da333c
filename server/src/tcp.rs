//! The listeners: accepts byte streams [MQTT-4.2-1], no more than are allowed, until told to stop.
//!
//! Who is let in holds a permit; when all permits are back, everybody is gone. That is how the stop waits.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};

/// The most byte streams at a time, over all listeners.
pub const CONNECTIONS_MAX: u32 = 100_000;
/// How long accepting pauses when the system has no file descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// Who may come in, and whether anybody still may.
#[derive(Clone, Debug)]
pub struct Door {
    permits: Arc<Semaphore>,
    closing: watch::Receiver<bool>,
}

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

impl Door {
    /// An open door, and the handle that closes it by sending `true`.
    pub fn new() -> (Self, watch::Sender<bool>) {
        let (close, closing) = watch::channel(false);
        (
            Self {
                permits: Arc::new(Semaphore::new(CONNECTIONS_MAX as usize)),
                closing,
            },
            close,
        )
    }

    /// A place for one more, if there is one.
    pub fn enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).try_acquire_owned().ok()
    }

    /// Waits until the door is closed.
    pub async fn closed(&mut self) {
        // Without its handle it counts as closed.
        let _ = self.closing.wait_for(|closing| *closing).await;
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        *self.closing.borrow() || self.closing.has_changed().is_err()
    }

    /// Waits until everybody has gone.
    pub async fn empty(&self) {
        let _ = self.permits.acquire_many(CONNECTIONS_MAX).await;
    }
}

/// Accepts until the door is closed. `handle` must not wait: it spawns.
pub async fn accept(
    listener: TcpListener,
    mut door: Door,
    handle: impl Fn(TcpStream, Peer, OwnedSemaphorePermit),
) {
    loop {
        let accepted = tokio::select! {
            () = door.closed() => return,
            accepted = listener.accept() => accepted.and_then(|(stream, remote)| {
                let local = stream.local_addr()?;
                Ok((stream, Peer { remote, local, is_encrypted: false }))
            }),
        };
        match accepted {
            Ok((stream, peer)) => match door.enter() {
                Some(permit) => handle(stream, peer, permit),
                None => {
                    tracing::warn!(address = %peer.remote, limit = CONNECTIONS_MAX, "too many connections: refused");
                }
            },
            // The one connection failed, the listener did not.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
