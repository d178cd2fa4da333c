//! The PROXY protocol, versions 1 and 2: a header before the first byte of the client, in which a proxy says who that is.
//!
//! Exactly the header is read and not a byte more. It has a deadline and a largest size: a proxy that is trusted may still be
//! broken.

use std::{io, net::SocketAddr, time::Duration};

use ppp::{HeaderResult, v1, v2};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::timeout,
};

/// How long the header may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// The shortest of both: `PROXY UNKNOWN\r\n` and the fixed part of version 2 have more.
const BEGINNING: usize = 12;
/// With its line end; the specification sets it.
const V1_BYTES_MAX: usize = 107;
/// Signature, command, family, length.
const V2_FIXED: usize = 16;
/// What follows them: addresses, and extensions that are read over.
const V2_REST_BYTES_MAX: usize = 4096;

/// The client that the header names. `None`: the proxy speaks for itself, to see whether the broker is there.
///
/// # Errors
/// No header, a malformed one, or none in time.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let header = timeout(DEADLINE, bytes(stream)).await;
    let header = header.map_err(|_| malformed("no PROXY header came in time"))??;
    match HeaderResult::parse(&header) {
        HeaderResult::V1(Ok(header)) => Ok(match header.addresses {
            v1::Addresses::Tcp4(ends) => Some((ends.source_address, ends.source_port).into()),
            v1::Addresses::Tcp6(ends) => Some((ends.source_address, ends.source_port).into()),
            v1::Addresses::Unknown => None,
        }),
        HeaderResult::V2(Ok(header)) if header.command == v2::Command::Local => Ok(None),
        HeaderResult::V2(Ok(header)) => Ok(match header.addresses {
            v2::Addresses::IPv4(ends) => Some((ends.source_address, ends.source_port).into()),
            v2::Addresses::IPv6(ends) => Some((ends.source_address, ends.source_port).into()),
            v2::Addresses::Unspecified | v2::Addresses::Unix(_) => None,
        }),
        HeaderResult::V1(Err(error)) => Err(malformed(error)),
        HeaderResult::V2(Err(error)) => Err(malformed(error)),
    }
}

/// As many bytes as the header has.
async fn bytes(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut header = vec![0; BEGINNING];
    stream.read_exact(&mut header).await?;
    if header == v2::PROTOCOL_PREFIX {
        header.resize(V2_FIXED, 0);
        stream.read_exact(&mut header[BEGINNING..]).await?;
        let rest = usize::from(u16::from_be_bytes([header[14], header[15]]));
        if rest > V2_REST_BYTES_MAX {
            return Err(malformed("the PROXY header is too long"));
        }
        header.resize(V2_FIXED + rest, 0);
        stream.read_exact(&mut header[V2_FIXED..]).await?;
        return Ok(header);
    }
    if !header.starts_with(b"PROXY ") {
        return Err(malformed(
            "the connection does not begin with a PROXY header, as `proxy_protocol` asks of this proxy",
        ));
    }
    while !header.ends_with(b"\r\n") {
        if header.len() == V1_BYTES_MAX {
            return Err(malformed("the PROXY header is too long"));
        }
        header.push(stream.read_u8().await?);
    }
    Ok(header)
}

fn malformed(why: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

    /// The client, and what is left for it to say.
    async fn greeted(bytes: &[u8]) -> (Result<Option<String>, String>, Vec<u8>) {
        let mut stream = bytes;
        let client = read(&mut stream).await;
        let client = client.map(|client| client.map(|client| client.to_string()));
        (client.map_err(|error| error.to_string()), stream.to_vec())
    }

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).expect("short").to_be_bytes();
        [SIGNATURE, &[0x20 | command, family], &length, rest, b"MQTT"].concat()
    }

    #[tokio::test]
    async fn a_header_names_the_client_and_nothing_behind_it_is_read() {
        let ipv4 = [203, 0, 113, 7, 10, 0, 0, 1, 0x12, 0x67, 0x07, 0x5B];
        let with_extension = [&ipv4[..], &[4, 0, 1, 0]].concat();
        for (bytes, expected) in [
            (
                b"PROXY TCP4 203.0.113.7 10.0.0.1 4711 1883\r\nMQTT".to_vec(),
                Some("203.0.113.7:4711"),
            ),
            (
                b"PROXY TCP6 2001:db8::1 ::1 4711 1883\r\nMQTT".to_vec(),
                Some("[2001:db8::1]:4711"),
            ),
            (b"PROXY UNKNOWN\r\nMQTT".to_vec(), None),
            (v2(1, 0x11, &ipv4), Some("203.0.113.7:4711")),
            (v2(1, 0x11, &with_extension), Some("203.0.113.7:4711")),
            // LOCAL
            (v2(0, 0x11, &ipv4), None),
            (v2(1, 0x00, &[]), None),
        ] {
            let (client, rest) = greeted(&bytes).await;
            assert_eq!(client, Ok(expected.map(str::to_owned)));
            assert_eq!(rest, b"MQTT");
        }
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
        let long = [b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat();
        let mut endless = v2(1, 0x11, &[0; 12]);
        endless[14] = 0xFF;
        for bytes in [
            // CONNECT
            b"\x10\x10\0\x04MQTT\x05\x02\0\x3C\0\0\x03abc".to_vec(),
            b"PROXY TCP4 203.0.113.7\r\nMQTT....".to_vec(),
            b"PROXY TCP4 203.0.113.777 10.0.0.1 1 2\r\n".to_vec(),
            b"PROXY TC".to_vec(),
            long,
            endless,
            v2(1, 0x11, &[203, 0]),
            v2(7, 0x11, &[0; 12]),
        ] {
            let (client, _) = greeted(&bytes).await;
            assert!(client.is_err(), "{bytes:?}");
        }
    }
}
