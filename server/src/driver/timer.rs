//! A timer for a deadline that moves with every packet.

use std::{future::poll_fn, pin::Pin, task::Poll};

use ebbtide_broker::Monotonic;
use tokio::{
    task::coop,
    time::{Instant, Sleep, sleep_until},
};

use crate::clock::Clock;

/// One timer that follows a deadline without being re-armed whenever the deadline moves away. Always the same task waits for it.
pub struct Timer {
    clock: Clock,
    deadline: Option<Instant>,
    armed_for: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
    /// The sleep knows whom to wake.
    is_watched: bool,
}

impl Timer {
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            deadline: None,
            armed_for: None,
            sleep: None,
            is_watched: false,
        }
    }

    pub fn set(&mut self, deadline: Option<Monotonic>) {
        let clock = self.clock;
        self.deadline = deadline.map(|deadline| clock.instant(deadline));
    }

    /// Waits until the deadline has passed; for ever when there is none.
    pub async fn passed(&mut self) {
        loop {
            let Some(deadline) = self.deadline else {
                return std::future::pending().await;
            };
            // Armed for an earlier moment than needed: it wakes once in vain, which is cheaper than re-arming it for
            // every packet that moves the keep alive.
            if self.armed_for.is_none_or(|armed| armed > deadline) {
                match &mut self.sleep {
                    Some(sleep) => sleep.as_mut().reset(deadline),
                    None => self.sleep = Some(Box::pin(sleep_until(deadline))),
                }
                self.armed_for = Some(deadline);
                self.is_watched = false;
            }
            let Some(sleep) = &mut self.sleep else { return };
            let is_watched = &mut self.is_watched;
            poll_fn(|context| {
                // A connection comes by here with each packet, and nothing has changed.
                if *is_watched && !sleep.is_elapsed() {
                    return Poll::Pending;
                }
                // A task that has spent its turn is sent away before the sleep knows it.
                *is_watched = coop::has_budget_remaining();
                sleep.as_mut().poll(context)
            })
            .await;
            self.armed_for = None;
            if Instant::now() >= deadline {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{pin::pin, time::Duration};

    use super::*;

    #[tokio::test]
    async fn it_passes_though_its_task_had_spent_its_turn_at_the_first_look() {
        let clock = Clock::start();
        let mut timer = Timer::new(clock);
        timer.set(Some(Monotonic(clock.now().monotonic.0 + 20)));
        poll_fn(|context| {
            while coop::has_budget_remaining() {
                let _ = pin!(coop::consume_budget()).poll(context);
            }
            assert!(pin!(timer.passed()).poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        let passed = tokio::time::timeout(Duration::from_secs(10), timer.passed());
        passed.await.expect("it passes");
    }

    #[tokio::test]
    async fn it_passes_at_the_last_deadline_however_often_it_was_looked_at() {
        let clock = Clock::start();
        let mut timer = Timer::new(clock);
        // The first is far away and so are the next ones from each other; the last ones move a little, as a keep alive does.
        for after_ms in [60_000, 30_000, 20, 30, 40, 10_000, 20, 30] {
            let deadline = Monotonic(clock.now().monotonic.0 + after_ms);
            timer.set(Some(deadline));
            for _ in 0..3 {
                tokio::select! {
                    biased;
                    () = timer.passed() => panic!("{after_ms} ms are not over"),
                    () = std::future::ready(()) => {}
                }
            }
            if after_ms == 30 {
                let passed = tokio::time::timeout(Duration::from_secs(10), timer.passed());
                passed.await.expect("it passes");
                assert!(clock.now().monotonic >= deadline);
            }
        }
    }
}
