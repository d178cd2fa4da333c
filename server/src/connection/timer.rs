//! A timer for a deadline that moves with every packet.

use std::pin::Pin;

use ebbtide_broker::Monotonic;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::clock::Clock;

/// One timer that follows a deadline without being re-armed whenever the deadline moves away.
pub struct Timer {
    clock: Clock,
    deadline: Option<Instant>,
    armed_for: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            deadline: None,
            armed_for: None,
            sleep: None,
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
            }
            let Some(sleep) = &mut self.sleep else { return };
            sleep.await;
            self.armed_for = None;
            if Instant::now() >= deadline {
                return;
            }
        }
    }
}
