//! Who takes nothing is left alone by HTTP, and nobody else.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    convert::Infallible,
    sync::Arc,
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::timeout,
};

use super::*;

/// Far from what anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_millis(20);

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let client = TcpStream::connect(address).await.expect("it listens");
    let (server, _) = listener.accept().await.expect("a client has come");
    (client, server)
}

/// Would not end if nobody looked: HTTP asks neither the client nor the answer's body for anything while there is no room.
#[tokio::test]
async fn an_answer_of_which_nothing_is_taken_is_broken_off() {
    let (mut client, server) = pair().await;
    let held = Arc::new(());
    let in_answers = Arc::clone(&held);
    let service = service_fn(move |_| {
        let pieces = stream::repeat(Arc::clone(&in_answers))
            .map(|_held| Ok::<_, Infallible>(Bytes::from_static(&[7; 65_536])));
        std::future::ready(Ok::<_, Infallible>(Response::new(Body::from_stream(
            pieces,
        ))))
    });
    let io = TokioIo::new(Watched::new(server, PATIENCE));
    let connection = http1::Builder::new().serve_connection(io, service);
    let request = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
    client.write_all(request).await.expect("it is open");
    let ended = timeout(DEADLINE, connection).await.expect("it ends");
    ended.expect_err("it ends by the deadline");
    assert_eq!(Arc::strong_count(&held), 1, "the answer is gone");
    // Nor does the system keep what nobody takes.
    let ended = client.read_to_end(&mut Vec::new()).await;
    let error = ended.expect_err("it does not end as if it were whole");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

/// A stream that never has room, and how much waits each time that it is asked.
struct Full {
    untaken: RefCell<VecDeque<Option<usize>>>,
    is_given_up: Cell<bool>,
}

impl Outgoing for Full {
    fn untaken(&self) -> Option<usize> {
        let mut untaken = self.untaken.borrow_mut();
        untaken.pop_front().expect("more is not asked")
    }

    fn give_up(&self) {
        self.is_given_up.set(true);
    }
}

impl AsyncWrite for Full {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

/// On a slow link it takes minutes until the system has room again.
#[tokio::test]
async fn who_takes_a_little_goes_on() {
    for (untaken, asked) in [
        (vec![Some(900), Some(899), Some(400), Some(400), None], 4),
        (vec![Some(900), Some(901), None], 2),
        (vec![None, None, None], 2),
    ] {
        let all = untaken.len();
        let full = Full {
            untaken: RefCell::new(untaken.into()),
            is_given_up: Cell::new(false),
        };
        let mut watched = Watched::new(full, PATIENCE);
        let ended = timeout(DEADLINE, watched.write_all(b"more")).await;
        let error = ended.expect("it ends").expect_err("nothing is taken");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let full = watched.into_inner();
        assert!(full.is_given_up.get());
        assert_eq!(all - full.untaken.borrow().len(), asked);
    }
}

/// A stream of events may have nothing to say for days.
#[tokio::test]
async fn who_has_nothing_to_take_is_not_hurried() {
    let (mut client, server) = pair().await;
    let mut watched = Watched::new(server, Duration::ZERO);
    for _ in 0..100 {
        watched.write_all(b"event").await.expect("there is room");
        watched.flush().await.expect("it was written");
        client.read_exact(&mut [0; 5]).await.expect("it has come");
        let silence = timeout(Duration::from_millis(1), watched.read_u8());
        silence.await.expect_err("nothing comes, and nothing ends");
        assert!(watched.wait.is_none());
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn linux_tells_what_was_not_taken() {
    let (mut client, server) = pair().await;
    server.writable().await.expect("it is open");
    let mut sent = 0;
    while let Ok(count) = server.try_write(&[7; 65_536]) {
        sent += count;
    }
    assert!(
        server
            .untaken()
            .is_some_and(|bytes| bytes > 0 && bytes <= sent)
    );
    let mut all = vec![0; sent];
    client.read_exact(&mut all).await.expect("all of it comes");
    // What it has is told to the other side a moment later.
    while server.untaken() != Some(0) {
        tokio::task::yield_now().await;
    }
}
