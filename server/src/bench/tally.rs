//! What a run counts. Everything is counted from the start; what lies in the measured time is the difference of two looks.

use std::cell::{Cell, RefCell};

use hdrhistogram::Histogram;

use super::link::Template;

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
    /// Latencies are kept only while this is set.
    is_measuring: Cell<bool>,
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
            is_measuring: Cell::new(false),
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

    pub fn received(&self, payload: &[u8], now_ns: u64) {
        self.received.set(self.received.get() + 1);
        if self.is_measuring.get()
            && let Some(sent_ns) = Template::time_ns(payload)
        {
            let took_ns = now_ns.saturating_sub(sent_ns);
            self.latency.borrow_mut().saturating_record(took_ns);
        }
    }

    /// From now on, or no longer.
    pub fn measure(&self, is_measuring: bool) {
        self.is_measuring.set(is_measuring);
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
