//! Who has sent much that nobody reads still learns why it is over.

use std::time::Duration;

use bytes::{BufMut, Bytes};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::*;
use crate::websocket::{Role, WebSocket};

/// More than all buffers between the two take.
const SENT: usize = 16 * 1024 * 1024;
/// Far from what anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// The head of one frame, of 32 MiB: twice what is sent.
const HEAD: [u8; 14] = [0x82, 0xff, 0, 0, 0, 0, 2, 0, 0, 0, 1, 2, 3, 4];

/// What a client reads that sends `head` and much more, all of it, before it looks, from one that listens until it hears something wrong.
async fn last_words<S: ByteStream>(head: &[u8], transport: impl FnOnce(TcpStream) -> S) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let client = async {
        let mut client = TcpStream::connect(address).await.expect("it listens");
        client.write_all(head).await.expect("it is read");
        let rest = vec![7; SENT];
        client.write_all(&rest).await.expect("all of it is read");
        let mut words = Vec::new();
        let read = client.read_to_end(&mut words).await;
        read.expect("it ends, and is not cut off");
        words
    };
    let server = async {
        let (stream, _) = listener.accept().await.expect("a client has come");
        let mut stream = transport(stream);
        let mut input = BytesMut::new();
        while input.len() < SENT / 16
            && poll_fn(|context| stream.poll_read(context, &mut input))
                .await
                .is_ok()
        {}
        let said = poll_fn(|context| stream.poll_end(context)).await;
        said.expect("the client is there");
        super::super::farewell::linger(&mut stream).await;
    };
    let both = timeout(DEADLINE, async { tokio::join!(client, server) });
    both.await.expect("it ends").0
}

fn web_socket(
    connect_packet_size_max: Option<u32>,
) -> impl FnOnce(TcpStream) -> WebSocket<TcpStream> {
    move |stream| {
        WebSocket::new(
            stream,
            Bytes::new(),
            Role::Server,
            1 << 20,
            connect_packet_size_max,
        )
    }
}

/// Would fail if unread input were left: a reset comes before the close frame, or behind it.
#[tokio::test]
async fn a_client_whose_frame_is_too_large_reads_so() {
    let words = last_words(&HEAD, web_socket(None)).await;
    let mut expected = vec![0x88];
    let why = b"larger than the Maximum Packet Size";
    expected.put_u8(2 + why.len() as u8);
    expected.put_u16(1009);
    expected.extend(why);
    assert_eq!(words, expected);
}

#[tokio::test]
async fn a_client_that_is_not_in_yet_reads_the_end() {
    // A message of 1 MiB, of which less may come.
    let mut head = HEAD;
    head[6..8].copy_from_slice(&[0, 0x10]);
    let words = last_words(&head, web_socket(Some(1024))).await;
    assert_eq!(words, [0x88, 2, 0x03, 0xe8]);
}

#[tokio::test]
async fn however_much_comes_over_tcp_there_is_no_reset() {
    let words = last_words(b"\x30", Tcp::new).await;
    assert_eq!(words, [0_u8; 0]);
}
