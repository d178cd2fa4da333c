//! A client inside the program, without a socket. Its session ends with it, so nothing is ever read from the store for it.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use ebbtide_broker::{Answer, Broker, Connection, Identity, Origin, Question, Transport};
use ebbtide_protocol::{
    Packet, ReasonCode, Version,
    codec::{Decoder, Role, encode},
    packet::Connect,
};

use crate::{clock::Clock, storage::CurrentBroker, wake};

/// Generous: a loaded machine, and the pauses before a store is opened again.
pub const DEADLINE: Duration = Duration::from_secs(20);

pub struct Client {
    connection: Connection,
    broker: Arc<Broker>,
    clock: Clock,
    decoder: Decoder,
    received: BytesMut,
}

impl Client {
    /// Connects and takes CONNACK; `Err`: it is refused.
    pub fn connect(
        current: &CurrentBroker,
        clock: Clock,
        connect: Connect,
    ) -> Result<Self, ReasonCode> {
        let (broker, _) = current.get();
        let origin = Origin {
            address: "test".into(),
            transport: Transport::Tcp,
        };
        let waker = wake::unpark(thread::current());
        let connection = broker.connect(origin, waker, clock.now());
        let mut client = Self {
            connection,
            broker: Arc::new(broker),
            clock,
            decoder: Decoder::new(Role::Client, u32::MAX),
            received: BytesMut::new(),
        };
        client.send(Packet::Connect(Box::new(connect)));
        match client.next() {
            Some(Packet::ConnAck(connack)) if !connack.reason.is_error() => Ok(client),
            Some(Packet::ConnAck(connack)) => Err(connack.reason),
            other => panic!("no CONNACK: {other:?}"),
        }
    }

    pub fn send(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        encode(&packet, Version::V5, &mut bytes);
        while self.connection.receive(&mut bytes, self.clock.now()) {}
    }

    /// The next packet; `None`: the connection is over.
    pub fn next(&mut self) -> Option<Packet> {
        let until = Instant::now() + DEADLINE;
        loop {
            if let Some(packet) = self.look() {
                return Some(packet);
            }
            if self.connection.close().is_some() {
                return None;
            }
            // Its waker unparks; one that came before is not lost. To look once more at the end would hide one that did not come.
            thread::park_timeout(until.saturating_duration_since(Instant::now()));
            assert!(Instant::now() < until, "nobody woke it");
        }
    }

    /// The next packet if it is there.
    pub fn look(&mut self) -> Option<Packet> {
        self.connection.handle_wake(self.clock.now());
        while let Some(question) = self.connection.poll_question() {
            let answer = match question {
                Question::Authenticate(_) => Answer::Authenticated(Ok(Identity::default()).into()),
                other => panic!("unexpected {other:?}"),
            };
            self.connection.handle_answer(answer, self.clock.now());
        }
        while self
            .connection
            .poll_transmit(&mut self.received, self.clock.now())
        {}
        self.decoder.decode(&mut self.received).expect("MQTT")
    }

    /// Why it is over.
    pub fn closed(&self) -> Option<ReasonCode> {
        self.connection.close().map(|close| close.reason)
    }

    /// The broker that it is connected to.
    pub fn broker(&self) -> &Broker {
        &self.broker
    }
}
