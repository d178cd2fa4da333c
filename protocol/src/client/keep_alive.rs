//! When to send PINGREQ, and when a silent connection counts as dead.
//!
//! A ping goes out when either direction was silent for half the Keep Alive: silence towards the server breaks the
//! promise made in CONNECT [MQTT-3.1.2-20], silence from it may be a dead link. Half, since timers can be late.

use super::Millis;

/// The clock of one connection.
#[derive(Debug)]
pub(super) struct KeepAlive {
    interval_ms: u64,
    ping_timeout_ms: u64,
    last_sent: Millis,
    last_received: Millis,
    /// The oldest PINGREQ without an answer has until then.
    deadline: Option<Millis>,
    pings_sent: u64,
    pings_answered: u64,
}

impl KeepAlive {
    pub(super) fn new(now: Millis, keep_alive_s: u16, ping_timeout_ms: u32) -> Self {
        Self {
            interval_ms: u64::from(keep_alive_s) * 500,
            ping_timeout_ms: u64::from(ping_timeout_ms),
            last_sent: now,
            last_received: now,
            deadline: None,
            pings_sent: 0,
            pings_answered: 0,
        }
    }

    pub(super) fn sent(&mut self, now: Millis) {
        self.last_sent = now;
    }

    /// Anything from the server proves that it lives.
    pub(super) fn received(&mut self, now: Millis) {
        self.last_received = now;
        if self.deadline.is_some() {
            self.deadline = Some(now + self.ping_timeout_ms);
        }
    }

    /// The number of the next PINGREQ.
    pub(super) fn next_number(&self) -> u64 {
        self.pings_sent + 1
    }

    /// A PINGREQ goes out, as soon as the transport takes it.
    pub(super) fn ping(&mut self, now: Millis) {
        self.pings_sent += 1;
        self.last_sent = now;
        self.deadline.get_or_insert(now + self.ping_timeout_ms);
    }

    /// Shortens the deadline: the connection is under suspicion.
    pub(super) fn expect_answer_by(&mut self, deadline: Millis) {
        self.deadline = Some(
            self.deadline
                .map_or(deadline, |earlier| earlier.min(deadline)),
        );
    }

    /// A PINGRESP came; returns how many have been answered. One too many is ignored.
    pub(super) fn answered(&mut self) -> u64 {
        self.pings_answered = self.pings_sent.min(self.pings_answered + 1);
        if self.pings_answered == self.pings_sent {
            self.deadline = None;
        }
        self.pings_answered
    }

    /// A PINGREQ has no answer yet.
    pub(super) fn is_waiting(&self) -> bool {
        self.deadline.is_some()
    }

    /// Nothing was sent for so long that the server must have given up: one and a half times the Keep Alive.
    pub(super) fn was_asleep(&self, now: Millis) -> bool {
        self.interval_ms > 0 && now.saturating_sub(self.last_sent) >= self.interval_ms * 3
    }

    /// The server was silent for too long.
    pub(super) fn is_dead(&self, now: Millis) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    pub(super) fn is_ping_due(&self, now: Millis) -> bool {
        self.next_ping().is_some_and(|due| due <= now)
    }

    /// The next moment at which something must happen.
    pub(super) fn next_timeout(&self) -> Option<Millis> {
        self.deadline.into_iter().chain(self.next_ping()).min()
    }

    fn next_ping(&self) -> Option<Millis> {
        // The answer may be long in coming, behind a large packet; the server wants to hear something all the same [MQTT-3.1.2-20].
        let quiet_since = match self.deadline {
            Some(_) => self.last_sent,
            None => self.last_sent.min(self.last_received),
        };
        (self.interval_ms > 0).then_some(quiet_since + self.interval_ms)
    }
}
