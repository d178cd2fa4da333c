//! The ways into the core from outside that belong to no connection.

use std::{
    sync::{Arc, atomic::Ordering},
    task::Waker,
};

use bytes::Bytes;

use ebbtide_protocol::{ByteString, TopicName};
use ebbtide_store::{AccessName, AccessRow, Operation};

use crate::{
    Connection, Event, Journal, Limit, Limits, Monotonic, Now, Origin, Rules, SessionEnd, expiry,
    journal::Ticket,
    presence::Settled,
    route::{self, excess},
    rules::Book,
    shared::Shared,
    stats::Stats,
    timers::Timer,
    work::{STEPS_PER_TURN, TIMER_STEPS},
};

/// When presence is looked at again that could not be settled.
const SETTLE_AGAIN_MS: u64 = 100;

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

    /// The limits that apply now.
    #[must_use]
    pub fn limits(&self) -> Arc<Limits> {
        self.shared.limits.load_full()
    }

    /// Sets new limits. Limits of the whole broker, of a user and of a session apply at once; what CONNACK announced, or what a
    /// connection was given when it began, applies to connections that begin from now on. The call itself removes nothing that
    /// exceeds a lower limit; with [`QueueOverflow::DropOldest`](crate::QueueOverflow) a queue comes down to it with its next message.
    pub fn set_limits(&self, limits: Limits) {
        self.shared.limits.store(Arc::new(limits));
    }

    /// Counts that a limit has kept something out. For limits that are enforced outside the core.
    pub fn count_hit(&self, limit: Limit) {
        self.shared.counters.limits.hit(limit);
    }

    /// Whether more memory is in use than [`Limits::memory_bytes_max`]. When that begins all connections are woken: see
    /// [`Connection::handle_incomplete`].
    pub fn set_short_of_memory(&self, is_short: bool) {
        let was_short = self
            .shared
            .is_short_of_memory
            .swap(is_short, Ordering::Relaxed);
        if is_short && !was_short {
            self.shared.registry.wake_all();
        }
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

    /// Publishes wills that are due, ends sessions and removes retained messages that have expired: as much as one turn may. While
    /// [`Broker::poll_timeout`] is not later than now, call it again once others have had their turn. Gives how many steps it took.
    pub fn handle_timeout(&self, now: Now) -> usize {
        let shared = &*self.shared;
        let mut steps = 0;
        while steps < STEPS_PER_TURN
            && let Some(timer) = shared.timers.pop(now.monotonic)
        {
            steps += TIMER_STEPS;
            match timer {
                Timer::Presence => {
                    if let Some(presence) = &shared.presence {
                        let left = STEPS_PER_TURN.saturating_sub(steps);
                        let (taken, settled) = presence.settle(shared, left, now);
                        steps += taken;
                        let again_ms = match settled {
                            Settled::All => continue,
                            Settled::Some => 0,
                            Settled::Behind => SETTLE_AGAIN_MS,
                        };
                        let again = now.monotonic.plus_ms(again_ms);
                        shared.timers.set(again, Timer::Presence);
                    }
                }
                Timer::Will(session) => steps += shared.wills.fire_if_due(shared, session, now),
                Timer::Session(client_id) => {
                    if let Some(session) = shared.registry.take_expired(&client_id, now.monotonic) {
                        shared
                            .counters
                            .expired_sessions
                            .fetch_add(1, Ordering::Relaxed);
                        // The will goes when the session does, whatever its delay [MQTT-3.1.2-8].
                        steps += shared.wills.fire(shared, session.incarnation, now);
                        steps += session.steps_to_end();
                        session.end(shared);
                        shared.tell(now, || Event::SessionEnded {
                            client_id,
                            why: SessionEnd::Expired,
                        });
                    }
                }
                Timer::Retained(topic) => {
                    expiry::retained(shared, &topic, now);
                }
                Timer::Queued => steps += expiry::queued(shared, now),
                Timer::Abandoned => steps += shared.abandon_more(),
                Timer::Excess => steps += excess::evict_more(shared, now),
            }
        }
        steps
    }

    /// The server stops: every connection says 0x8B and closes, new ones are refused. With a Server Reference they say
    /// 0x9C and name it (section 4.11). Wills stay for the next start.
    pub fn shut_down(&self, server_reference: Option<ByteString>) {
        // Stopped twice, the first reference stands.
        let _ = self.shared.stopping.set(server_reference);
        self.shared.registry.wake_all();
    }

    /// From now on these rules decide, also about what waits. Without rules at the start there is nothing to change.
    pub fn set_rules(&self, rules: Arc<Rules>) {
        if let Some(book) = &self.shared.rules {
            book.set(rules);
            // For those who share subscriptions: others may have what they may not have any more.
            self.shared.registry.wake_all();
        }
    }

    /// The rules of now; `None`: everybody may do anything.
    #[must_use]
    pub fn rules(&self) -> Option<Arc<Rules>> {
        self.shared.rules.as_ref().map(Book::get)
    }

    /// Keeps a user, a key, the rules or the secret; what follows from it is decided outside.
    pub fn put_access(&self, row: AccessRow) -> Ticket {
        let row = Box::new(row);
        self.shared.journal.submit(Operation::PutAccess(row))
    }

    /// Removes one of these.
    pub fn remove_access(&self, name: AccessName) -> Ticket {
        self.shared.journal.submit(Operation::RemoveAccess(name))
    }

    /// The client ids of all sessions of a user.
    #[must_use]
    pub fn client_ids_of(&self, user: &str) -> Vec<ByteString> {
        self.shared.registry.client_ids_of(user)
    }

    /// Publishes a value of the broker's own below `$SYS/`: to who is there, and to newcomers from memory. It is not kept on
    /// disk and does not wait for who is away.
    pub fn publish_system(&self, topic: TopicName, payload: Bytes, now: Now) {
        route::publish_system(&self.shared, topic, payload, now);
    }

    /// A snapshot of counters and gauges.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let shared = &*self.shared;
        let counters = &shared.counters;
        let (subscriptions, shared_subscriptions) = {
            let index = shared.index.read();
            (index.len() as u64, index.memberships() as u64)
        };
        let (retained, retained_bytes) = {
            let retained = shared.retained.read();
            (retained.len() as u64, retained.bytes())
        };
        Stats {
            connections: counters.connections.load(Ordering::Relaxed),
            connections_max: counters.connections_max.load(Ordering::Relaxed),
            opened: counters.opened.load(Ordering::Relaxed),
            connects: counters.connects.load(Ordering::Relaxed),
            implausible_times: counters.implausible_times(),
            expired_sessions: counters.expired_sessions.load(Ordering::Relaxed),
            sessions: shared.registry.len() as u64,
            subscriptions,
            shared_subscriptions,
            retained,
            retained_bytes,
            waiting: shared.journal.waiting_messages() as u64,
            waiting_bytes: shared.journal.waiting_bytes(),
            received: counters.received.read(),
            sent: counters.sent.read(),
            dropped: counters.drops(),
            limits: counters.limits.read(),
        }
    }
}
