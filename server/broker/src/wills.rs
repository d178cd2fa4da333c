//! Wills whose connection has ended and that wait for their delay.

use ebbtide_protocol::packet::Will;
use ebbtide_store::{Incarnation, Message, Operation, WillRow};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::{
    Monotonic, Now,
    journal::Ticket,
    route::{self, Incoming, Source},
    shared::Shared,
    timers::Timer,
};

#[derive(Debug, Default)]
pub(crate) struct Wills(Mutex<FxHashMap<Incarnation, (Will, Monotonic)>>);

impl Wills {
    /// The connection ended without a normal DISCONNECT: the will is published after its delay [MQTT-3.1.2-8].
    pub fn delay(&self, shared: &Shared, row: WillRow, delay_ms: u64, now: Now) {
        let due = now.monotonic.plus_ms(delay_ms);
        shared.timers.set(due, Timer::Will(row.session));
        self.0.lock().insert(row.session, (row.will.clone(), due));
        shared.journal.submit(Operation::PutWill(row));
    }

    /// The client has returned. In time, the will is not published [MQTT-3.1.3-9]; if the delay is over and only the timer
    /// is late, as at a start, it is.
    pub fn cancel(&self, shared: &Shared, session: Incarnation, now: Now) -> Option<Ticket> {
        let (will, due) = self.0.lock().remove(&session)?;
        shared.timers.remove(&Timer::Will(session));
        if due <= now.monotonic {
            publish(shared, session, will, now);
            return None;
        }
        Some(shared.journal.submit(Operation::RemoveWill(session)))
    }

    /// Publishes the will if it still waits: its session ends.
    pub fn fire(&self, shared: &Shared, session: Incarnation, now: Now) {
        let will = self.0.lock().remove(&session);
        if let Some((will, _)) = will {
            publish(shared, session, will, now);
        }
    }

    /// Publishes the will if its delay is over. A timer of an earlier absence finds a later time here.
    pub fn fire_if_due(&self, shared: &Shared, session: Incarnation, now: Now) {
        let is_due = self
            .0
            .lock()
            .get(&session)
            .is_some_and(|(_, due)| *due <= now.monotonic);
        if is_due {
            self.fire(shared, session, now);
        }
    }

    /// A will that was found at start.
    pub fn recover(&self, session: Incarnation, will: Will, due: Monotonic) {
        self.0.lock().insert(session, (will, due));
    }
}

/// Publishes a will, retained or not [MQTT-3.1.2-14, MQTT-3.1.2-15], taking it from the store at the same time
/// [MQTT-3.1.2-10].
pub(crate) fn publish(shared: &Shared, session: Incarnation, will: Will, now: Now) {
    let message = Message {
        topic: will.topic,
        payload: will.payload,
        qos: will.qos,
        retain: will.retain,
        accepted_at: now.wall,
        properties: will.properties,
    };
    let incoming = Incoming {
        message,
        source: Source::Will(session),
    };
    // No number can be had: the will stays on disk and is published at the next start.
    let _ = route::publish(shared, incoming, now);
}

/// How long a will waits: its delay, cut short by the end of the session.
pub(crate) fn will_delay_ms(will: &Will, session_left_ms: Option<u64>) -> u64 {
    let delay_ms = u64::from(will.delay_interval) * 1000;
    session_left_ms.map_or(delay_ms, |left| delay_ms.min(left))
}
