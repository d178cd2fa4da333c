//! How much memory the program takes, as Linux counts it, against what it may: beyond that the core takes in less, until enough has
//! been given back. Elsewhere nobody looks.

mod allocator;
mod usage;

use std::time::Duration;

use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};

use self::usage::{Resident, three_quarters};
use crate::storage::CurrentBroker;

/// How often is looked, the nearer the limit the more often.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_millis(250);
/// Much faster than this clients can hardly fill the memory, on the same machine.
const FILLED_PER_MILLISECOND: u64 = 2 << 20;
/// As long as memory is short, so often the allocator is told to keep nothing; and no larger a part of the time, for others wait meanwhile.
const GIVE_BACK_EVERY: Duration = Duration::from_millis(500);
const GIVE_BACK_PART: u32 = 20;
/// So much less than the limit has to be in use before everything is taken in again: a twentieth.
const MARGIN_DIVISOR: u64 = 20;

/// Watches for as long as the broker runs.
pub async fn watch(current: CurrentBroker) {
    let own_limit = three_quarters();
    let Some(mut resident) = Resident::open() else {
        if current.get().0.limits().memory_bytes_max > 0 {
            tracing::warn!("memory_bytes_max holds on Linux only: nobody tells how much is in use");
        }
        return;
    };
    let mut is_short = false;
    let mut pause = Duration::ZERO;
    let mut gives_back_at = Instant::now();
    loop {
        sleep(pause).await;
        let (broker, _) = current.get();
        let limit = match broker.limits().memory_bytes_max {
            0 => own_limit,
            limit => Some(limit),
        };
        let (Some(limit), Some(used)) = (limit, resident.bytes()) else {
            pause = PAUSE_MAX;
            continue;
        };
        pause = pause_at(used, limit);
        let was_short = is_short;
        is_short = exceeds(used, limit, was_short);
        // Each time: a store that has healed has another broker.
        broker.set_short_of_memory(is_short);
        if is_short && !was_short {
            tracing::error!(
                used,
                memory_bytes_max = limit,
                "too much memory is in use: new clients, subscriptions and what would be kept are refused"
            );
        } else if was_short && !is_short {
            tracing::info!(used, "there is enough memory again");
        }
        let now = Instant::now();
        if !is_short {
            // Those who have sent too much come first.
            gives_back_at = now + PAUSE_MAX;
        } else if now >= gives_back_at {
            let _ = spawn_blocking(allocator::give_back).await;
            gives_back_at = now + GIVE_BACK_EVERY.max(now.elapsed() * GIVE_BACK_PART);
        }
    }
}

/// So long the limit is out of reach.
fn pause_at(used: u64, limit: u64) -> Duration {
    let left = limit.saturating_sub(used);
    Duration::from_millis(left / FILLED_PER_MILLISECOND).clamp(PAUSE_MIN, PAUSE_MAX)
}

fn exceeds(used: u64, limit: u64, exceeded: bool) -> bool {
    let margin = match exceeded {
        true => limit / MARGIN_DIVISOR,
        false => 0,
    };
    used > limit - margin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_too_much_has_to_become_enough_less() {
        assert!(!exceeds(1_000, 1_000, false));
        assert!(exceeds(1_001, 1_000, false));
        assert!(exceeds(960, 1_000, true));
        assert!(!exceeds(950, 1_000, true));
    }

    #[test]
    fn is_looked_at_before_the_limit_can_be_reached() {
        let mib = |count: u64| count << 20;
        assert_eq!(pause_at(0, mib(10_000)), PAUSE_MAX);
        assert_eq!(pause_at(mib(60), mib(160)), Duration::from_millis(50));
        assert_eq!(pause_at(mib(159), mib(160)), PAUSE_MIN);
        assert_eq!(pause_at(mib(300), mib(160)), PAUSE_MIN);
    }
}
