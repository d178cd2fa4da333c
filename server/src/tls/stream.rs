//! An encrypted connection as the byte stream that a connection of the core runs on.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncBufRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsStream;

use crate::driver::ByteStream;

/// MQTT over TLS, at either end.
#[derive(Debug)]
pub struct Encrypted(TlsStream<TcpStream>);

impl Encrypted {
    /// What is written has to leave at once: the connection already writes once per turn.
    pub fn new(stream: impl Into<TlsStream<TcpStream>>) -> Self {
        Self(stream.into())
    }
}

impl ByteStream for Encrypted {
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        input: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        // What rustls has decrypted: a record, which is 16 KiB at most.
        match ready!(Pin::new(&mut self.0).poll_fill_buf(context)) {
            Ok(record) => {
                let count = record.len();
                input.extend_from_slice(record);
                Pin::new(&mut self.0).consume(count);
                Poll::Ready(Ok(count))
            }
            // Many clients close the socket without a farewell of TLS: for MQTT that is an end like any other.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(0)),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        output: &mut BytesMut,
    ) -> Poll<io::Result<()>> {
        while !output.is_empty() {
            let count = ready!(Pin::new(&mut self.0).poll_write(context, output))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            output.advance(count);
        }
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
