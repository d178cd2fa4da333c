//! What differs between MQTT 3.1.1 and 5.0, all of it in this file; the rest of the tree asks here.

/// The protocol version of one connection, fixed by its CONNECT packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Version {
    /// MQTT 3.1.1, protocol level 4.
    V3_1_1 = 4,
    /// MQTT 5.0, protocol version 5.
    #[default]
    V5 = 5,
}
