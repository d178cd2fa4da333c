//! When an endpoint publishes in a run with a rate: at fixed moments, whether or not the broker keeps up.
//!
//! The runtime's timer is as fine as a millisecond. A thread that sleeps wakes the endpoints instead, to some fifty
//! microseconds.

use std::{
    cell::Cell,
    rc::Rc,
    sync::{Arc, mpsc},
    task::{Context, Waker},
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// The moments of one endpoint.
pub struct Pace {
    start: Instant,
    moments: Moments,
    bell: Bell,
}

/// When one endpoint is to publish.
#[derive(Clone)]
pub struct Moments {
    /// The next one, after the start of the run.
    next: Rc<Cell<Duration>>,
    interval: Duration,
}

impl Moments {
    /// What should have been published between two moments and was not.
    pub fn owed(&self, from: Duration, until: Duration) -> impl Iterator<Item = Duration> {
        let interval = self.interval;
        let moments = std::iter::successors(Some(self.next.get()), move |at| Some(*at + interval));
        moments
            .skip_while(move |at| *at < from)
            .take_while(move |at| *at < until)
    }
}

impl Pace {
    /// Every `interval`, the first time after `offset`.
    pub fn new(start: Instant, offset: Duration, interval: Duration, bell: Bell) -> Self {
        Self {
            start,
            moments: Moments {
                next: Rc::new(Cell::new(offset)),
                interval,
            },
            bell,
        }
    }

    /// Its moments, for those who want to know what it owes.
    pub fn moments(&self) -> Moments {
        self.moments.clone()
    }

    fn next(&self) -> Duration {
        self.moments.next.get()
    }

    /// Whether a message should have left. Those of `end` and later should not.
    pub fn is_due(&self, end: Option<Duration>) -> bool {
        self.start.elapsed() >= self.next() && end.is_none_or(|end| self.next() < end)
    }

    /// The moment that was due, nanoseconds after the start; the next one follows.
    pub fn take(&mut self) -> u64 {
        let due = self.next();
        self.moments.next.set(due + self.moments.interval);
        u64::try_from(due.as_nanos()).unwrap_or(u64::MAX)
    }

    /// Sees to it that the task is woken at the next moment.
    pub fn poll(&mut self, context: &mut Context<'_>) {
        let at = self.start + self.next();
        if at > Instant::now() {
            self.bell.ring_at(at, context.waker().clone());
        }
    }
}

/// Wakes tasks at their moments.
#[derive(Clone)]
pub struct Bell {
    waiting: Arc<Mutex<Vec<(Instant, Waker)>>>,
    // The thread ends with the last of these.
    wake: mpsc::Sender<()>,
}

impl Bell {
    pub fn new() -> Self {
        let waiting: Arc<Mutex<Vec<(Instant, Waker)>>> = Arc::default();
        let (wake, woken) = mpsc::channel();
        let shared = Arc::clone(&waiting);
        thread::spawn(move || toll(&shared, &woken));
        Self { waiting, wake }
    }

    fn ring_at(&self, at: Instant, waker: Waker) {
        let mut waiting = self.waiting.lock();
        let is_first = waiting.iter().all(|(other, _)| at < *other);
        // A task asks anew each time it runs; the old moment does no harm.
        waiting.push((at, waker));
        drop(waiting);
        if is_first {
            // Without the thread the run is over.
            let _ = self.wake.send(());
        }
    }
}

fn toll(waiting: &Mutex<Vec<(Instant, Waker)>>, woken: &mpsc::Receiver<()>) {
    loop {
        let next = waiting.lock().iter().map(|(at, _)| *at).min();
        let now = Instant::now();
        match next {
            Some(at) if at <= now => {
                let due: Vec<Waker> = {
                    let mut waiting = waiting.lock();
                    let due = waiting.extract_if(.., |(at, _)| *at <= now);
                    due.map(|(_, waker)| waker).collect()
                };
                due.into_iter().for_each(Waker::wake);
            }
            Some(at) => match woken.recv_timeout(at - now) {
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
                Ok(()) | Err(mpsc::RecvTimeoutError::Timeout) => {}
            },
            None => {
                if woken.recv().is_err() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_published_is_owed() {
        let ms = Duration::from_millis;
        let mut pace = Pace::new(Instant::now(), ms(3), ms(10), Bell::new());
        let owed = |pace: &Pace, from, until| -> Vec<Duration> {
            pace.moments().owed(ms(from), ms(until)).collect()
        };
        assert_eq!(owed(&pace, 0, 23), [ms(3), ms(13)]);
        assert_eq!(owed(&pace, 5, 24), [ms(13), ms(23)]);
        assert_eq!(pace.take(), 3_000_000);
        assert_eq!(owed(&pace, 0, 23), [ms(13)]);
        assert!(!pace.is_due(Some(ms(13))));
    }
}
