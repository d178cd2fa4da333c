//! When one that is busy lets others have their turn, and how far it reads ahead.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// A client that always has more, and takes all: nothing that it does makes its connection wait. It hears what is published to "busy".
struct Busy {
    input: BytesMut,
    /// What one read gives, but the first.
    publishes: BytesMut,
    /// So many reads, then it has nothing more.
    reads_left: usize,
    carried: Arc<Carried>,
}

/// Bytes that a client has given and taken.
#[derive(Default)]
struct Carried {
    read: AtomicUsize,
    written: AtomicUsize,
}

impl Carried {
    fn all(&self) -> usize {
        self.read.load(Ordering::Relaxed) + self.written.load(Ordering::Relaxed)
    }
}

impl Busy {
    fn new(reads: usize, publishes: BytesMut) -> Self {
        let mut first = connect("busy");
        first.unsplit(subscribe("busy"));
        Self {
            input: first,
            publishes,
            reads_left: reads,
            carried: Arc::default(),
        }
    }

    /// As often as it fits.
    fn publishes(bytes: usize, topic: &str, payload_bytes: usize) -> BytesMut {
        let packet = publish(topic, QoS::AtMostOnce, payload_bytes);
        packet.repeat(bytes / packet.len())[..].into()
    }
}

impl ByteStream for Busy {
    fn poll_read(&mut self, _: &mut Context<'_>, input: &mut BytesMut) -> Poll<io::Result<usize>> {
        if self.reads_left == 0 {
            return Poll::Pending;
        }
        self.reads_left -= 1;
        if self.input.is_empty() {
            self.input = self.publishes.clone();
        }
        let count = self.input.len();
        input.unsplit(self.input.split());
        self.carried.read.fetch_add(count, Ordering::Relaxed);
        Poll::Ready(Ok(count))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, output: &mut BytesMut) -> Poll<io::Result<()>> {
        (self.carried.written).fetch_add(output.len(), Ordering::Relaxed);
        output.clear();
        Poll::Ready(Ok(()))
    }

    fn poll_end(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Lets it have one turn after the other until nothing moves any more. `progress` is asked after each.
async fn turn_by_turn(serving: impl Future<Output = ()>, mut progress: impl FnMut() -> usize) {
    let mut serving = Box::pin(serving);
    let mut before = None;
    loop {
        let over = poll_fn(|context| Poll::Ready(serving.as_mut().poll(context)));
        assert!(over.await.is_pending(), "its connection has ended");
        let now = Some(progress());
        if now == before {
            return;
        }
        before = now;
    }
}

#[tokio::test]
async fn one_that_always_has_more_lets_others_have_their_turn() {
    const READS: usize = 2_000;
    const READ_BYTES: usize = 4 * 1024;
    let stream = Busy::new(READS, Busy::publishes(READ_BYTES, "busy", 100));
    let carried = Arc::clone(&stream.carried);
    let (_storage, surroundings) = broker();
    let serving = serve_at(surroundings, stream);
    let (mut before, mut most) = (0, 0);
    turn_by_turn(serving, || {
        let now = carried.all();
        most = most.max(now - before);
        before = now;
        now
    })
    .await;
    // Everything came, and went back to it.
    assert!(before > READS * READ_BYTES * 3 / 2, "{before} bytes");
    // What is taken in at last, and what that causes.
    let bound = CARRIED_BYTES_MAX + 2 * OUTPUT_BYTES_MAX;
    assert!(most <= bound, "{most} bytes in one turn");
}

#[tokio::test]
async fn no_more_is_read_than_the_core_takes() {
    const READS: usize = 200;
    const READ_BYTES: usize = 64 * 1024;
    // Thousands of packets come with one read, some hundreds are taken in at a turn, and it has nothing to write meanwhile.
    let stream = Busy::new(READS, Busy::publishes(READ_BYTES, "quiet", 1));
    let carried = Arc::clone(&stream.carried);
    let (storage, surroundings) = broker();
    let serving = serve_at(surroundings, stream);
    let broker = storage.current().get().0;
    let mut most = 0;
    turn_by_turn(serving, || {
        let taken = broker.stats().received.bytes as usize;
        most = most.max(carried.read.load(Ordering::Relaxed) - taken);
        carried.all() + taken
    })
    .await;
    let read = carried.read.load(Ordering::Relaxed);
    assert!(read > (READS - 2) * READ_BYTES, "{read} bytes");
    assert!(most <= READ_BYTES, "{most} bytes lay in the connection");
}
