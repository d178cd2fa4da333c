//! How much one turn may do, so that others have theirs: budgets in steps, counted without a clock.
//!
//! A step is a look at one node of an index, a push to one queue, a filter, a number of a message. What a client or a timer causes
//! ends its turn when the budget is used up, and goes on in a later one. One packet is not cut in two: what it costs at most follows from
//! the limits of packets, subscriptions and sessions. A lock that others wait for is let go in between.

/// With so many steps a turn ends: of a connection that receives or sends, and of the timers.
pub const STEPS_PER_TURN: usize = 16_384;

/// A timer that goes off costs as much, whatever comes of it.
pub(crate) const TIMER_STEPS: usize = 64;
/// A snapshot costs as much, however little it finds.
pub(crate) const SNAPSHOT_STEPS: usize = 16;
/// A message that is sent costs as much: it is looked at, numbered and encoded.
pub(crate) const SENT_STEPS: usize = 8;
/// One that is taken out of the queue and not sent costs as much.
pub(crate) const DROP_STEPS: usize = 4;

/// How many filters enter or leave the index at a time: nobody can publish meanwhile.
pub(crate) const FILTERS_PER_LOCK: usize = 256;
/// The same in levels, but for the last filter.
pub(crate) const LEVELS_PER_LOCK: usize = 4_096;
/// How many messages are forgotten at a time that an ended session, or group, has left behind.
pub(crate) const ABANDONED_PER_LOCK: usize = 4_096;

/// What comes first, as much as goes under one lock; at least one, if there is any. `levels_of` gives the levels of each.
pub(crate) fn part<T>(items: &[T], levels_of: impl Fn(&T) -> usize) -> usize {
    let mut levels = 0;
    let mut count = 0;
    for item in items.iter().take(FILTERS_PER_LOCK) {
        if levels >= LEVELS_PER_LOCK {
            break;
        }
        levels += levels_of(item);
        count += 1;
    }
    count
}

/// The levels of a topic or a filter.
pub(crate) fn levels(path: &str) -> usize {
    path.split('/').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_small_by_number_and_by_levels() {
        let shallow = vec![1; 1_000];
        assert_eq!(part(&shallow, |levels| *levels), FILTERS_PER_LOCK);
        let deep = vec![1_000; 1_000];
        assert_eq!(part(&deep, |levels| *levels), 5);
        assert_eq!(part(&[100_000], |levels| *levels), 1);
        assert_eq!(part(&[], |levels: &usize| *levels), 0);
    }
}
