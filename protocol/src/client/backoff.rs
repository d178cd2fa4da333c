//! How long to wait before the next connection attempt: exponential, capped, with full jitter.
//!
//! Full jitter (anything from zero to the cap of the attempt) spreads the clients of a restarted broker evenly. The
//! generator is seeded by the driver, so that a run can be repeated.

/// The shape of the waiting times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The longest wait before the first retry; doubles with each one.
    pub base_ms: u32,
    /// The longest wait ever.
    pub cap_ms: u32,
    /// A connection that lived this long puts the waits back to the start.
    pub stable_ms: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            base_ms: 1_000,
            cap_ms: 30_000,
            stable_ms: 5_000,
        }
    }
}

/// Counts attempts and draws the waits.
#[derive(Debug)]
pub(super) struct Retry {
    backoff: Backoff,
    attempt: u32,
    random: u64,
}

impl Retry {
    pub(super) fn new(backoff: Backoff, seed: u64) -> Self {
        Self {
            backoff,
            attempt: 0,
            random: seed,
        }
    }

    /// The next attempt counts as the first.
    pub(super) fn reset(&mut self) {
        self.attempt = 0;
    }

    /// Resets if a connection that lived so long has proved the way good. `is_contested`: another client took its place; if
    /// that one waits as this one does, only what outlives the longest wait shows that it does not come again and again.
    pub(super) fn reset_if_stable(&mut self, lived_ms: u64, is_contested: bool) {
        let least_ms = if is_contested {
            self.backoff.cap_ms
        } else {
            self.backoff.stable_ms
        };
        if lived_ms >= u64::from(least_ms) {
            self.reset();
        }
    }

    /// Whether a connection that lived so long was a good one.
    pub(super) fn is_stable(&self, lived_ms: u64) -> bool {
        lived_ms >= u64::from(self.backoff.stable_ms)
    }

    /// The wait before the next attempt.
    pub(super) fn next_wait_ms(&mut self) -> u32 {
        let doubled = u64::from(self.backoff.base_ms) << self.attempt.min(31);
        let most = doubled.min(u64::from(self.backoff.cap_ms));
        self.attempt = self.attempt.saturating_add(1);
        let wait = self.next_random() % (most + 1);
        u32::try_from(wait).unwrap_or(self.backoff.cap_ms)
    }

    /// SplitMix64: tiny, and good from any seed, neighbouring ones included.
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_start_over() {
        let most = |attempts: u32| {
            (0..500)
                .map(|seed| {
                    let mut retry = Retry::new(Backoff::default(), seed);
                    (0..attempts).for_each(|_| {
                        retry.next_wait_ms();
                    });
                    retry.next_wait_ms()
                })
                .max()
                .expect("500 seeds")
        };
        assert!((900..=1_000).contains(&most(0)));
        assert!((3_600..=4_000).contains(&most(2)));
        assert!((27_000..=30_000).contains(&most(9)));
        assert!((27_000..=30_000).contains(&most(60)));

        let mut retry = Retry::new(Backoff::default(), 7);
        (0..9).for_each(|_| {
            retry.next_wait_ms();
        });
        retry.reset_if_stable(4_999, false);
        retry.reset_if_stable(29_999, true);
        assert_eq!(retry.attempt, 9);
        retry.reset_if_stable(5_000, false);
        assert_eq!(retry.attempt, 0);
        retry.next_wait_ms();
        retry.reset_if_stable(30_000, true);
        assert!(retry.next_wait_ms() <= 1_000);
    }
}
