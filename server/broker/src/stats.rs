//! What is counted: nothing is dropped without it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::hits::{HitCounters, Hits};

/// Why a message did not reach a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropReason {
    /// The session's queue has its limit of messages.
    QueueFull,
    /// QoS 0 for a session that is away or behind, and what nobody keeps when its connection ends.
    QoS0Unready,
    /// QoS 1 or 2 for a transient session that has its limit of bytes waiting, or for a group of none but such sessions.
    Overflow,
    /// A group of a shared subscription has no member there, or at QoS 0 its limit of bytes waiting, and nothing keeps it.
    NobodyThere,
    /// Its Message Expiry Interval has passed.
    Expired,
    /// It is larger than the client's Maximum Packet Size.
    TooLarge,
    /// Its row in the store cannot be read.
    Damaged,
    /// A limit in all is reached: it was refused before anybody got it.
    Refused,
    /// There is no room on the disk: it was refused before anybody got it.
    NoRoom,
    /// An operator has emptied the queue.
    Purged,
    /// A rule does not allow it. The last: see [`DROP_REASONS`].
    Denied,
}

const DROP_REASONS: usize = DropReason::Denied as usize + 1;

/// Counters that grow for the life of the process.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub connections: AtomicU64,
    pub connections_max: AtomicU64,
    pub opened: AtomicU64,
    pub connects: AtomicU64,
    pub expired_sessions: AtomicU64,
    implausible_times: AtomicU64,
    pub received: TrafficCounters,
    pub sent: TrafficCounters,
    dropped: [AtomicU64; DROP_REASONS],
    pub limits: HitCounters,
}

#[derive(Debug, Default)]
pub(crate) struct TrafficCounters {
    packets: AtomicU64,
    bytes: AtomicU64,
    publishes: AtomicU64,
    payload_bytes: AtomicU64,
}

impl TrafficCounters {
    /// What a turn of one connection has moved: the counters are shared by all, so not for each packet.
    pub fn add(&self, turn: Traffic) {
        let pairs = [
            (&self.packets, turn.packets),
            (&self.bytes, turn.bytes),
            (&self.publishes, turn.publishes),
            (&self.payload_bytes, turn.payload_bytes),
        ];
        for (counter, more) in pairs {
            if more > 0 {
                counter.fetch_add(more, Ordering::Relaxed);
            }
        }
    }

    pub fn read(&self) -> Traffic {
        Traffic {
            packets: self.packets.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            publishes: self.publishes.load(Ordering::Relaxed),
            payload_bytes: self.payload_bytes.load(Ordering::Relaxed),
        }
    }
}

impl Counters {
    /// A time on disk makes no sense.
    pub fn implausible(&self) {
        self.implausible_times.fetch_add(1, Ordering::Relaxed);
    }

    pub fn implausible_times(&self) -> u64 {
        self.implausible_times.load(Ordering::Relaxed)
    }

    /// A client is in.
    pub fn connected(&self) {
        self.connects.fetch_add(1, Ordering::Relaxed);
        let now = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        self.connections_max.fetch_max(now, Ordering::Relaxed);
    }

    /// It has gone.
    pub fn disconnected(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

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
            refused: of(DropReason::Refused),
            no_room: of(DropReason::NoRoom),
            purged: of(DropReason::Purged),
            denied: of(DropReason::Denied),
        }
    }
}

/// Counters and gauges of the broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections past CONNECT, now.
    pub connections: u64,
    /// The most of them at one time since start.
    pub connections_max: u64,
    /// Byte streams that were opened since start.
    pub opened: u64,
    /// Connections that got past CONNECT since start.
    pub connects: u64,
    /// Times on disk that made no sense since start: the clock was set.
    pub implausible_times: u64,
    /// Sessions whose Session Expiry Interval has passed since start.
    pub expired_sessions: u64,
    /// Sessions, connected or away, now.
    pub sessions: u64,
    /// Subscriptions, now; the shared ones among them.
    pub subscriptions: u64,
    /// Memberships in shared subscriptions, now.
    pub shared_subscriptions: u64,
    /// Retained messages, now.
    pub retained: u64,
    /// Messages that the store keeps because a session waits for them, now.
    pub waiting: u64,
    /// Bytes of their topics, payloads and properties.
    pub waiting_bytes: u64,
    /// Bytes of topics, payloads and properties of retained messages.
    pub retained_bytes: u64,
    /// What clients have sent since start.
    pub received: Traffic,
    /// What clients were sent since start.
    pub sent: Traffic,
    /// Deliveries that did not take place since start.
    pub dropped: Drops,
    /// How often limits have kept something out since start.
    pub limits: Hits,
}

/// What has passed in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Packets of any type.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// PUBLISH packets.
    pub publishes: u64,
    /// Bytes of their payloads.
    pub payload_bytes: u64,
}

impl Drops {
    /// Each reason by its name, with its count.
    #[must_use]
    pub fn by_reason(&self) -> [(&'static str, u64); DROP_REASONS] {
        [
            ("queue_full", self.queue_full),
            ("qos0_unready", self.qos0_unready),
            ("overflow", self.overflow),
            ("nobody_there", self.nobody_there),
            ("expired", self.expired),
            ("too_large", self.too_large),
            ("damaged", self.damaged),
            ("refused", self.refused),
            ("no_room", self.no_room),
            ("purged", self.purged),
            ("denied", self.denied),
        ]
    }

    /// Of all reasons.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.by_reason().iter().map(|(_, count)| count).sum()
    }
}

/// Deliveries that did not take place, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// The session had `queue_messages_per_session_max` messages or `queue_bytes_per_session_max` bytes waiting.
    pub queue_full: u64,
    /// QoS 0 while the session was away or behind, and what was not sent when a connection ended and nobody keeps: QoS 0, and
    /// all of a session that is not kept.
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
    /// Publishes that were refused because a limit in all is reached; QoS 0 ones went without a word.
    pub refused: u64,
    /// Publishes that were refused because they would have to be kept and there is no room on the disk, or the store had
    /// failed; QoS 0 ones went without a word.
    pub no_room: u64,
    /// An operator has emptied the session's queue.
    pub purged: u64,
    /// A rule did not allow it: a publish, or what a session was to be sent.
    pub denied: u64,
}
