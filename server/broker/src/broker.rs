//! What all connections share, and the ways in from outside that belong to no connection.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Waker,
};

use ebbtide_protocol::ByteString;
use ebbtide_store::{Incarnation, RetainedChange};
use parking_lot::{Mutex, RwLock};

use crate::{
    Connection, Journal, Limits, Monotonic, Now, Origin,
    numbers::{Exhausted, Numbers},
    registry::Registry,
    route::{index::Index, mailbox::Mailbox, retained::Retained},
    stats::{Counters, Stats},
    timers::{Timer, Timers},
    wills::Wills,
};

/// The state behind all connections. Locks are taken in the order of the fields; each is a leaf but for the
/// critical section of `route::publish` and its like, which hold `index`, then `numbers`.
#[derive(Debug)]
pub(crate) struct Shared {
    pub limits: Limits,
    pub registry: Registry,
    pub index: RwLock<Index>,
    /// Also the lock that puts accepted messages in order.
    pub numbers: Mutex<Numbers>,
    pub retained: RwLock<Retained>,
    pub wills: Wills,
    pub timers: Timers,
    pub journal: Journal,
    pub counters: Counters,
    pub stopping: AtomicBool,
    /// For client ids that the broker assigns.
    pub seed: u64,
    pub assigned: AtomicU64,
}

impl Shared {
    pub fn new_mailbox(&self, session: Incarnation, kept: bool) -> Mailbox {
        let limits = &self.limits;
        Mailbox::new(
            session,
            kept,
            limits.outgoing_bytes_max,
            limits.queue_messages_per_session_max,
        )
    }

    pub fn new_incarnation(&self) -> Result<Incarnation, Exhausted> {
        self.numbers.lock().incarnation(&self.journal)
    }

    /// Changes the retained message of a topic. The caller holds the order lock.
    pub fn change_retained(&self, change: RetainedChange) {
        match change {
            RetainedChange::Set(row) => self.retained.write().set(row),
            RetainedChange::Clear { topic, .. } => {
                self.retained.write().clear(&topic);
            }
        }
    }

    /// A name for a client that came without one; unlike that of any other client, also of other runs.
    pub fn assign_client_id(&self) -> ByteString {
        let count = self.assigned.fetch_add(1, Ordering::Relaxed);
        format!(
            "auto-{:016x}{count:x}",
            scramble(self.seed ^ scramble(count))
        )
        .into()
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

/// One round of SplitMix64: spreads a counter over all bits.
fn scramble(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The shared half of the broker; cheap to clone.
#[derive(Clone, Debug)]
pub struct Broker {
    pub(crate) shared: Arc<Shared>,
}

impl Broker {
    /// A new byte stream. `waker` is woken when the connection has something to do: call
    /// [`Connection::handle_wake`] then.
    #[must_use]
    pub fn connect(&self, origin: Origin, waker: Waker, now: Now) -> Connection {
        Connection::new(Arc::clone(&self.shared), origin, waker, now)
    }

    /// The way to the store.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.shared.journal
    }

    /// When [`Broker::handle_timeout`] has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Monotonic> {
        self.shared.timers.first()
    }

    /// Who is woken when [`Broker::poll_timeout`] has moved to an earlier time.
    pub fn set_timer_waker(&self, waker: Waker) {
        self.shared.timers.set_waker(waker);
    }

    /// Publishes wills that are due, ends sessions and removes retained messages that have expired.
    pub fn handle_timeout(&self, now: Now) {
        let shared = &*self.shared;
        while let Some(timer) = shared.timers.pop(now.monotonic) {
            match timer {
                Timer::Will(session) => shared.wills.fire_if_due(shared, session, now),
                Timer::Session(client_id, session) => {
                    if let Some(session) =
                        shared
                            .registry
                            .take_expired(&client_id, session, now.monotonic)
                    {
                        // The will goes when the session does, whatever its delay [MQTT-3.1.3-9].
                        shared.wills.fire(shared, session.incarnation, now);
                        session.end(shared);
                    }
                }
                Timer::Retained(topic, revision) => {
                    crate::expiry::retained(shared, &topic, revision);
                }
            }
        }
    }

    /// The server stops: every connection says 0x8B and closes, new ones are refused. Wills stay for the next start.
    pub fn shut_down(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.shared.registry.wake_all();
    }

    /// A snapshot of counters and gauges.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let shared = &*self.shared;
        Stats {
            connections: shared.counters.connections.load(Ordering::Relaxed),
            sessions: shared.registry.len() as u64,
            subscriptions: shared.index.read().len() as u64,
            retained: shared.retained.read().len() as u64,
            waiting: shared.journal.waiting_messages() as u64,
            received: shared.counters.received.load(Ordering::Relaxed),
            sent: shared.counters.sent.load(Ordering::Relaxed),
            dropped: shared.counters.drops(),
        }
    }
}
