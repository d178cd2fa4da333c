//! A stream that fails when its peer takes nothing of what is written for too long: what waits for such a peer would wait for ever.
//!
//! Nothing is counted while there is nothing to write, and whoever takes a little goes on. A system says that there is room again only once
//! much has been taken, on Linux a third of what may be megabytes. So before a peer counts as stalled the system is asked how much waits.

#[cfg(test)]
mod tests;

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep},
};
use tokio_rustls::server::TlsStream;

/// A stream that may know what its peer has taken.
pub trait Outgoing {
    /// Bytes of what was written that the peer's system has not taken; `None`: nobody tells.
    fn untaken(&self) -> Option<usize>;

    /// It is about to be dropped, and of what was written nothing is to be kept.
    fn give_up(&self);
}

impl Outgoing for TcpStream {
    fn untaken(&self) -> Option<usize> {
        untaken(self)
    }

    fn give_up(&self) {
        // The system would go on trying for minutes. An error means that it has ended already.
        let _ = self.set_zero_linger();
    }
}

impl Outgoing for TlsStream<TcpStream> {
    fn untaken(&self) -> Option<usize> {
        self.get_ref().0.untaken()
    }

    fn give_up(&self) {
        self.get_ref().0.give_up();
    }
}

/// Linux tells.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "a request that nobody has wrapped")]
fn untaken(stream: &TcpStream) -> Option<usize> {
    use std::os::fd::AsRawFd;

    let mut bytes: libc::c_int = 0;
    // SAFETY: tcp(7), SIOCOUTQ: it writes one int. The descriptor is open for as long as the stream is there.
    let done = unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    match done {
        0 => usize::try_from(bytes).ok(),
        _ => None,
    }
}

/// Others are not asked.
#[cfg(not(target_os = "linux"))]
fn untaken(_: &TcpStream) -> Option<usize> {
    None
}

/// The stream, watched.
#[derive(Debug)]
pub struct Watched<S> {
    stream: S,
    patience: Duration,
    /// Something is to be written, and there is no room.
    wait: Option<Wait>,
}

#[derive(Debug)]
struct Wait {
    over: Pin<Box<Sleep>>,
    /// When it began.
    untaken: Option<usize>,
}

impl<S: Outgoing> Watched<S> {
    /// Of what is written something has to be taken within `patience`, again and again.
    pub fn new(stream: S, patience: Duration) -> Self {
        Self {
            stream,
            patience,
            wait: None,
        }
    }

    /// The stream alone: nobody watches it any more.
    pub fn into_inner(self) -> S {
        self.stream
    }

    /// What is `done` of a write, or that the peer has stalled.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        done: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.wait = None;
            return done;
        }
        let Self {
            stream,
            patience,
            wait,
        } = self;
        let wait = wait.get_or_insert_with(|| Wait {
            over: Box::pin(sleep(*patience)),
            untaken: stream.untaken(),
        });
        while wait.over.as_mut().poll(context).is_ready() {
            let untaken = stream.untaken();
            let both = wait.untaken.zip(untaken);
            if both.is_none_or(|(before, now)| now >= before) {
                stream.give_up();
                let why = "the client takes nothing of what is sent to it";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)));
            }
            wait.untaken = untaken;
            wait.over.as_mut().reset(Instant::now() + *patience);
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Outgoing + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, done)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.watch(context, done)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(context, done)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watch(context, done)
    }
}
