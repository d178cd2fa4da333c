//! What all connections share.

use std::task::Waker;

use ebbtide_store::Row;

use crate::{Connection, Journal, Limits, Monotonic, Now, Origin};

/// The shared half of the broker; cheap to clone.
#[derive(Clone, Debug)]
pub struct Broker {}

/// A broker on its way up: takes the rows that a store recovers, in the store's order.
#[derive(Debug)]
pub struct Recovery {}

impl Recovery {
    /// Starts empty. `seed` makes assigned client ids and hash orders differ between runs.
    #[must_use]
    pub fn new(_limits: Limits, _seed: u64) -> Self {
        unimplemented!()
    }

    /// Takes one row.
    pub fn row(&mut self, _row: Row) {
        unimplemented!()
    }

    /// Sessions that had a connection count as disconnected from now on; wills and expiry run.
    #[must_use]
    pub fn finish(self, _now: Now) -> Broker {
        unimplemented!()
    }
}

/// Counters and gauges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections past CONNECT.
    pub connections: u64,
}

impl Broker {
    /// A new byte stream. `waker` is woken when the connection has something to do: call
    /// [`Connection::handle_wake`] then.
    #[must_use]
    pub fn connect(&self, _origin: Origin, _waker: Waker, _now: Now) -> Connection {
        unimplemented!()
    }

    /// The way to the store.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        unimplemented!()
    }

    /// When [`Broker::handle_timeout`] has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Monotonic> {
        unimplemented!()
    }

    /// Who is woken when [`Broker::poll_timeout`] has moved to an earlier time.
    pub fn set_timer_waker(&self, _waker: Waker) {
        unimplemented!()
    }

    /// Publishes wills that are due, ends sessions that have expired.
    pub fn handle_timeout(&self, _now: Now) {
        unimplemented!()
    }

    /// The server stops: every connection says 0x8B and closes, new ones are refused. Wills stay for the next start.
    pub fn shut_down(&self) {
        unimplemented!()
    }

    /// A snapshot of the counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        unimplemented!()
    }
}
