//! A connection ends: its will, its session, and who comes after it.

use ebbtide_protocol::{ReasonCode, Violation, packet::Disconnect};
use ebbtide_store::{Operation, WallTime, WillRow};

use super::{Connection, Phase, Transport, fault::Close, open::Open, recall};
use crate::{
    Event, Now, route::mailbox::Unsent, session::Session, shared::Shared, stats::DropReason,
    timers::Timer, wills::will_delay_ms,
};

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// DISCONNECT 0x00: the will goes unpublished [MQTT-3.1.2-10].
    Normal,
    /// In any other way: the will is published, after its delay. If another connection has asked for the session and is let in
    /// to it, that is the end of the delay.
    Lost,
    /// The server stops: the will stays on disk for its next start.
    ServerStops,
}

impl Connection {
    pub(super) fn handle_disconnect(
        &mut self,
        disconnect: &Disconnect,
        now: Now,
    ) -> Result<(), Close> {
        let Phase::Open(open) = &mut self.phase else {
            return Err(Violation::UnexpectedPacket.into());
        };
        if let Some(interval) = disconnect.session_expiry_interval {
            // Section 3.14.2.2.2
            if open.asked_no_expiry && interval > 0 {
                return Err(Violation::SessionExpiryAfterZero.into());
            }
            let maximum = self.limits.session_expiry_interval_max;
            open.session.session_expiry_interval = interval.min(maximum);
        }
        let end = if disconnect.reason == ReasonCode::Success {
            End::Normal
        } else {
            End::Lost
        };
        self.end(end, Close::new(ReasonCode::Success, "DISCONNECT"), now);
        // The client closes, or has closed: there is nothing more to say (section 3.14.4).
        self.farewell = None;
        Ok(())
    }

    /// The client has gone before it was in: there is nothing to say and nothing to settle.
    pub(super) fn leave_quietly(&mut self, now: Now) {
        self.end(
            End::Normal,
            Close::new(ReasonCode::Success, "DISCONNECT"),
            now,
        );
        self.farewell = None;
    }

    /// It can be reached by its client id from now on, or is over.
    pub(super) fn leave_newcomers(&mut self) {
        if let Some(newcomer) = self.newcomer.take() {
            self.shared.registry.leave(newcomer);
        }
    }

    pub(super) fn end(&mut self, end: End, close: Close, now: Now) {
        if self.close.is_some() {
            return;
        }
        self.farewell = self.farewell_for(&close);
        let reason = close.reason;
        self.close = Some(close);
        self.leave_newcomers();
        self.questions.clear();
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Claiming(claiming) => claiming.give_up(&self.shared, now),
            Phase::Open(open) => {
                let client_id = open.session.client_id.clone();
                open.leave(&self.shared, end, reason, now);
                if self.origin.transport != Transport::Inside
                    && let Some(close) = &self.close
                {
                    self.shared.tell(now, || Event::Disconnected {
                        client_id,
                        reason,
                        explanation: close.explanation.clone(),
                    });
                }
            }
            Phase::Silent { .. } | Phase::Arriving(_) | Phase::Over => {}
        }
    }
}

impl Open {
    fn leave(self, shared: &Shared, end: End, reason: ReasonCode, now: Now) {
        shared.counters.disconnected();
        let Self {
            mut session,
            control,
            will,
            seat,
            mut outbound,
            ..
        } = self;
        let ends = session.session_expiry_interval == 0;
        // [MQTT3-3.1.2-12]
        if let Some(will) = will {
            let row = WillRow {
                session: session.incarnation,
                client_id: session.client_id.clone(),
                user: control.user.clone(),
                claims: session.claims(),
                will: *will,
                due_at: None,
            };
            settle_will(shared, row, session.expires_after_ms(), end, now);
        }
        // Of none that could be left: those of an ended group, for which there was no number before.
        session.inherit(|_| false, shared, now);
        recall::give_back(&mut session, &mut outbound, shared);
        let client_id = session.client_id.clone();
        let mut unkept = outbound.unkept();
        let (unsent, unread) = outbound.into_unsent();
        let unread_bytes = shared.journal.bytes_of(&unread);
        let in_flight = session.flows.lowest();
        let mailbox = &session.mailbox;
        unkept += mailbox.park(unsent, unread, unread_bytes, in_flight);
        for _ in 0..unkept {
            shared.counters.dropped(DropReason::QoS0Unready);
        }
        let rested = if ends {
            session.end(shared);
            None
        } else {
            Some(rest(session, shared, now))
        };
        let is_kept = rested.is_some();
        let is_away = shared.registry.release(&client_id, &control, rested);
        // With a takeover the next connection goes on with the entry; a broker that stops tells at its next start.
        if let (Some(presence), Some(seat)) = (&shared.presence, seat)
            && is_away
            && end != End::ServerStops
        {
            presence.leave(shared, seat, reason_of(end, reason), is_kept, now);
        }
    }
}

/// The session stays without a connection, for as long as it may.
fn rest(mut session: Session, shared: &Shared, now: Now) -> Box<Session> {
    // [MQTT-3.1.2-23]
    shared
        .journal
        .submit(Operation::PutSession(session.row(Some(now.wall))));
    session.disconnected_at = Some(now.wall);
    session.count(Unsent::default());
    session.expires_at = session
        .expires_after_ms()
        .map(|ms| now.monotonic.plus_ms(ms));
    if let Some(expires_at) = session.expires_at {
        let timer = Timer::Session(session.client_id.clone());
        shared.timers.set(expires_at, timer);
    }
    Box::new(session)
}

/// Why it ended, in the words of presence.
fn reason_of(end: End, reason: ReasonCode) -> &'static str {
    match (end, reason) {
        (End::Normal, _) => "disconnect",
        (_, ReasonCode::Success) => "disconnect with will",
        // The stream ended.
        (_, ReasonCode::UnspecifiedError) => "connection lost",
        (_, reason) => reason.name(),
    }
}

fn settle_will(shared: &Shared, row: WillRow, session_left_ms: Option<u64>, end: End, now: Now) {
    let delay_ms = will_delay_ms(&row.will, session_left_ms);
    match end {
        End::ServerStops => {}
        End::Normal => {
            shared.journal.submit(Operation::RemoveWill(row.session));
        }
        End::Lost if delay_ms == 0 => {
            shared.wills.publish(shared, row, now);
        }
        End::Lost => {
            let due_at = Some(WallTime(now.wall.0.saturating_add(delay_ms)));
            shared
                .wills
                .delay(shared, WillRow { due_at, ..row }, delay_ms, now);
        }
    }
}
