//! Bytes to packets and back, for 3.1.1 and 5.0.
//!
//! [`Decoder`] takes one packet at a time from a growing buffer and checks everything that one packet alone can do
//! wrong; what depends on earlier packets is left to the state machines. [`encode`] cannot fail. Neither copies a
//! payload when reading, looks past the end of a packet, or takes memory because of a length that a peer announced.
//!
//! Decoded strings and payloads are slices of the input and keep all of that buffer alive: whoever stores one for long
//! should copy it.
//!
//! A file per packet holds both directions; [`property`], [`reader`] and [`sink`] are what they share.

mod ack;
mod auth;
mod connack;
mod connect;
mod decoder;
mod disconnect;
mod encoder;
mod property;
mod publish;
mod reader;
mod reasons;
mod sink;
mod subscribe;
#[cfg(test)]
mod tests;
mod unsubscribe;

pub use decoder::{Decoder, Role};
pub use encoder::{
    EncodeError, check, check_as, drop_diagnostics, encode, encode_as, encode_publish,
    encode_publish_head, encoded_len, fit, publish_len,
};
pub use publish::PublishRef;

/// The largest Remaining Length that four bytes can say (section 2.1.4).
pub const REMAINING_LENGTH_MAX: usize = 268_435_455;

/// The largest packet there can be: type, four bytes of length, and the rest.
pub const PACKET_SIZE_MAX: u32 = REMAINING_LENGTH_MAX as u32 + 5;

/// The control packet types (section 2.1.2), as the upper half of the first byte.
mod packet_type {
    pub const CONNECT: u8 = 1;
    pub const CONNACK: u8 = 2;
    pub const PUBLISH: u8 = 3;
    pub const PUBACK: u8 = 4;
    pub const PUBREC: u8 = 5;
    pub const PUBREL: u8 = 6;
    pub const PUBCOMP: u8 = 7;
    pub const SUBSCRIBE: u8 = 8;
    pub const SUBACK: u8 = 9;
    pub const UNSUBSCRIBE: u8 = 10;
    pub const UNSUBACK: u8 = 11;
    pub const PINGREQ: u8 = 12;
    pub const PINGRESP: u8 = 13;
    pub const DISCONNECT: u8 = 14;
    pub const AUTH: u8 = 15;
}
