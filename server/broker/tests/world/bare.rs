//! A connection that a test drives by itself, look by look, beside those of the [`World`].

use std::task::Waker;

use bytes::BytesMut;
use ebbtide_broker::{Answer, Connection, Identity, Now, Origin, Transport};
use ebbtide_protocol::{
    Packet, Version,
    codec::{Decoder, Role, encode},
    packet::Connect,
};

use super::World;

pub struct Bare {
    pub connection: Connection,
    decoder: Decoder,
    pub output: BytesMut,
}

impl Bare {
    /// Everybody is let in.
    pub fn open(world: &World, connect: Connect) -> Self {
        Self::woken_by(world, connect, Waker::noop().clone())
    }

    /// The same, and whoever wakes it wakes `waker`.
    pub fn woken_by(world: &World, connect: Connect, waker: Waker) -> Self {
        let origin = Origin {
            address: "test".into(),
            transport: Transport::Tcp,
        };
        let mut decoder = Decoder::new(Role::Client, u32::MAX);
        decoder.set_version(Version::V5);
        let mut line = Self {
            connection: world.broker.connect(origin, waker, Now::default()),
            decoder,
            output: BytesMut::new(),
        };
        line.send(&Packet::Connect(Box::new(connect)));
        assert!(line.connection.poll_question().is_some());
        let answer = Answer::Authenticated(Ok(Identity::default()).into());
        line.connection.handle_answer(answer, Now::default());
        line
    }

    pub fn send(&mut self, packet: &Packet) {
        let mut bytes = BytesMut::new();
        encode(packet, Version::V5, &mut bytes);
        self.take(&mut bytes);
    }

    /// A part of what has come, as one turn takes it; `true`: there is more.
    pub fn take(&mut self, input: &mut BytesMut) -> bool {
        self.connection.receive(input, Now::default())
    }

    /// One look at what there is to write; `true`: there is more.
    pub fn look(&mut self) -> bool {
        self.connection
            .poll_transmit(&mut self.output, Now::default())
    }

    /// The packets that are whole in what was to be written.
    pub fn written(&mut self) -> Vec<Packet> {
        let decode = || self.decoder.decode(&mut self.output).expect("it is MQTT");
        std::iter::from_fn(decode).collect()
    }

    /// Those of one look.
    pub fn turn(&mut self) -> Vec<Packet> {
        self.look();
        self.written()
    }
}
