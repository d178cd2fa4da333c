//! What keeps a client that publishes too fast from being read. It is never refused anything: it is read more slowly.

use crate::{Bucket, Limit, Limits, Monotonic, shared::Shared};

/// How fast it has published.
#[derive(Debug, Default)]
pub(super) struct Pace {
    bucket: Bucket,
    /// Nothing is read before.
    until: Option<Monotonic>,
}

impl Pace {
    /// It has published.
    pub fn count(&mut self, shared: &Shared, now: Monotonic) {
        let per_s = shared.limits().publish_rate_max;
        if per_s == 0 {
            return;
        }
        self.bucket.charge(per_s, now);
        let wait_ms = self.bucket.wait_ms(per_s, Limits::PUBLISH_BURST_S, now);
        if wait_ms > 0 {
            shared.counters.limits.hit(Limit::PublishRateMax);
            self.until = Some(now.plus_ms(wait_ms));
        }
    }

    /// Nothing is read now.
    pub fn holds(&self) -> bool {
        self.until.is_some()
    }

    /// It holds no longer, if its time is over.
    pub fn end(&mut self, now: Monotonic) {
        self.until.take_if(|until| *until <= now);
    }

    /// When to look again.
    pub fn deadline(&self) -> Option<Monotonic> {
        self.until
    }
}
