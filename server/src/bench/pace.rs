//! When the endpoints of a run with a rate publish: at fixed moments, whether or not the broker keeps up.
//!
//! The messages of all publishers together are evenly spaced, but for the ticks of a clock: those of one tick are due together, at its end.
//! One task wakes each publisher at its moments, and sleeps once for each tick, not for each message: to wake is what costs a program most that does
//! little else, and what the generator takes is not to change what it measures.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    task::{Context, Waker},
    time::{Duration, Instant},
};

use super::alarm::Alarm;

/// How many messages leave, and how many of them together.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Messages a second.
    pub per_s: f64,
    /// What becomes due between two ticks is due at the second. Zero: each message has its own moment.
    pub tick: Duration,
}

impl Rate {
    /// When message `number` of all is due, after the first.
    fn due(&self, number: u64) -> Duration {
        let even = Duration::from_secs_f64(number as f64 / self.per_s);
        match self.tick.as_nanos() {
            0 => even,
            tick => nanoseconds(even.as_nanos().next_multiple_of(tick)),
        }
    }
}

fn nanoseconds(count: u128) -> Duration {
    // Five hundred years.
    Duration::from_nanos(u64::try_from(count).unwrap_or(u64::MAX))
}

/// When the messages of a run are due.
#[derive(Clone, Copy)]
struct Schedule {
    start: Instant,
    /// When the first one is, after the start of the run.
    first: Duration,
    rate: Rate,
}

impl Schedule {
    /// When message `number` of all is due, after the start of the run.
    fn due(&self, number: u64) -> Duration {
        self.first + self.rate.due(number)
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
    /// Messages of `publishers` in turn, from now on.
    pub fn new(start: Instant, rate: Rate, publishers: usize) -> (Self, Vec<Pace>) {
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

    const ONE_BY_ONE: Rate = Rate {
        per_s: 100.0,
        tick: Duration::ZERO,
    };

    #[test]
    fn messages_of_one_tick_are_due_together_and_never_early() {
        let due = |per_s, tick_us, number| {
            let tick = Duration::from_micros(tick_us);
            let due = Rate { per_s, tick }.due(number);
            due.as_secs_f64() * 1e6
        };
        // Five of them in each millisecond, but for the first, which opens the run.
        let ticks = (0..12).map(|number| due(5_000.0, 1_000, number));
        let expected = [0.0, 1e3, 1e3, 1e3, 1e3, 1e3, 2e3, 2e3, 2e3, 2e3, 2e3, 3e3];
        assert!(ticks.eq(expected));
        // Rarer than the clock ticks: the next tick.
        assert_eq!(due(400.0, 1_000, 1), 3_000.0);
        assert_eq!(due(400.0, 0, 1), 2_500.0);
        for number in 0..10_000 {
            let late = due(777.7, 1_000, number) - due(777.7, 0, number);
            assert!((0.0..1_000.0).contains(&late), "{number}: {late}");
        }
    }

    #[test]
    fn what_was_not_published_is_owed() {
        let ms = Duration::from_millis;
        // The clock stands still for what is asked here but `is_due`.
        let (_, mut paces) = Beat::new(Instant::now(), ONE_BY_ONE, 2);
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
        for tick in [Duration::ZERO, Duration::from_millis(2)] {
            let per_s = 2_000.0;
            all_are_woken(Rate { per_s, tick }).await;
        }
    }

    async fn all_are_woken(rate: Rate) {
        const MESSAGES: usize = 20;
        let (beat, paces) = Beat::new(Instant::now(), rate, 2);
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
