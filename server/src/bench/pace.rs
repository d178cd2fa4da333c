//! When an endpoint publishes in a run with a rate: at fixed moments, whether or not the broker keeps up.
//!
//! The runtime's timer is as fine as a millisecond. A thread that sleeps wakes the endpoints instead, to some fifty
//! microseconds.

use std::{
    sync::{Arc, mpsc},
    task::{Context, Waker},
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// The moments of one endpoint.
pub struct Pace {
    start: Instant,
    /// The next moment, after the start.
    next: Duration,
    interval: Duration,
    bell: Bell,
}

impl Pace {
    /// Every `interval`, the first time after `offset`.
    pub fn new(start: Instant, offset: Duration, interval: Duration, bell: Bell) -> Self {
        Self {
            start,
            next: offset,
            interval,
            bell,
        }
    }

    /// Whether a message should have left.
    pub fn is_due(&self) -> bool {
        self.start.elapsed() >= self.next
    }

    /// The moment that was due, nanoseconds after the start; the next one follows.
    pub fn take(&mut self) -> u64 {
        let due = self.next;
        self.next += self.interval;
        u64::try_from(due.as_nanos()).unwrap_or(u64::MAX)
    }

    /// Sees to it that the task is woken at the next moment.
    pub fn poll(&mut self, context: &mut Context<'_>) {
        if !self.is_due() {
            self.bell
                .ring_at(self.start + self.next, context.waker().clone());
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
