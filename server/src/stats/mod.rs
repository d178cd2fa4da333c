//! What the broker did over the last hour, in memory: a point for each second of the last ten minutes, and for every ten
//! seconds of the hour. A point is what counters have grown by, so nothing is measured for it but commits.

mod commits;
mod point;

use std::{collections::VecDeque, sync::Arc};

use ebbtide_broker::{Now, Stats};
use parking_lot::Mutex;
use tokio::time::{Duration, MissedTickBehavior, interval};

use self::point::Sampler;
pub use self::{
    commits::{BOUNDS_S, CommitTimes, Commits, Totals},
    point::{Point, difference},
};
use crate::{clock::Clock, storage::CurrentBroker};

/// Points of a second: ten minutes of them.
const FINE_MAX: usize = 600;
/// How many of these one of the coarse ones spans.
const COARSE_STEP: usize = 10;
/// And those: an hour of them.
const COARSE_MAX: usize = 360;
const TICK: Duration = Duration::from_secs(1);

/// The step of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A second.
    Fine,
    /// Ten seconds.
    Coarse,
}

/// The last hour; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct History(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    fine: Series,
    coarse: Series,
    ticks: usize,
}

#[derive(Debug, Default)]
struct Series {
    points: VecDeque<Point>,
    sampler: Sampler,
}

impl Series {
    fn add(&mut self, stats: &Stats, commits: &Commits, now: Now, max: usize) {
        let Some(point) = self.sampler.take(stats, commits, now) else {
            return;
        };
        if self.points.len() == max {
            self.points.pop_front();
        }
        self.points.push_back(point);
    }
}

impl History {
    /// Notes a second.
    pub fn add(&self, stats: &Stats, commits: &Commits, now: Now) {
        let state = &mut *self.0.lock();
        state.fine.add(stats, commits, now, FINE_MAX);
        state.coarse.sampler.gather(commits);
        if state.ticks.is_multiple_of(COARSE_STEP) {
            state
                .coarse
                .add(stats, &Commits::default(), now, COARSE_MAX);
        }
        state.ticks += 1;
    }

    /// The points that are later than this, milliseconds since 1970; the oldest first.
    pub fn points(&self, step: Step, after_ms: u64) -> Vec<Point> {
        let state = self.0.lock();
        let points = match step {
            Step::Fine => &state.fine.points,
            Step::Coarse => &state.coarse.points,
        };
        let later = points.iter().filter(|point| point.at_ms > after_ms);
        later.cloned().collect()
    }

    /// The last second.
    pub fn last(&self) -> Option<Point> {
        self.0.lock().fine.points.back().cloned()
    }
}

/// Notes second after second for as long as the broker runs.
pub async fn watch(current: CurrentBroker, times: CommitTimes, history: History, clock: Clock) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let stats = current.get().0.stats();
        history.add(&stats, &times.take(), clock.now());
    }
}

#[cfg(test)]
mod tests {
    use ebbtide_broker::Monotonic;
    use ebbtide_store::WallTime;

    use super::*;

    fn at(second: u64) -> Now {
        Now {
            monotonic: Monotonic(second * 1000),
            wall: WallTime(1_000_000 + second * 1000),
        }
    }

    #[test]
    fn it_keeps_ten_minutes_of_seconds_and_an_hour_of_tens() {
        let history = History::default();
        let mut stats = Stats::default();
        for second in 0..5000 {
            stats.received.publishes += 3;
            history.add(&stats, &Commits::default(), at(second));
        }
        let fine = history.points(Step::Fine, 0);
        let coarse = history.points(Step::Coarse, 0);
        assert_eq!((fine.len(), coarse.len()), (FINE_MAX, COARSE_MAX));
        assert_eq!(fine[FINE_MAX - 1].at_ms, at(4999).wall.0);
        assert_eq!(coarse[1].at_ms - coarse[0].at_ms, 10_000);
        for point in fine.iter().chain(&coarse) {
            assert!((point.received_messages_per_s - 3.0).abs() < 1e-6);
        }
        let later = history.points(Step::Fine, at(4989).wall.0);
        assert_eq!(later.len(), 10);
    }

    #[test]
    fn the_commits_of_ten_seconds_are_those_of_each() {
        let history = History::default();
        let times = CommitTimes::default();
        for second in 0..11 {
            if second > 0 {
                times.add(Duration::from_millis(second), 2);
            }
            history.add(&Stats::default(), &times.take(), at(second));
        }
        let fine = history.points(Step::Fine, 0);
        assert_eq!(fine.len(), 10);
        let coarse = history.points(Step::Coarse, 0);
        let commits = coarse[0].commits.expect("there were some");
        assert_eq!((commits.count, commits.operations), (10, 20));
        assert!((9.9..=10.2).contains(&commits.max_ms), "{commits:?}");
        assert!((4.9..=6.1).contains(&commits.p50_ms), "{commits:?}");
    }
}
