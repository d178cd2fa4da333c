//! What a run counts. Everything is counted from the start; what lies in the measured time is the difference of two looks.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use hdrhistogram::Histogram;

use super::template::Template;

/// Latencies up to here are told apart, nanoseconds: a minute.
const LATENCY_NS_MAX: u64 = 60_000_000_000;
/// One part in a hundred.
const LATENCY_DIGITS: u8 = 2;

/// The counters of one run; one thread has them.
pub struct Tally {
    sent: Cell<u64>,
    acknowledged: Cell<u64>,
    refused: Cell<u64>,
    received: Cell<u64>,
    /// When the first of them came, nanoseconds of the run.
    first_ns: Cell<Option<u64>>,
    /// Latencies are kept of what was sent from then on, nanoseconds of the run,
    measured_from_ns: Cell<u64>,
    /// and before that.
    measured_until_ns: Cell<u64>,
    latency: RefCell<Histogram<u64>>,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Published.
    pub sent: u64,
    /// PUBACK or PUBCOMP, or PUBREC with an error.
    pub acknowledged: u64,
    /// Of these, with an error.
    pub refused: u64,
    /// Delivered to subscribers.
    pub received: u64,
}

impl Tally {
    pub fn new() -> Self {
        let latency = Histogram::new_with_max(LATENCY_NS_MAX, LATENCY_DIGITS);
        Self {
            sent: Cell::new(0),
            acknowledged: Cell::new(0),
            refused: Cell::new(0),
            received: Cell::new(0),
            first_ns: Cell::new(None),
            measured_from_ns: Cell::new(u64::MAX),
            measured_until_ns: Cell::new(u64::MAX),
            latency: RefCell::new(latency.expect("the bounds are sensible")),
        }
    }

    pub fn sent(&self) {
        self.sent.set(self.sent.get() + 1);
    }

    pub fn acknowledged(&self, reason: u8) {
        self.acknowledged.set(self.acknowledged.get() + 1);
        if reason >= 0x80 {
            self.refused.set(self.refused.get() + 1);
        }
    }

    /// What counts is when it was sent: what comes after the measured time is late, and none of that is left out.
    pub fn received(&self, payload: &[u8], now_ns: u64) {
        let before = self.received.replace(self.received.get() + 1);
        if before == 0 {
            self.first_ns.set(Some(now_ns));
        }
        if let Some(sent_ns) = Template::time_ns(payload)
            && (self.measured_from_ns.get()..self.measured_until_ns.get()).contains(&sent_ns)
        {
            self.waited(now_ns.saturating_sub(sent_ns), 1);
        }
    }

    /// When the first delivery came, after the start of the run.
    pub fn first(&self) -> Option<Duration> {
        self.first_ns.get().map(Duration::from_nanos)
    }

    /// So many deliveries have waited for so long, at the least.
    pub fn waited(&self, nanoseconds: u64, deliveries: u64) {
        let mut latency = self.latency.borrow_mut();
        latency.saturating_record_n(nanoseconds, deliveries);
    }

    /// From this moment of the run on.
    pub fn measure_from(&self, now_ns: u64) {
        self.measured_from_ns.set(now_ns);
    }

    /// Up to this moment.
    pub fn measure_until(&self, now_ns: u64) {
        self.measured_until_ns.set(now_ns);
    }

    pub fn counts(&self) -> Counts {
        Counts {
            sent: self.sent.get(),
            acknowledged: self.acknowledged.get(),
            refused: self.refused.get(),
            received: self.received.get(),
        }
    }

    /// Milliseconds at these quantiles; nothing when nothing was measured.
    pub fn latency_ms(&self, quantiles: &[f64]) -> Option<Vec<f64>> {
        let latency = self.latency.borrow();
        (!latency.is_empty()).then(|| {
            let at = |quantile: &f64| latency.value_at_quantile(*quantile) as f64 / 1e6;
            quantiles.iter().map(at).collect()
        })
    }
}

impl Counts {
    pub fn since(self, earlier: Self) -> Self {
        Self {
            sent: self.sent - earlier.sent,
            acknowledged: self.acknowledged - earlier.acknowledged,
            refused: self.refused - earlier.refused,
            received: self.received - earlier.received,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_of_what_was_sent_in_the_measured_time_however_late_it_comes() {
        const SECOND_NS: u64 = 1_000_000_000;
        let tally = Tally::new();
        tally.measure_from(SECOND_NS);
        let sent_at = |seconds: u64| (seconds * SECOND_NS).to_be_bytes();
        tally.received(&sent_at(0), SECOND_NS);
        assert_eq!(tally.latency_ms(&[0.5]), None);
        tally.measure_until(3 * SECOND_NS);
        tally.received(&sent_at(3), 4 * SECOND_NS);
        assert_eq!(tally.latency_ms(&[0.5]), None);
        tally.received(&sent_at(2), 12 * SECOND_NS);
        let latency = tally.latency_ms(&[1.0]).expect("one was measured")[0];
        assert!((9_900.0..10_200.0).contains(&latency), "{latency} ms");
        assert_eq!(tally.counts().received, 3);
    }
}
