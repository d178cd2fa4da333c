//! From two looks at the counters to one point.

use ebbtide_broker::{Drops, Now, Stats};

use super::commits::Commits;

/// A moment, and the step that led to it.
#[derive(Clone, Debug)]
pub struct Point {
    /// Milliseconds since 1970.
    pub at_ms: u64,
    pub connections: u64,
    pub sessions: u64,
    pub subscriptions: u64,
    pub retained_messages: u64,
    pub queue_messages: u64,
    pub queue_bytes: u64,
    pub connects_per_s: f64,
    pub received_messages_per_s: f64,
    pub received_bytes_per_s: f64,
    pub sent_messages_per_s: f64,
    pub sent_bytes_per_s: f64,
    /// The reasons with a count.
    pub dropped: Vec<(&'static str, u64)>,
    pub commits: Option<ebbtide_api::Commits>,
}

/// Remembers the last look.
#[derive(Debug, Default)]
pub(super) struct Sampler {
    before: Option<(Now, Stats)>,
    /// Since then.
    commits: Commits,
}

impl Sampler {
    /// Commits of the step that is under way.
    pub fn gather(&mut self, commits: &Commits) {
        self.commits.gather(commits);
    }

    /// Ends the step. The first one only begins.
    pub fn take(&mut self, stats: &Stats, commits: &Commits, now: Now) -> Option<Point> {
        self.gather(commits);
        let before = self.before.replace((now, *stats));
        let commits = self.commits.shown();
        self.commits.clear();
        let (then, before) = before?;
        let elapsed_ms = now.monotonic.0.saturating_sub(then.monotonic.0);
        let seconds = elapsed_ms.max(1) as f64 / 1000.0;
        // Another broker that has taken over counts from zero.
        let rate = |of: fn(&Stats) -> u64| {
            let more = of(stats).saturating_sub(of(&before));
            (more as f64 / seconds * 100.0).round() / 100.0
        };
        Some(Point {
            at_ms: now.wall.0,
            connections: stats.connections,
            sessions: stats.sessions,
            subscriptions: stats.subscriptions,
            retained_messages: stats.retained,
            queue_messages: stats.waiting,
            queue_bytes: stats.waiting_bytes,
            connects_per_s: rate(|stats| stats.connects),
            received_messages_per_s: rate(|stats| stats.received.publishes),
            received_bytes_per_s: rate(|stats| stats.received.bytes),
            sent_messages_per_s: rate(|stats| stats.sent.publishes),
            sent_bytes_per_s: rate(|stats| stats.sent.bytes),
            dropped: difference(&before.dropped, &stats.dropped),
            commits,
        })
    }
}

/// What has been dropped since, by reason; only those for which there was something.
pub fn difference(before: &Drops, now: &Drops) -> Vec<(&'static str, u64)> {
    let pairs = now.by_reason().into_iter().zip(before.by_reason());
    let more = pairs.map(|((reason, count), (_, before))| (reason, count.saturating_sub(before)));
    more.filter(|(_, more)| *more > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_has_taken_over_counts_from_zero() {
        let mut sampler = Sampler::default();
        let mut stats = Stats {
            connects: 100,
            ..Stats::default()
        };
        let none = Commits::default();
        assert!(sampler.take(&stats, &none, Now::default()).is_none());
        stats.connects = 5;
        let point = sampler.take(&stats, &none, Now::default());
        assert_eq!(point.map(|point| point.connects_per_s), Some(0.0));
    }

    #[test]
    fn drops_are_those_of_the_step() {
        let before = Drops {
            expired: 2,
            ..Drops::default()
        };
        let now = Drops {
            expired: 5,
            ..Drops::default()
        };
        assert_eq!(difference(&before, &now), [("expired", 3)]);
        assert!(difference(&now, &now).is_empty());
    }
}
