//! Reads much at once when much comes, and keeps no memory while nothing does.
//!
//! The WebSocket library has a read buffer as long as it has a connection, and one read of the socket fills no more than that. So its buffer
//! is small, for most connections are idle; a read that fills it shows that more is there, and the next one takes more from the socket.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The least that is read ahead, bytes.
const AHEAD_BYTES_MIN: usize = 8 * 1024;
/// The most that is read ahead, bytes.
const AHEAD_BYTES_MAX: usize = 64 * 1024;

/// A stream that is read ahead; writes go through.
#[derive(Debug)]
pub struct ReadAhead<S> {
    stream: S,
    ahead: Bytes,
    /// What the next read of the socket offers beyond what is asked for; zero: nothing shows that there is more.
    ahead_bytes: usize,
}

impl<S> ReadAhead<S> {
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            ahead: Bytes::new(),
            ahead_bytes: 0,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadAhead<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.ahead.is_empty() && this.ahead_bytes > buffer.remaining() {
            let mut memory = vec![0; this.ahead_bytes];
            let mut read = ReadBuf::new(&mut memory);
            // Whether it fails, waits or gives something: what comes next is seen anew.
            let offered = std::mem::take(&mut this.ahead_bytes);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut read))?;
            let count = read.filled().len();
            if count == offered {
                this.ahead_bytes = (2 * offered).min(AHEAD_BYTES_MAX);
            }
            memory.truncate(count);
            this.ahead = memory.into();
        }
        if !this.ahead.is_empty() {
            let count = this.ahead.len().min(buffer.remaining());
            buffer.put_slice(&this.ahead[..count]);
            this.ahead.advance(count);
            if this.ahead.is_empty() {
                this.ahead = Bytes::new();
            }
            return Poll::Ready(Ok(()));
        }
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        if buffer.remaining() == 0 {
            this.ahead_bytes = AHEAD_BYTES_MIN;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ReadAhead<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// A mebibyte through buffers of a kibibyte, in pieces of every size.
    #[tokio::test]
    async fn all_that_was_written_comes_in_order() {
        let (mut writer, reader) = duplex(200_000);
        let written: Vec<u8> = (0..1_u32 << 18).flat_map(u32::to_le_bytes).collect();
        let sent = written.clone();
        let write = tokio::spawn(async move {
            let mut rest = &sent[..];
            for size in (1..).map(|turn: usize| turn * turn % 100_003 + 1) {
                let (piece, left) = rest.split_at(size.min(rest.len()));
                writer.write_all(piece).await.expect("a pipe");
                rest = left;
                if rest.is_empty() {
                    break;
                }
            }
        });
        let mut reader = ReadAhead::new(reader);
        let (mut came, mut buffer) = (Vec::new(), [0; 1024]);
        loop {
            let count = reader.read(&mut buffer).await.expect("a pipe");
            if count == 0 {
                break;
            }
            came.extend_from_slice(&buffer[..count]);
        }
        write.await.expect("a pipe");
        assert_eq!(came, written);
    }

    #[tokio::test]
    async fn nothing_is_held_when_nothing_waits() {
        let (mut writer, reader) = duplex(1 << 20);
        let mut reader = ReadAhead::new(reader);
        writer.write_all(&vec![7; 100_000]).await.expect("a pipe");
        let mut all = vec![0; 100_000];
        let mut at = 0;
        while at < all.len() {
            let end = all.len().min(at + 1024);
            at += reader.read(&mut all[at..end]).await.expect("a pipe");
        }
        assert!(all.iter().all(|byte| *byte == 7));
        // It looks for more, and there is none.
        let mut one = [0; 1024];
        let waits = tokio::time::timeout(std::time::Duration::ZERO, reader.read(&mut one));
        assert!(waits.await.is_err());
        assert!(reader.ahead.is_empty());
        assert_eq!(reader.ahead_bytes, 0);
        writer.write_all(b"later").await.expect("a pipe");
        assert_eq!(reader.read(&mut one).await.expect("a pipe"), 5);
        assert_eq!(&one[..5], b"later");
    }
}
