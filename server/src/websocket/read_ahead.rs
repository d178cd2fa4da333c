//! Reads much at once, and keeps no memory while nothing comes.
//!
//! The WebSocket library has a read buffer as long as it has a connection, and one read of it takes no more than that. So its buffer is
//! small, for most connections are idle. The socket is read into memory of the thread; what the library has no room for waits here
//! until it asks again, which it does before anything else.

use std::{
    cell::RefCell,
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::boundary::Boundary;

/// The least that one read of the socket takes, bytes.
const READ_BYTES_MIN: usize = 8 * 1024;
/// The most, bytes.
const READ_BYTES_MAX: usize = 64 * 1024;

thread_local! {
    /// What is read comes here first. Nothing stays here.
    static ROOM: RefCell<Box<[MaybeUninit<u8>]>> =
        RefCell::new(Box::new_uninit_slice(READ_BYTES_MAX));
}

/// A stream that is read ahead; writes go through.
#[derive(Debug)]
pub struct ReadAhead<S> {
    stream: S,
    ahead: Bytes,
    /// What the next read of the socket takes: more once a read has shown that there is more.
    read_bytes: usize,
    /// In what the library has got.
    boundary: Boundary,
}

impl<S> ReadAhead<S> {
    /// What was handed over ends where a message ends.
    pub fn is_between(&self) -> bool {
        self.boundary.is_between()
    }

    /// How much has been handed over of a message that is not over.
    pub fn incomplete_bytes(&self) -> usize {
        self.boundary.payload_bytes()
    }

    /// `ahead` has been read already.
    pub fn new(stream: S, ahead: Bytes) -> Self {
        Self {
            stream,
            // Nothing is kept of what is empty.
            ahead: match ahead.is_empty() {
                true => Bytes::new(),
                false => ahead,
            },
            read_bytes: READ_BYTES_MIN,
            boundary: Boundary::default(),
        }
    }
}

impl<S: AsyncRead + Unpin> ReadAhead<S> {
    /// Reads the socket: what there is room for into `buffer`, the rest waits.
    fn poll_socket(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
        room: &mut [MaybeUninit<u8>],
    ) -> Poll<io::Result<()>> {
        let mut read = ReadBuf::uninit(&mut room[..self.read_bytes]);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut read))?;
        self.read_bytes = match read.remaining() {
            0 => (2 * self.read_bytes).min(READ_BYTES_MAX),
            _ => READ_BYTES_MIN,
        };
        let read = read.filled();
        let (now, later) = read.split_at(read.len().min(buffer.remaining()));
        buffer.put_slice(now);
        self.boundary.pass(now);
        if !later.is_empty() {
            self.ahead = Bytes::copy_from_slice(later);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> ReadAhead<S> {
    /// Takes some of what has come, for nobody, and says how much.
    pub fn poll_throw_away(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let ahead = std::mem::take(&mut self.ahead);
        if !ahead.is_empty() {
            return Poll::Ready(Ok(ahead.len()));
        }
        ROOM.with_borrow_mut(|room| {
            let mut read = ReadBuf::uninit(room);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut read))?;
            Poll::Ready(Ok(read.filled().len()))
        })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadAhead<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return ROOM.with_borrow_mut(|room| self.poll_socket(context, buffer, room));
        }
        let count = self.ahead.len().min(buffer.remaining());
        let now = self.ahead.split_to(count);
        buffer.put_slice(&now);
        self.boundary.pass(&now);
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
        let mut reader = ReadAhead::new(reader, Bytes::new());
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
        let mut reader = ReadAhead::new(reader, Bytes::new());
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
        writer.write_all(b"later").await.expect("a pipe");
        assert_eq!(reader.read(&mut one).await.expect("a pipe"), 5);
        assert_eq!(&one[..5], b"later");
    }
}
