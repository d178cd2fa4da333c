//! Wills whose connection has ended and that wait for their delay, or for a number.
//!
//! One that is due is taken out and submitted under one lock. So who returns and finds nothing here comes after the old will
//! on disk too, which does not take the new one of the same session with it.

use std::collections::hash_map::Entry;

use ebbtide_protocol::packet::Will;
use ebbtide_store::{Incarnation, Message, Operation, WallTime, WillRow};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::{
    Monotonic, Now,
    journal::Ticket,
    numbers::Exhausted,
    route::{self, Incoming, Refused, Source},
    rules::Subject,
    shared::Shared,
    stats::DropReason,
    timers::Timer,
};

/// The disk is far behind, and a will cannot have a number: when to try again.
const AGAIN_MS: u64 = 100;

/// By session; each with the time at which it is due.
type Waiting = FxHashMap<Incarnation, (Box<WillRow>, Monotonic)>;

#[derive(Debug, Default)]
pub(crate) struct Wills(Mutex<Waiting>);

impl Wills {
    /// The connection ended without a normal DISCONNECT, and nothing has to be waited for. Gives how much work that was.
    pub fn publish(&self, shared: &Shared, row: WillRow, now: Now) -> usize {
        // Nobody else knows of this will yet, so the lock is not needed before.
        match publish(shared, &row, now) {
            Ok(steps) => steps,
            Err(Exhausted) => {
                put_off(&mut self.0.lock(), shared, row.into(), now);
                0
            }
        }
    }

    /// The connection ended without a normal DISCONNECT: the will is published after its delay [MQTT-3.1.2-8].
    pub fn delay(&self, shared: &Shared, row: WillRow, delay_ms: u64, now: Now) {
        let due = now.monotonic.plus_ms(delay_ms);
        let session = row.session;
        self.0.lock().insert(session, (row.clone().into(), due));
        shared.journal.submit(Operation::PutWill(row.into()));
        // Last: the timer's thread finds all of it.
        shared.timers.set(due, Timer::Will(session));
    }

    /// The client has returned. In time, the will is not published [MQTT-3.1.3-9]; if the delay is over and only the timer
    /// is late, as at a start, it is. One for which there is no number is lost, for the session may have another one now.
    pub fn cancel(&self, shared: &Shared, session: Incarnation, now: Now) -> Option<Ticket> {
        let (row, due) = self.0.lock().remove(&session)?;
        shared.timers.remove(&Timer::Will(session));
        if due <= now.monotonic {
            match publish(shared, &row, now) {
                Ok(_) => return None,
                Err(Exhausted) => shared.counters.dropped(DropReason::Refused),
            }
        }
        Some(shared.journal.submit(Operation::RemoveWill(session)))
    }

    /// Publishes the will if it still waits: its session ends. Gives how much work that was.
    pub fn fire(&self, shared: &Shared, session: Incarnation, now: Now) -> usize {
        self.fire_if(shared, session, now, |_| true)
    }

    /// Publishes the will if its delay is over. A timer of an earlier absence finds a later time here.
    pub fn fire_if_due(&self, shared: &Shared, session: Incarnation, now: Now) -> usize {
        self.fire_if(shared, session, now, |due| due <= now.monotonic)
    }

    fn fire_if(
        &self,
        shared: &Shared,
        session: Incarnation,
        now: Now,
        is_wanted: impl Fn(Monotonic) -> bool,
    ) -> usize {
        let mut wills = self.0.lock();
        if let Entry::Occupied(entry) = wills.entry(session)
            && is_wanted(entry.get().1)
        {
            let (row, _) = entry.remove();
            // It may be set for a time that nobody waits for any more.
            shared.timers.remove(&Timer::Will(session));
            match publish(shared, &row, now) {
                Ok(steps) => return steps,
                Err(Exhausted) => put_off(&mut wills, shared, row, now),
            }
        }
        0
    }

    /// A will that was found at start.
    pub fn recover(&self, row: WillRow, due: Monotonic) {
        self.0.lock().insert(row.session, (row.into(), due));
    }
}

/// The will waits for a number.
fn put_off(waiting: &mut Waiting, shared: &Shared, row: Box<WillRow>, now: Now) {
    let session = row.session;
    waiting.insert(session, (row, now.monotonic));
    let later = now.monotonic.plus_ms(AGAIN_MS);
    shared.timers.set(later, Timer::Will(session));
}

/// Publishes a will, retained or not [MQTT-3.1.2-14, MQTT-3.1.2-15], taking it from the store at the same time
/// [MQTT-3.1.2-10]. Whoever has lost the right since has lost the will too.
/// Gives how much work that was. Nothing else refuses a will than that no number can be had: limits in all and the room on
/// the disk were looked at when its client came in ([`route::check_will`]), who could be told.
fn publish(shared: &Shared, row: &WillRow, now: Now) -> Result<usize, Exhausted> {
    let WillRow {
        session,
        client_id,
        user,
        claims,
        will,
        ..
    } = row.clone();
    let rights = shared.rights(Subject {
        user,
        client_id,
        claims,
    });
    if let Some(rights) = rights
        && !rights.decide_publish(&will.topic, will.retain).is_allowed
    {
        shared.counters.dropped(DropReason::Denied);
        shared.journal.submit(Operation::RemoveWill(session));
        return Ok(0);
    }
    let incoming = Incoming {
        message: message(will, now.wall),
        source: Source::Will(session),
    };
    let published = route::publish(shared, incoming, now);
    published.map(|it| it.steps).map_err(|refused| {
        debug_assert_eq!(refused, Refused::Exhausted, "it has been promised");
        Exhausted
    })
}

/// As it is published.
pub(crate) fn message(will: Will, accepted_at: WallTime) -> Message {
    Message {
        topic: will.topic,
        payload: will.payload,
        qos: will.qos,
        retain: will.retain,
        accepted_at,
        properties: will.properties.into(),
    }
}

/// How long a will waits: its delay, cut short by the end of the session.
pub(crate) fn will_delay_ms(will: &Will, session_left_ms: Option<u64>) -> u64 {
    let delay_ms = u64::from(will.delay_interval) * 1000;
    session_left_ms.map_or(delay_ms, |left| delay_ms.min(left))
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, mpsc},
        thread,
        time::Duration,
    };

    use bytes::Bytes;
    use ebbtide_protocol::{QoS, TopicName, packet::MessageProperties};

    use super::*;
    use crate::{Limits, Recovery};

    const SESSION: Incarnation = Incarnation(7);

    fn row(payload: &'static str) -> WillRow {
        WillRow {
            session: SESSION,
            client_id: "c".into(),
            user: None,
            claims: Vec::new(),
            will: Will {
                topic: TopicName::new("t").expect("valid"),
                payload: Bytes::from_static(payload.as_bytes()),
                qos: QoS::AtMostOnce,
                retain: true,
                delay_interval: 1,
                properties: MessageProperties::default(),
            },
            due_at: None,
        }
    }

    /// A broker that has committed nothing has no number to give.
    fn without_numbers() -> Arc<Shared> {
        Recovery::new(Limits::default(), 0)
            .finish(Now::default())
            .shared
    }

    /// What the journal gets to know of wills.
    fn fates(shared: &Shared) -> Vec<&'static str> {
        let batch = shared.journal.take().expect("operations");
        shared.journal.committed(&batch);
        let fate = |operation: &Operation| match operation {
            Operation::FireWill { .. } => Some("published"),
            Operation::RemoveWill(_) => Some("removed"),
            _ => None,
        };
        batch.operations.iter().filter_map(fate).collect()
    }

    #[test]
    fn without_a_number_it_waits_for_one() {
        let now = Now::default();
        let with_delay = without_numbers();
        with_delay.wills.delay(&with_delay, row("late"), 0, now);
        with_delay.wills.fire_if_due(&with_delay, SESSION, now);
        let at_once = without_numbers();
        at_once.wills.publish(&at_once, row("late"), now);
        for shared in [with_delay, at_once] {
            assert_eq!(fates(&shared), [""; 0]);
            let first = shared.timers.first().expect("another look");
            let later = Now {
                monotonic: first,
                ..now
            };
            assert_eq!(shared.timers.pop(first), Some(Timer::Will(SESSION)));
            shared.wills.fire_if_due(&shared, SESSION, later);
            assert_eq!(fates(&shared), ["published"]);
        }
    }

    /// The next connection of the session may leave one of its own.
    #[test]
    fn whoever_returns_before_there_is_a_number_has_lost_it() {
        let (now, shared) = (Now::default(), without_numbers());
        shared.wills.publish(&shared, row("late"), now);
        shared.wills.cancel(&shared, SESSION, now);
        assert_eq!(fates(&shared), ["removed"]);
        assert_eq!(shared.counters.drops().refused, 1);
    }

    #[test]
    fn who_returns_while_the_old_will_fires_puts_the_new_one_behind_it() {
        let now = Now::default();
        let shared = Recovery::new(Limits::default(), 0).finish(now).shared;
        let shared = &*shared;
        let reserved = shared.journal.take().expect("numbers to begin with");
        shared.journal.committed(&reserved);
        shared.wills.delay(shared, row("old"), 0, now);
        thread::scope(|scope| {
            let order = shared.numbers.lock();
            scope.spawn(|| shared.wills.fire_if_due(shared, SESSION, now));
            // The timer's thread has begun, and cannot submit yet.
            while shared
                .wills
                .0
                .try_lock()
                .is_some_and(|wills| wills.contains_key(&SESSION))
            {
                thread::yield_now();
            }
            let (done, is_done) = mpsc::channel();
            scope.spawn(move || {
                shared.wills.cancel(shared, SESSION, now);
                shared.journal.submit(Operation::PutWill(row("new").into()));
                let _ = done.send(());
            });
            // As far as it gets while the other one is held up.
            let _ = is_done.recv_timeout(Duration::from_millis(100));
            drop(order);
        });
        let batch = shared.journal.take().expect("operations");
        let wills = batch
            .operations
            .iter()
            .filter_map(|operation| match operation {
                Operation::FireWill { .. } => Some("fire".into()),
                Operation::PutWill(row) => Some(row.will.payload.clone()),
                _ => None,
            });
        let expected: [Bytes; 3] = ["old".into(), "fire".into(), "new".into()];
        assert_eq!(wills.collect::<Vec<_>>(), expected);
    }
}
