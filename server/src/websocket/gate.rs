//! The bytes below a WebSocket, of which only so many come through until the client has been let in: the library takes in a whole frame before
//! the core sees any of it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Closed at first.
#[derive(Debug)]
pub struct Gate<S> {
    io: S,
    /// How much may still come; `None`: it is open.
    left: Option<usize>,
}

impl<S> Gate<S> {
    /// So many bytes may come before it is opened; `None`: it is open from the start.
    pub fn new(io: S, bytes_max: Option<usize>) -> Self {
        Self {
            io,
            left: bytes_max,
        }
    }

    /// From now on everything comes through.
    pub fn open(&mut self) {
        self.left = None;
    }

    /// What is below.
    pub fn inner(&self) -> &S {
        &self.io
    }

    /// The same, to be read past the gate.
    pub fn inner_mut(&mut self) -> &mut S {
        &mut self.io
    }

    /// More wanted to come than may.
    pub fn is_exceeded(&self) -> bool {
        self.left == Some(0)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gate<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_exceeded() {
            let why = "more has come than a client may send before it is let in";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, why)));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(context, buffer))?;
        let count = buffer.filled().len() - before;
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(count);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gate<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn so_much_comes_through_until_it_is_opened() {
        let mut gate = Gate::new(&[7_u8; 100][..], Some(10));
        gate.read_exact(&mut [0; 10]).await.expect("as much as may");
        assert!(gate.is_exceeded());
        gate.read_exact(&mut [0; 1]).await.expect_err("too much");
        gate.open();
        gate.read_exact(&mut [0; 90]).await.expect("the rest");
        let mut open = Gate::new(&[7_u8; 100][..], None);
        open.read_exact(&mut [0; 100]).await.expect("everything");
    }
}
