//! Bytes in, bytes out: the codec around the machine, so that drivers move bytes and nothing else.

use bytes::BytesMut;

use super::{Client, Millis};
use crate::{
    Decoder, ReasonCode, Role,
    codec::{PACKET_SIZE_MAX, encode_as},
};

impl Client {
    /// Bytes arrived; complete packets are taken from the front of `input`, the rest stays for the next call. What is
    /// no MQTT ends the connection. A part of a packet is a sign of life, too; with nothing in `input` this says that the
    /// transport has got rid of bytes that waited in it, which the other side has therefore taken.
    pub fn handle_input(&mut self, now: Millis, input: &mut BytesMut) {
        self.heard(now);
        while self.has_transport() {
            match self.decoder.decode_as(Role::Client, input) {
                Ok(Some(packet)) => self.take(now, packet),
                Ok(None) => return,
                Err(violation) => self.handle_violation(now, violation.reason()),
            }
        }
        // It belongs to a connection that is over.
        input.clear();
    }

    /// What arrived cannot be MQTT, whatever its bytes (a WebSocket text frame [MQTT-6.0.0-1]).
    pub fn handle_violation(&mut self, now: Millis, reason: ReasonCode) {
        self.fail(now, reason);
    }

    /// Appends what is to be written to `output`, until that holds `enough` bytes or nothing is left.
    pub fn poll_output(&mut self, now: Millis, output: &mut BytesMut, enough: usize) {
        let version = self.options.connect.version;
        while output.len() < enough
            && let Some(packet) = self.poll_packet(now)
        {
            encode_as(Some(Role::Client), &packet, version, output);
        }
    }

    /// A decoder for a new connection.
    pub(super) fn new_decoder(&self) -> Decoder {
        let connect = &self.options.connect;
        let mut decoder = Decoder::new(
            Role::Client,
            connect.maximum_packet_size.unwrap_or(PACKET_SIZE_MAX),
        );
        decoder.set_version(connect.version);
        decoder
    }
}
