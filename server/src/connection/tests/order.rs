//! Of two connections, who is served first.

use parking_lot::Mutex;

use super::*;

/// A client that sends one part after the other, each at its moment.
struct Script {
    name: &'static str,
    parts: tokio::sync::mpsc::Receiver<BytesMut>,
    /// Who was sent what: the first byte of each write.
    sent: Arc<Mutex<Vec<(&'static str, u8)>>>,
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
        Poll::Ready(Ok(()))
    }

    fn poll_end(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_message_that_comes_alone_is_delivered_before_it_is_acknowledged() {
    const CONNACK: u8 = 0x20;
    const SUBACK: u8 = 0x90;
    const PUBLISH: u8 = 0x30;
    const PUBACK: u8 = 0x40;
    let (_storage, surroundings) = broker();
    let sent = Arc::default();
    let join = |name| {
        let (parts, received) = tokio::sync::mpsc::channel(1);
        let script = Script {
            name,
            parts: received,
            sent: Arc::clone(&sent),
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
