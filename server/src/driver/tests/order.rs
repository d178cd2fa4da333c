//! Of two connections, who is served first, and what may happen in between.

use ebbtide_broker::Limits;
use parking_lot::Mutex;

use super::*;

const CONNACK: u8 = 0x20;
const SUBACK: u8 = 0x90;
const PUBLISH: u8 = 0x30;
const PUBACK: u8 = 0x40;

/// Who was sent what: the first byte of each write.
type Sent = Arc<Mutex<Vec<(&'static str, u8)>>>;

/// A client that sends one part after the other, each at its moment.
struct Script {
    name: &'static str,
    parts: tokio::sync::mpsc::Receiver<BytesMut>,
    sent: Sent,
    /// Commits what waits whenever something is written to it: the broker has no writer then.
    commits_to: Option<Broker>,
}

impl ByteStream for Script {
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        input: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        self.parts.poll_recv(context).map(|part| {
            let part = part.unwrap_or_default();
            input.extend_from_slice(&part);
            Ok(part.len())
        })
    }

    fn poll_write(&mut self, _: &mut Context<'_>, output: &mut BytesMut) -> Poll<io::Result<()>> {
        self.sent.lock().push((self.name, output[0]));
        output.clear();
        let journal = self.commits_to.as_ref().map(Broker::journal);
        if let Some((journal, batch)) = journal.and_then(|it| Some((it, it.take()?))) {
            journal.finish(batch);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_end(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_message_that_comes_alone_is_delivered_before_it_is_acknowledged() {
    let (_storage, surroundings) = broker();
    let sent = Sent::default();
    let join = |name| {
        let (parts, received) = tokio::sync::mpsc::channel(1);
        let script = Script {
            name,
            parts: received,
            sent: Arc::clone(&sent),
            commits_to: None,
        };
        tokio::spawn(serve_at(surroundings.clone(), script));
        parts
    };
    let (subscriber, publisher) = (join("subscriber"), join("publisher"));
    let steps = [
        (
            &subscriber,
            connect("subscriber"),
            vec![("subscriber", CONNACK)],
        ),
        (
            &subscriber,
            subscribe("topic"),
            vec![("subscriber", SUBACK)],
        ),
        (
            &publisher,
            connect("publisher"),
            vec![("publisher", CONNACK)],
        ),
        (
            &publisher,
            publish("topic", QoS::AtLeastOnce, 1),
            vec![("subscriber", PUBLISH), ("publisher", PUBACK)],
        ),
    ];
    for (client, part, expected) in steps {
        client.send(part).await.expect("it is there");
        while sent.lock().len() < expected.len() {
            tokio::task::yield_now().await;
        }
        assert_eq!(std::mem::take(&mut *sent.lock()), expected);
    }
}

/// It is acknowledged before the disk, and read no further while too much waits for that. The subscriber goes first; while it
/// is served, all that waited is committed: nobody wakes the publisher for it, which was not waiting yet.
#[tokio::test]
async fn what_was_held_back_is_taken_in_if_a_commit_comes_while_another_is_served() {
    let (storage, mut surroundings) = broker();
    surroundings.durability = Durability::Relaxed;
    surroundings.broker.set_limits(Limits {
        journal_bytes_max: 1_000,
        ..Limits::default()
    });
    assert!(storage.finish(), "from here on nobody else commits");
    let sent = Sent::default();
    let join = |name, commits_to| {
        let (parts, received) = tokio::sync::mpsc::channel(1);
        let script = Script {
            name,
            parts: received,
            sent: Arc::clone(&sent),
            commits_to,
        };
        tokio::spawn(serve_at(surroundings.clone(), script));
        parts
    };
    let subscriber = join("subscriber", Some(surroundings.broker.get().0));
    let publisher = join("publisher", None);
    let retained = |payload_bytes| {
        let mut packet = publish("topic", QoS::AtLeastOnce, payload_bytes);
        packet[0] |= 1;
        packet
    };
    let mut both = retained(2_000);
    both.unsplit(retained(1));
    let steps = [
        (&subscriber, connect("subscriber"), vec![CONNACK]),
        (&subscriber, subscribe("topic"), vec![SUBACK]),
        (&publisher, connect("publisher"), vec![]),
        (&publisher, both, vec![PUBLISH, PUBLISH]),
    ];
    for (client, part, expected) in steps {
        client.send(part).await.expect("it is there");
        // Everything runs on this thread: it is there by then, or never.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let sent = std::mem::take(&mut *sent.lock());
        let subscribers = sent.iter().filter(|(name, _)| *name == "subscriber");
        let subscribers: Vec<u8> = subscribers.map(|(_, first)| *first).collect();
        assert_eq!(subscribers, expected);
    }
}
