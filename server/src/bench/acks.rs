//! Acknowledgements of a subscriber that wait for more of them, so that many leave with one write.
//!
//! At a rate nobody waits for them, and over loopback each write does the work of the receiver's kernel, too: to write each alone would cost the
//! generator as much as to publish.

use std::{
    pin::Pin,
    task::Context,
    time::{Duration, Instant},
};

use tokio::time::Sleep;

/// The first one waits no longer.
const LATE_MAX: Duration = Duration::from_millis(10);
/// So many bytes of them, eight PUBACKs, wait for no more: a broker may allow no more than twenty messages under way.
const WAITING_MAX: usize = 8 * 4;

/// When those of one subscriber leave.
pub struct Acks {
    /// While some wait: until when.
    until: Pin<Box<Sleep>>,
    is_waiting: bool,
}

impl Acks {
    pub fn new() -> Self {
        Self {
            until: Box::pin(tokio::time::sleep(Duration::ZERO)),
            is_waiting: false,
        }
    }

    /// Whether `bytes` of them leave now; if not, the task is woken when they should.
    pub fn may_leave(&mut self, bytes: usize, context: &mut Context<'_>) -> bool {
        if bytes == 0 || bytes >= WAITING_MAX {
            self.is_waiting = false;
            return true;
        }
        if !self.is_waiting {
            self.is_waiting = true;
            self.until
                .as_mut()
                .reset((Instant::now() + LATE_MAX).into());
        }
        let is_time = self.until.as_mut().poll(context).is_ready();
        self.is_waiting = !is_time;
        is_time
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, task::Poll};

    use super::*;

    #[tokio::test]
    async fn they_wait_for_each_other_but_not_for_long() {
        let mut acks = Acks::new();
        for _ in 0..2 {
            let began = Instant::now();
            let asked = poll_fn(|context| {
                let asked = [0, 4, 28, 32].map(|bytes| acks.may_leave(bytes, context));
                Poll::Ready(asked)
            });
            assert_eq!(asked.await, [true, false, false, true]);
            poll_fn(|context| match acks.may_leave(4, context) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            })
            .await;
            assert!(began.elapsed() >= LATE_MAX);
        }
    }
}
