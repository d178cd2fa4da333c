//! So many a second, and some at once: a bucket that fills with the time that is told. It holds one number, whatever the rate.

use crate::Monotonic;

const NS_PER_MS: u64 = 1_000_000;
const NS_PER_S: u64 = 1_000 * NS_PER_MS;

/// A bucket of permits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// When all permits that were taken will have been paid for, nanoseconds.
    paid_ns: u64,
}

impl Bucket {
    /// Takes a permit if there is one, at `per_s` a second and as many of them at once as come in `burst_s` seconds. Zero a
    /// second: there always is one.
    pub fn take(&mut self, per_s: u32, burst_s: u32, now: Monotonic) -> bool {
        if per_s > 0 && self.wait_ms(per_s, burst_s, now) > 0 {
            return false;
        }
        self.charge(per_s, now);
        true
    }

    /// Takes a permit that there may not be yet.
    pub fn charge(&mut self, per_s: u32, now: Monotonic) {
        if per_s > 0 {
            let paid_ns = self.paid_ns.max(ns(now));
            self.paid_ns = paid_ns.saturating_add(NS_PER_S / u64::from(per_s));
        }
    }

    /// After how many milliseconds there is one.
    #[must_use]
    pub fn wait_ms(&self, per_s: u32, burst_s: u32, now: Monotonic) -> u64 {
        if per_s == 0 {
            return 0;
        }
        let price_ns = NS_PER_S / u64::from(per_s);
        let burst_ns = (u64::from(burst_s) * NS_PER_S).max(price_ns);
        let owed_ns = self.paid_ns.saturating_sub(ns(now));
        (owed_ns + price_ns)
            .saturating_sub(burst_ns)
            .div_ceil(NS_PER_MS)
    }

    /// Whether it is as full as one that was never used.
    #[must_use]
    pub fn is_full(&self, now: Monotonic) -> bool {
        self.paid_ns <= ns(now)
    }
}

fn ns(at: Monotonic) -> u64 {
    at.0.saturating_mul(NS_PER_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_the_rate() {
        let mut bucket = Bucket::default();
        let mut taken = |at| {
            (0..1_000)
                .filter(|_| bucket.take(10, 2, Monotonic(at)))
                .count()
        };
        assert_eq!(taken(5_000), 20);
        assert_eq!(taken(5_099), 0);
        assert_eq!(taken(5_100), 1);
        assert_eq!(taken(6_000), 9);
        // It does not fill beyond the burst.
        assert_eq!(taken(100_000), 20);
    }

    #[test]
    fn who_takes_more_than_there_is_waits_for_it() {
        let mut bucket = Bucket::default();
        let now = Monotonic(7);
        assert!(bucket.is_full(now));
        bucket.charge(4, now);
        assert_eq!(bucket.wait_ms(4, 0, now), 250);
        bucket.charge(4, now);
        assert_eq!(bucket.wait_ms(4, 0, now), 500);
        assert_eq!(bucket.wait_ms(4, 1, now), 0);
        assert!(!bucket.is_full(now) && bucket.is_full(now.plus_ms(500)));
    }

    #[test]
    fn zero_is_no_limit() {
        let mut bucket = Bucket::default();
        assert!((0..100).all(|_| bucket.take(0, 1, Monotonic(1))));
        assert!(bucket.is_full(Monotonic(1)));
    }
}
