//! What time does to the client: attempts fall due, servers go silent, pings are sent and snapshots end.

use super::{Action, Client, Millis, connect::Verdict, keep_alive::KeepAlive, lifecycle::Phase};
use crate::Packet;

/// How long a connection under suspicion has to answer.
const PROBE_MS: u64 = 3_000;

impl Client {
    /// The world may have changed (network, wake-up): asks the server for a sign of life with a short deadline, or
    /// ends the wait for the next attempt. What waits for the application goes on waiting.
    pub fn probe(&mut self, now: Millis) {
        if let Phase::Waiting { .. } = self.phase {
            self.reconnect_now(now);
        } else if let Some(keep_alive) = &mut self.keep_alive {
            keep_alive.ping(now);
            keep_alive.expect_answer_by(now + PROBE_MS);
            self.control.push_back(Packet::PingReq);
        }
    }

    /// A time that `poll_timeout` named has come (or not: nothing happens early).
    pub fn handle_timeout(&mut self, now: Millis) {
        match self.phase {
            Phase::Waiting { until } if until <= now => self.open(now),
            Phase::Opening { deadline } | Phase::Handshake { deadline } if deadline <= now => {
                self.actions.push_back(Action::Close);
                self.lost(
                    now,
                    "the server did not answer in time".to_owned(),
                    Verdict::Retry,
                );
            }
            Phase::Online { .. } => self.online_timeout(now),
            _ => {}
        }
    }

    fn online_timeout(&mut self, now: Millis) {
        let Some(keep_alive) = &mut self.keep_alive else {
            return;
        };
        if keep_alive.is_dead(now) {
            self.actions.push_back(Action::Close);
            self.lost(now, "the server went silent".to_owned(), Verdict::Retry);
            return;
        }
        if keep_alive.is_ping_due(now) {
            keep_alive.ping(now);
            self.control.push_back(Packet::PingReq);
        }
        let changes = self.subscriptions.handle_timeout(now);
        self.push_changes(changes);
    }

    /// When `handle_timeout` is to be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Millis> {
        match self.phase {
            Phase::Waiting { until } => Some(until),
            Phase::Opening { deadline } | Phase::Handshake { deadline } => Some(deadline),
            Phase::Online { .. } => {
                let keep_alive = self.keep_alive.as_ref().and_then(KeepAlive::next_timeout);
                keep_alive
                    .into_iter()
                    .chain(self.subscriptions.next_timeout())
                    .min()
            }
            Phase::Idle | Phase::Closed => None,
        }
    }
}
