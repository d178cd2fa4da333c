//! What is counted: nothing is dropped without it.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why a message did not reach a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropReason {
    /// The session's queue has its limit of messages.
    QueueFull,
    /// QoS 0 for a session that is away or behind.
    QoS0Unready,
    /// QoS 1 or 2 for a transient session that has its limit of bytes waiting.
    Overflow,
    /// A group of a shared subscription has no member there, or has its limit of bytes waiting, and nothing keeps it.
    NobodyThere,
    /// Its Message Expiry Interval has passed.
    Expired,
    /// It is larger than the client's Maximum Packet Size.
    TooLarge,
    /// Its row in the store cannot be read.
    Damaged,
}

const DROP_REASONS: usize = 7;

/// Counters that grow for the life of the process.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub connections: AtomicU64,
    pub received: AtomicU64,
    pub sent: AtomicU64,
    dropped: [AtomicU64; DROP_REASONS],
}

impl Counters {
    pub fn dropped(&self, reason: DropReason) {
        self.dropped[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub fn drops(&self) -> Drops {
        let of = |reason: DropReason| self.dropped[reason as usize].load(Ordering::Relaxed);
        Drops {
            queue_full: of(DropReason::QueueFull),
            qos0_unready: of(DropReason::QoS0Unready),
            overflow: of(DropReason::Overflow),
            nobody_there: of(DropReason::NobodyThere),
            expired: of(DropReason::Expired),
            too_large: of(DropReason::TooLarge),
            damaged: of(DropReason::Damaged),
        }
    }
}

/// Counters and gauges of the broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections past CONNECT, now.
    pub connections: u64,
    /// Sessions, connected or away, now.
    pub sessions: u64,
    /// Subscriptions, now.
    pub subscriptions: u64,
    /// Retained messages, now.
    pub retained: u64,
    /// Messages that the store keeps because a session waits for them, now.
    pub waiting: u64,
    /// PUBLISH packets taken in since start.
    pub received: u64,
    /// PUBLISH packets sent since start.
    pub sent: u64,
    /// Deliveries that did not take place since start.
    pub dropped: Drops,
}

/// Deliveries that did not take place, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// The session had `queue_messages_per_session_max` messages waiting.
    pub queue_full: u64,
    /// QoS 0 while the session was away or behind.
    pub qos0_unready: u64,
    /// A transient session had `outgoing_bytes_max` bytes waiting; its connection was ended with 0x97.
    pub overflow: u64,
    /// A shared subscription had no member connected that could take it, and it was QoS 0 or no session was kept.
    pub nobody_there: u64,
    /// The Message Expiry Interval had passed.
    pub expired: u64,
    /// Larger than the client's Maximum Packet Size [MQTT-3.1.2-25].
    pub too_large: u64,
    /// The store could not read the row.
    pub damaged: u64,
}
