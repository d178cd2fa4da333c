//! What a connection needs of its transport: bytes in, bytes out, a way to end. TCP, TLS and WebSocket implement it.
//!
//! Nothing here blocks, and a transport holds no buffer of ours while it is idle.

use std::{
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWrite},
    net::TcpStream,
};

/// The least that is offered to one read, bytes. As much as the system's allocator hands out again without a search.
const READ_BYTES_MIN: usize = 1024;
/// The most that is offered to one read, bytes.
const READ_BYTES_MAX: usize = 64 * 1024;

/// A stream of bytes in both directions.
pub trait ByteStream: Send + Unpin {
    /// Appends some of what has arrived to `input` and says how much; zero once the peer has ended its direction.
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        input: &mut BytesMut,
    ) -> Poll<io::Result<usize>>;

    /// Takes bytes off the front of `output`; ready once all of them are on their way.
    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        output: &mut BytesMut,
    ) -> Poll<io::Result<()>>;

    /// Takes some of what has arrived, which nobody wants any more, and says how much; zero once the peer has ended its direction. Unlike
    /// [`Self::poll_read`] it goes on after what is no stream of the transport's kind.
    fn poll_throw_away(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.poll_read(context, &mut BytesMut::new())
    }

    /// The client has been let in: it may send as large packets as it is told.
    fn let_in(&mut self) {}

    /// It has failed because more came before that than may.
    fn is_exceeded(&self) -> bool {
        false
    }

    /// Bytes that have come and are held until more of them are there.
    fn incomplete_bytes(&self) -> usize {
        0
    }

    /// Nothing is to be read or written now: it gives back what it can do without.
    fn give_back(&mut self, _context: &mut Context<'_>) {}

    /// Ends our direction, saying why where the transport can: the peer reads what was written, then the end.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// TCP as it is.
#[derive(Debug)]
pub struct Tcp {
    stream: TcpStream,
    /// How much the next read offers: grows with what comes, so that a quiet client costs little.
    read_bytes: usize,
}

impl Tcp {
    /// What is written has to leave at once: the connection already writes once per turn.
    pub fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            read_bytes: READ_BYTES_MIN,
        }
    }
}

impl ByteStream for Tcp {
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        input: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        // Memory is taken only when there is something to read.
        ready!(self.stream.poll_read_ready(context))?;
        input.reserve(self.read_bytes);
        let mut room = bytes::BufMut::limit(&mut *input, self.read_bytes);
        // A read that does not fill its room has emptied the socket; tokio then spares the look whether it is empty.
        let count = ready!(pin!(self.stream.read_buf(&mut room)).poll(context))?;
        if count == self.read_bytes {
            self.read_bytes = (self.read_bytes * 2).min(READ_BYTES_MAX);
        } else if count < self.read_bytes / 4 {
            self.read_bytes = (self.read_bytes / 2).max(READ_BYTES_MIN);
        }
        Poll::Ready(Ok(count))
    }

    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        output: &mut BytesMut,
    ) -> Poll<io::Result<()>> {
        while !output.is_empty() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(context, output))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            output.advance(count);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
