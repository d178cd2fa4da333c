//! Moving averages over 1, 5 and 15 minutes, per minute, as Mosquitto gives them below `load/`.

use ebbtide_broker::{Monotonic, Stats};

/// Name of the window, and its minutes.
const WINDOWS: [(&str, f64); 3] = [("1min", 1.0), ("5min", 5.0), ("15min", 15.0)];
const MS_PER_MINUTE: f64 = 60_000.0;

/// The averages.
#[derive(Debug, Default)]
pub struct Load {
    before: Option<(Monotonic, [u64; COUNTERS.len()])>,
    averages: [[f64; WINDOWS.len()]; COUNTERS.len()],
}

type Counter = (&'static str, fn(&Stats) -> u64);

const COUNTERS: [Counter; 9] = [
    ("messages/received", |stats| stats.received.packets),
    ("messages/sent", |stats| stats.sent.packets),
    ("publish/received", |stats| stats.received.publishes),
    ("publish/sent", |stats| stats.sent.publishes),
    ("publish/dropped", |stats| stats.dropped.total()),
    ("bytes/received", |stats| stats.received.bytes),
    ("bytes/sent", |stats| stats.sent.bytes),
    ("sockets", |stats| stats.opened),
    ("connections", |stats| stats.connects),
];

impl Load {
    /// Takes in the counters of now.
    pub fn update(&mut self, stats: &Stats, now: Monotonic) {
        let counts = COUNTERS.map(|(_, count)| count(stats));
        if let Some((then, before)) = self.before.replace((now, counts)) {
            let minutes = now.0.saturating_sub(then.0) as f64 / MS_PER_MINUTE;
            if minutes > 0.0 {
                for ((averages, count), before) in self.averages.iter_mut().zip(counts).zip(before)
                {
                    // A new broker counts from zero.
                    let rate = count.saturating_sub(before) as f64 / minutes;
                    for (average, (_, window)) in averages.iter_mut().zip(WINDOWS) {
                        let kept = (-minutes / window).exp();
                        *average = rate + (*average - rate) * kept;
                    }
                }
            }
        }
    }

    /// Each average by its name.
    pub fn values(&self) -> impl Iterator<Item = (String, String)> {
        let rows = COUNTERS.iter().zip(&self.averages);
        rows.flat_map(|((name, _), averages)| {
            let windows = WINDOWS.iter().zip(averages);
            windows.map(move |((window, _), average)| {
                (format!("load/{name}/{window}"), format!("{average:.2}"))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rate_becomes_the_average() {
        let mut load = Load::default();
        let mut stats = Stats::default();
        for tick in 0..6 * 60 {
            load.update(&stats, Monotonic(tick * 10_000));
            stats.received.publishes += 50;
        }
        let value = |wanted: &str| {
            let mut values = load.values();
            values
                .find(|(name, _)| name == wanted)
                .map(|(_, value)| value)
        };
        assert_eq!(
            value("load/publish/received/1min").as_deref(),
            Some("300.00")
        );
        assert_eq!(value("load/publish/sent/1min").as_deref(), Some("0.00"));
        let slow: f64 = value("load/publish/received/15min")
            .and_then(|value| value.parse().ok())
            .expect("a number");
        assert!((290.0..300.0).contains(&slow), "{slow}");
    }
}
