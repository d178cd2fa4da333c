//! What happens to a connection when its waker was woken or its time has come.

use ebbtide_protocol::ReasonCode;

use super::{Connection, Phase, authenticate::Turn, fault::Close};
use crate::{Limit, Monotonic, Now};

impl Connection {
    /// Its waker was woken.
    pub fn handle_wake(&mut self, now: Now) {
        self.seen = now;
        if self.close.is_some() {
            return;
        }
        if self.shared.is_stopping() {
            return self.fail(Close::stopping(&self.shared), now);
        }
        match &mut self.phase {
            Phase::Claiming(_) => self.handle_handover(now),
            Phase::Open(open) => {
                open.hindrance.look(&self.waker, now.monotonic);
                open.review_groups(&self.shared);
                if !open.was_reading {
                    self.note_reading(now);
                }
                let Phase::Open(open) = &mut self.phase else {
                    return;
                };
                // [MQTT-3.1.4-3]
                if open.control.is_evicted() {
                    if !std::mem::replace(&mut open.is_leaving, true) {
                        return self.waker.wake_by_ref();
                    }
                    let close = Close::new(
                        ReasonCode::SessionTakenOver,
                        "another connection took over the session",
                    );
                    self.fail(close, now);
                } else if open.session.mailbox.looked() {
                    let close = Close::new(
                        ReasonCode::QuotaExceeded,
                        "too much waits for a client that reads too slowly",
                    );
                    self.fail(close, now);
                } else if self.waits_in_vain() {
                    self.fail(Close::new(ReasonCode::ServerBusy, "the store failed"), now);
                } else {
                    self.handle_commands(now);
                }
            }
            Phase::Silent { .. } | Phase::Arriving(_) | Phase::Over => {}
        }
    }

    /// The deadline of [`Connection::poll_timeout`] has passed.
    pub fn handle_timeout(&mut self, now: Now) {
        self.seen = now;
        if self
            .poll_timeout()
            .is_none_or(|deadline| deadline > now.monotonic)
        {
            return;
        }
        match &mut self.phase {
            Phase::Silent { .. } => {
                if self.refusal.is_none() {
                    self.shared.counters.limits.hit(Limit::ConnectDeadline);
                }
                // Section 3.1.4: there is nobody yet to say a word to.
                self.fail(
                    Close::new(ReasonCode::MaximumConnectTime, "no CONNECT in time"),
                    now,
                );
            }
            Phase::Open(open) => {
                if open.expires_at.is_some_and(|at| at <= now.monotonic) {
                    let why = "what it has authenticated with has expired";
                    return self.fail(Close::new(ReasonCode::NotAuthorized, why), now);
                }
                open.retry_snapshots(&self.shared, now);
                open.hindrance.look(&self.waker, now.monotonic);
                open.pace.end(now.monotonic);
                self.note_reading(now);
                if self
                    .keep_alive_deadline()
                    .is_none_or(|deadline| deadline > now.monotonic)
                {
                    return;
                }
                // [MQTT-3.1.2-22]
                self.fail(
                    Close::new(
                        ReasonCode::KeepAliveTimeout,
                        "nothing came for 1.5 times the keep alive",
                    ),
                    now,
                );
            }
            Phase::Arriving(_) => {
                let why = "it did not finish to authenticate in time";
                self.fail(Close::new(ReasonCode::NotAuthorized, why), now);
            }
            Phase::Claiming(_) | Phase::Over => {}
        }
    }

    /// [`Connection::handle_timeout`] would end it, for the client has been silent. What has come by now is to be received before: it
    /// may be the broker that was late.
    #[must_use]
    pub fn is_overdue(&self, now: Monotonic) -> bool {
        let deadline = match &self.phase {
            Phase::Open(_) => self.keep_alive_deadline(),
            Phase::Silent { .. } | Phase::Arriving(_) => self.poll_timeout(),
            Phase::Claiming(_) | Phase::Over => None,
        };
        deadline.is_some_and(|deadline| deadline <= now)
    }

    /// When [`Connection::handle_timeout`] wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Monotonic> {
        match &self.phase {
            Phase::Silent { deadline } => Some(*deadline),
            Phase::Open(open) => {
                let retry_at = open.outbound.retry_at.into_iter();
                let others = retry_at.chain(open.hindrance.deadline());
                let others = others.chain(open.pace.deadline());
                let others = others.chain(open.expires_at);
                others.chain(self.keep_alive_deadline()).min()
            }
            Phase::Arriving(arriving) if arriving.turn == Turn::Client => Some(arriving.deadline),
            Phase::Arriving(_) | Phase::Claiming(_) | Phase::Over => None,
        }
    }

    /// The time in which the broker itself did not read does not count against the client. To be said where it may begin, and where it may
    /// have ended before the client is judged.
    pub(super) fn note_reading(&mut self, now: Now) {
        let is_reading = self.wants_input();
        if let Phase::Open(open) = &mut self.phase {
            let was_reading = std::mem::replace(&mut open.was_reading, is_reading);
            if is_reading && !was_reading {
                open.last_received = now.monotonic;
            }
        }
    }

    /// When the client has been silent for too long.
    fn keep_alive_deadline(&self) -> Option<Monotonic> {
        match &self.phase {
            Phase::Open(open) if self.wants_input() => open.keep_alive_deadline(),
            _ => None,
        }
    }
}
