//! What has come, and the runtime has not looked at the socket yet.

use std::{io::Write, net::SocketAddr, time::Duration};

use ebbtide_broker::Limits;
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    time::sleep,
};

use super::{
    super::unseen::CATCH_UP,
    takeover::{Mail, connect, disconnect, retained, will},
    *,
};
use crate::looks;

/// So many others are served first.
const OTHERS: u32 = 50;
/// As long as each of them takes.
const TURN: Duration = Duration::from_millis(2);

/// Sockets that have something before the one in question has.
struct Crowd {
    listener: TcpListener,
    address: SocketAddr,
    others: Vec<std::net::TcpStream>,
}

impl Crowd {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let mut crowd = Self {
            listener,
            address,
            others: Vec::new(),
        };
        for _ in 0..OTHERS {
            let (other, mut stream) = crowd.pair().await;
            crowd.others.push(other);
            tokio::spawn(async move {
                while stream.read(&mut [0; 16]).await.is_ok_and(|count| count > 0) {
                    std::thread::sleep(TURN);
                }
            });
        }
        crowd
    }

    /// Both ends of a new connection.
    async fn pair(&self) -> (std::net::TcpStream, TcpStream) {
        let client = std::net::TcpStream::connect(self.address).expect("it listens");
        (client, self.listener.accept().await.expect("it has come").0)
    }

    /// Something comes for all of them, and only then what `client` sends.
    fn push_in_front(&mut self, client: &mut std::net::TcpStream, packets: &[Packet]) {
        for other in &mut self.others {
            other.write_all(b"x").expect("there is room");
        }
        send(client, packets);
    }
}

fn send(client: &mut std::net::TcpStream, packets: &[Packet]) {
    let mut bytes = BytesMut::new();
    for packet in packets {
        encode(packet, Version::V5, &mut bytes);
    }
    client.write_all(&bytes).expect("there is room");
}

/// In a runtime that looks as the broker's does, with one thread.
fn run(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = looks::bound(&mut runtime).enable_all().build();
    runtime.expect("a runtime").block_on(test);
}

/// A client that `hello` lets in, and the task that serves it.
async fn client(
    crowd: &Crowd,
    surroundings: &Surroundings,
    hello: Packet,
) -> (std::net::TcpStream, tokio::task::JoinHandle<()>) {
    let (mut client, stream) = crowd.pair().await;
    let serving = tokio::spawn(serve_at(surroundings.clone(), Tcp::new(stream)));
    send(&mut client, &[hello]);
    let (broker, _) = surroundings.broker.get();
    while broker.stats().connections == 0 {
        looks::all_seen().await;
    }
    looks::all_seen().await;
    (client, serving)
}

/// [MQTT-3.14.4-3]: would fail if it were waited for a time that is set.
#[test]
fn what_came_before_a_takeover_is_taken_in() {
    assert!(OTHERS * TURN > 5 * CATCH_UP);
    run(async {
        let (_storage, surroundings) = broker();
        let mut crowd = Crowd::new().await;
        let (mut one, first) = client(&crowd, &surroundings, connect(Some(will()))).await;
        crowd.push_in_front(&mut one, &[retained("one"), retained("two"), disconnect()]);
        let second = Mail::default();
        second.put(connect(None));
        let second = tokio::spawn(serve_at(surroundings.clone(), second));
        first.await.expect("it ends");
        second.abort();
        let (broker, _) = surroundings.broker.get();
        assert_eq!(broker.stats().retained, 2, "what it said, and no will");
    });
}

/// [MQTT-3.1.2-22]: would fail if a client paid for a broker that stood still, or was late, with its connection.
#[test]
fn who_sent_something_in_time_was_not_silent() {
    // One and a half times its keep alive of a second.
    const SILENCE: Duration = Duration::from_millis(1_500);
    run(async {
        let (_storage, surroundings) = broker();
        let mut crowd = Crowd::new().await;
        let hello = Packet::Connect(Box::new(Connect {
            client_id: "me".to_owned().into(),
            keep_alive: 1,
            ..Connect::default()
        }));
        let (mut one, _serving) = client(&crowd, &surroundings, hello).await;
        crowd.push_in_front(&mut one, &[Packet::PingReq]);
        // The whole broker stands still.
        std::thread::sleep(SILENCE + TURN);
        let (broker, _) = surroundings.broker.get();
        sleep(SILENCE / 2).await;
        assert_eq!(broker.stats().connections, 1, "it stays");
        sleep(SILENCE).await;
        assert_eq!(broker.stats().connections, 0, "then it was silent");
    });
}

/// Would fail if no more were looked at than one read gives.
#[test]
fn a_long_connect_packet_that_came_in_time_is_read_to_its_end() {
    const DEADLINE: Duration = Duration::from_millis(500);
    run(async {
        let (_storage, surroundings) = broker();
        surroundings.broker.set_limits(Limits {
            connect_deadline_ms: 500,
            ..Limits::default()
        });
        let mut crowd = Crowd::new().await;
        let (mut one, stream) = crowd.pair().await;
        let serving = tokio::spawn(serve_at(surroundings.clone(), Tcp::new(stream)));
        looks::all_seen().await;
        let hello = Packet::Connect(Box::new(Connect {
            client_id: "me".to_owned().into(),
            password: Some(vec![b'x'; 1_500].into()),
            ..Connect::default()
        }));
        crowd.push_in_front(&mut one, &[hello]);
        // The whole broker stands still.
        std::thread::sleep(DEADLINE + TURN);
        let (broker, _) = surroundings.broker.get();
        while broker.stats().connections == 0 {
            assert!(!serving.is_finished(), "it has to go");
            sleep(TURN).await;
        }
    });
}
