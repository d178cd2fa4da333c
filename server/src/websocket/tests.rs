//! Buffers are given back, and nothing with them that is still needed.

use std::future::poll_fn;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_tungstenite::tungstenite::protocol::frame::{
    Frame,
    coding::{Data, OpCode},
};

use super::*;

fn masked(mut frame: Frame) -> Vec<u8> {
    frame.header_mut().mask = Some([1, 2, 3, 4]);
    let mut bytes = Vec::new();
    frame.format(&mut bytes).expect("a vector takes all");
    bytes
}

fn part(kind: Data, payload: &[u8], is_final: bool) -> Vec<u8> {
    masked(Frame::message(
        payload.to_vec(),
        OpCode::Data(kind),
        is_final,
    ))
}

fn pair() -> (DuplexStream, WebSocket<DuplexStream>) {
    let (client, server) = duplex(1 << 20);
    let server = WebSocket::new(server, Bytes::new(), Role::Server, 1 << 20, None);
    (client, server)
}

/// Reads until nothing more is there, and gives back then, as a connection does.
async fn read_all(server: &mut WebSocket<DuplexStream>) -> Vec<u8> {
    let mut input = BytesMut::new();
    poll_fn(|context| {
        while let Poll::Ready(count) = server.poll_read(context, &mut input) {
            assert!(count.expect("it is fine") > 0, "it is open");
        }
        server.give_back(context);
        Poll::Ready(())
    })
    .await;
    input.to_vec()
}

/// A large message in two parts, with a ping between them, cut into pieces of every size: nothing is given back that is still needed.
#[tokio::test]
async fn what_has_begun_is_not_given_back() {
    let payload: Vec<u8> = (0..20_000_u32).map(|at| at as u8).collect();
    let (first, second) = payload.split_at(12_345);
    let bytes = [
        part(Data::Binary, first, false),
        masked(Frame::ping(vec![9; 7])),
        part(Data::Continue, second, true),
    ]
    .concat();
    for step in [1, 2, 3, 5, 6, 127, 1_000, 12_360, 20_000, 30_000] {
        let (mut client, mut server) = pair();
        let mut came = Vec::new();
        for piece in bytes.repeat(2).chunks(step) {
            client.write_all(piece).await.expect("a pipe");
            came.extend(read_all(&mut server).await);
        }
        assert!(came == payload.repeat(2), "in pieces of {step}");
        assert!(!server.has_grown);
        let mut pongs = [0; 18];
        client.read_exact(&mut pongs).await.expect("both are there");
        assert_eq!(pongs[..2], [0x8a, 7]);
    }
}

/// What the client does not take yet is not lost with the buffer.
#[tokio::test]
async fn what_waits_to_be_written_is_not_given_back() {
    let (client, server) = duplex(1_000);
    let mut server = WebSocket::new(server, Bytes::new(), Role::Server, 1 << 20, None);
    let payload: Vec<u8> = (0..20_000_u32).map(|at| at as u8).collect();
    let mut output = BytesMut::from(&payload[..]);
    let reading = tokio::spawn(async move {
        let mut client = client;
        let mut bytes = vec![0; 4 + 20_000];
        client.read_exact(&mut bytes).await.expect("a pipe");
        (client, bytes)
    });
    poll_fn(|context| {
        let written = server.poll_write(context, &mut output);
        let mut input = BytesMut::new();
        assert!(server.poll_read(context, &mut input).is_pending());
        server.give_back(context);
        assert_eq!(server.has_grown, written.is_pending());
        written
    })
    .await
    .expect("a pipe");
    let (_client, bytes) = reading.await.expect("a pipe");
    assert_eq!(bytes[..4], [0x82, 126, 0x4e, 0x20]);
    assert!(bytes[4..] == payload);
}

/// What the library holds of a message that is not whole is in nobody else's sight.
#[tokio::test]
async fn what_has_come_of_a_message_is_known() {
    let (mut client, mut server) = pair();
    let message = part(Data::Binary, &[7; 10_000], true);
    let (now, later) = message.split_at(message.len() - 1);
    client.write_all(now).await.expect("it is open");
    assert_eq!(read_all(&mut server).await, [0_u8; 0]);
    assert_eq!(server.incomplete_bytes(), 9_999);
    client.write_all(later).await.expect("it is open");
    assert_eq!(read_all(&mut server).await, [7; 10_000]);
    assert_eq!(server.incomplete_bytes(), 0);
}

/// Browsers hand over whole messages only: on a slow link they would see nothing of a large packet until all of it is there.
#[tokio::test]
async fn a_large_packet_leaves_in_several_messages() {
    let (mut client, mut server) = pair();
    let payload: Vec<u8> = (0..300_000_u32).map(|at| at as u8).collect();
    let mut output = BytesMut::from(&payload[..]);
    poll_fn(|context| server.poll_write(context, &mut output))
        .await
        .expect("a pipe");
    drop(server);
    let mut bytes = Vec::new();
    client.read_to_end(&mut bytes).await.expect("a pipe");
    let mut came = Vec::new();
    let mut rest = &bytes[..];
    while let [0x82, 127, 0, 0, 0, 0, a, b, c, d, after @ ..] = rest {
        let count = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        assert!(count <= WRITE_BYTES_MAX);
        came.extend_from_slice(&after[..count]);
        rest = &after[count..];
    }
    // The last one says its length in two bytes.
    let last = payload.len() - came.len();
    assert_eq!(rest[..2], [0x82, 126]);
    assert_eq!(rest[2..4], (last as u16).to_be_bytes());
    came.extend_from_slice(&rest[4..]);
    assert!(came == payload);
}
