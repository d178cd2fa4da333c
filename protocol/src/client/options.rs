//! What an application may choose about its connection. Values only.

use super::Backoff;
use crate::{ByteString, packet::Connect};

/// How a client connects, how long it waits and how much it holds.
#[derive(Clone, Debug)]
pub struct Options {
    /// The CONNECT packet to send. `clean_start` holds for the first connection; later ones resume (5.0).
    pub connect: Connect,
    /// Connect again by itself when a connection was lost.
    pub reconnect: bool,
    /// How long to wait between attempts.
    pub backoff: Backoff,
    /// Seeds the jitter of the backoff: each client needs its own.
    pub seed: u64,
    /// From opening the transport, or from credentials if they are asked for, to CONNACK.
    pub connect_timeout_ms: u32,
    /// From PINGREQ to a sign of life.
    pub ping_timeout_ms: u32,
    /// How long no retained message may come after the PINGRESP before a snapshot counts as complete.
    pub snapshot_quiet_ms: u32,
    /// Publishes that wait or are unacknowledged, at most.
    pub outbound_messages_max: usize,
    /// Their topics and payloads together, at most.
    pub outbound_bytes_max: usize,
    /// What becomes of QoS 0 publishes without a connection.
    pub offline_qos0: OfflineQos0,
    /// The session outlives this process: its changes are handed out as journal entries, and what depends on them waits
    /// until they are stored (see [`super::Client::poll_journal`]).
    pub durable: bool,
    /// What is stored belongs to a session that the server may still have. Durable only.
    pub has_session: bool,
    /// The name of that session, as [`super::JournalEntry::Restarted`] had it.
    pub session_name: Option<ByteString>,
    /// None is stored, and the server may have one all the same, as [`super::JournalEntry::Unsure`] had it. Durable only.
    pub is_unsure: bool,
    /// Takes more than the Receive Maximum from a server that does not keep to it (Mosquitto 2.0, once something is acknowledged), up to the
    /// number of packet ids. Otherwise the connection ends with 0x93.
    pub bears_excess: bool,
    /// Each attempt comes with new credentials, so that a token that has run out is worth another one.
    pub asks_credentials: bool,
}

/// What becomes of a QoS 0 publish while there is no connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OfflineQos0 {
    /// It fails at once. While a connection attempt runs it waits for its outcome.
    #[default]
    Refuse,
    /// It waits in the queue like the others.
    Keep,
}

impl Options {
    /// Sensible limits and times around a CONNECT packet.
    #[must_use]
    pub fn new(connect: Connect) -> Self {
        Self {
            connect,
            reconnect: true,
            backoff: Backoff::default(),
            seed: 0,
            connect_timeout_ms: 10_000,
            ping_timeout_ms: 10_000,
            snapshot_quiet_ms: 50,
            outbound_messages_max: 10_000,
            outbound_bytes_max: 16 << 20,
            offline_qos0: OfflineQos0::Refuse,
            durable: false,
            has_session: false,
            session_name: None,
            is_unsure: false,
            bears_excess: false,
            asks_credentials: false,
        }
    }
}
