//! The two clocks of this process, read in one place and handed to the core as numbers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ebbtide_broker::{Monotonic, Now};
use ebbtide_store::WallTime;
use tokio::time::Instant;

/// Reads the time; all parts share one so that their deadlines compare.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    /// The wall clock at that moment.
    wall: WallTime,
}

impl Clock {
    /// A clock whose monotonic time starts now. A wall clock before 1970 reads as zero.
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
            wall: system(),
        }
    }

    /// One of a program that has run while the system's clock was set, or while the machine slept: it is so much behind.
    #[cfg(test)]
    pub fn behind(ms: i64) -> Self {
        Self {
            start: Instant::now(),
            wall: WallTime(system().0.saturating_add_signed(-ms)),
        }
    }

    /// Both clocks. The wall clock goes on from where it was at the start: one that is set meanwhile must not expire what
    /// is there, nor keep it for ever.
    pub fn now(&self) -> Now {
        let elapsed_ms = milliseconds(self.start.elapsed());
        Now {
            monotonic: Monotonic(elapsed_ms),
            wall: WallTime(self.wall.0.saturating_add(elapsed_ms)),
        }
    }

    /// When that moment of the system's clock, as it is set now, is on this one: as far away.
    pub fn moment(&self, at: WallTime) -> WallTime {
        let left_ms = at.0.saturating_sub(system().0);
        WallTime(self.now().wall.0.saturating_add(left_ms))
    }

    /// When a deadline of the core is, for a tokio timer.
    pub fn instant(&self, deadline: Monotonic) -> Instant {
        // No process runs that long, and a deadline may be farther away than an instant can be.
        const FAR: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
        self.start + Duration::from_millis(deadline.0).min(FAR)
    }
}

/// The system's wall clock, as it is set now: what others have signed counts by it, and so does what is made for others to look at.
pub fn system() -> WallTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    WallTime(milliseconds(since.unwrap_or_default()))
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
