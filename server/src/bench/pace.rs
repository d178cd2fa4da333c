//! When the endpoints of a run with a rate publish: at fixed moments, whether or not the broker keeps up.
//!
//! The moments of all publishers together are evenly spaced, and one task wakes each publisher at its own. It costs one system call and no
//! other thread: what the generator takes is not to change what it measures.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    task::{Context, Waker},
    time::{Duration, Instant},
};

use super::alarm::Alarm;

/// When the messages of a run are due.
#[derive(Clone, Copy)]
struct Schedule {
    start: Instant,
    /// When the first one is, after the start of the run.
    first: Duration,
    /// Messages a second.
    rate: f64,
}

impl Schedule {
    /// When message `number` of all is due, after the start of the run.
    fn due(&self, number: u64) -> Duration {
        self.first + Duration::from_secs_f64(number as f64 / self.rate)
    }

    fn has_passed(&self, number: u64) -> bool {
        self.start.elapsed() >= self.due(number)
    }
}

/// When one publisher is to publish: every message of the run that is its turn.
#[derive(Clone)]
pub struct Moments {
    schedule: Schedule,
    /// The next of its messages, as a number of all.
    next: Rc<Cell<u64>>,
    publishers: u64,
}

impl Moments {
    /// What should have been published between two moments and was not.
    pub fn owed(&self, from: Duration, until: Duration) -> impl Iterator<Item = Duration> + use<> {
        let (schedule, publishers) = (self.schedule, self.publishers);
        let numbers = std::iter::successors(Some(self.next.get()), move |at| Some(at + publishers));
        numbers
            .map(move |number| schedule.due(number))
            .skip_while(move |at| *at < from)
            .take_while(move |at| *at < until)
    }
}

/// The moments of one publisher, for its task.
pub struct Pace {
    moments: Moments,
    /// Whom to wake.
    publisher: Rc<RefCell<Waker>>,
}

impl Pace {
    /// Its moments, for those who want to know what it owes.
    pub fn moments(&self) -> Moments {
        self.moments.clone()
    }

    /// Whether a message should have left. Those of `end` and later should not.
    pub fn is_due(&self, end: Option<Duration>) -> bool {
        let Moments { schedule, next, .. } = &self.moments;
        let next = next.get();
        schedule.has_passed(next) && end.is_none_or(|end| schedule.due(next) < end)
    }

    /// The moment that was due, nanoseconds after the start; the next one follows.
    pub fn take(&mut self) -> u64 {
        let Moments {
            schedule,
            next,
            publishers,
        } = &self.moments;
        let due = schedule.due(next.get());
        next.set(next.get() + publishers);
        u64::try_from(due.as_nanos()).unwrap_or(u64::MAX)
    }

    /// This task is woken at its moments from now on.
    pub fn poll(&mut self, context: &Context<'_>) {
        self.publisher.borrow_mut().clone_from(context.waker());
    }
}

/// Wakes the publishers of a run, each at its moments.
pub struct Beat {
    schedule: Schedule,
    publishers: Vec<Rc<RefCell<Waker>>>,
}

impl Beat {
    /// `rate` messages a second of `publishers` in turn, from now on.
    pub fn new(start: Instant, rate: f64, publishers: usize) -> (Self, Vec<Pace>) {
        let schedule = Schedule {
            start,
            first: start.elapsed(),
            rate,
        };
        let pace = |number| Pace {
            moments: Moments {
                schedule,
                next: Rc::new(Cell::new(number)),
                publishers: publishers as u64,
            },
            publisher: Rc::new(RefCell::new(Waker::noop().clone())),
        };
        let paces: Vec<Pace> = (0..publishers as u64).map(pace).collect();
        let wakers = paces.iter().map(|pace| Rc::clone(&pace.publisher));
        let publishers = wakers.collect();
        (
            Self {
                schedule,
                publishers,
            },
            paces,
        )
    }

    /// For as long as the run lasts.
    pub async fn keep(self) -> io::Result<()> {
        let mut alarm = Alarm::new()?;
        let mut publishers = self.publishers.iter().cycle();
        for number in 0.. {
            while !self.schedule.has_passed(number) {
                let at = self.schedule.start + self.schedule.due(number);
                alarm.wait_until(at).await?;
            }
            if let Some(publisher) = publishers.next() {
                publisher.borrow().wake_by_ref();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PER_S: f64 = 100.0;

    #[test]
    fn what_was_not_published_is_owed() {
        let ms = Duration::from_millis;
        // The clock stands still for what is asked here but `is_due`.
        let (_, mut paces) = Beat::new(Instant::now(), PER_S, 2);
        let first = paces[0].moments.schedule.first;
        let owed = |pace: &Pace, from, until| -> Vec<Duration> {
            let owed = pace.moments().owed(first + ms(from), first + ms(until));
            owed.map(|at| at - first).collect()
        };
        assert_eq!(owed(&paces[0], 0, 41), [ms(0), ms(20), ms(40)]);
        assert_eq!(owed(&paces[1], 0, 30), [ms(10)]);
        assert_eq!(owed(&paces[1], 11, 51), [ms(30), ms(50)]);
        let taken = Duration::from_nanos(paces[1].take());
        assert_eq!(taken - first, ms(10));
        assert_eq!(owed(&paces[1], 0, 31), [ms(30)]);
        assert!(!paces[1].is_due(Some(first + ms(30))));
    }

    #[tokio::test]
    async fn each_is_woken_at_its_moments_and_no_sooner() {
        const MESSAGES: usize = 20;
        let (beat, paces) = Beat::new(Instant::now(), 2_000.0, 2);
        let publishing = paces.into_iter().map(|mut pace| async move {
            for _ in 0..MESSAGES {
                std::future::poll_fn(|context| {
                    pace.poll(context);
                    match pace.is_due(None) {
                        true => std::task::Poll::Ready(()),
                        false => std::task::Poll::Pending,
                    }
                })
                .await;
                pace.take();
            }
            // Not before the last of them was due.
            let next = pace.moments.schedule.due(pace.moments.next.get() - 2);
            assert!(pace.moments.schedule.start.elapsed() >= next);
        });
        let all = futures_util::future::join_all(publishing);
        tokio::select! {
            _ = all => {}
            ended = beat.keep() => panic!("the beat has ended: {ended:?}"),
        }
    }
}
