//! The log line that says how many messages were dropped, why, and whose sessions lost them: nothing is lost in silence. Those who
//! listen are told sooner.

use std::fmt::Write;

use ebbtide_broker::{Drops, LostSince, NoRoom};
use tokio::time::{Duration, interval};

use crate::{clock::Clock, events::Events, logging::cut, stats, storage::CurrentBroker};

/// How often drops are looked at, and those who listen are told.
const TICK: Duration = Duration::from_secs(1);
/// After so many of them there is a line in the log.
const TICKS_PER_LINE: u64 = 10;
/// So many sessions that lost messages are named in a line.
const NAMED_MAX: usize = 20;

/// Reasons that are in order: what nobody is to get any more, QoS 0 for who is not there, and what an operator wanted.
const EXPECTED: [&str; 3] = ["expired", "qos0_unready", "purged"];

/// Watches for as long as the broker runs.
pub async fn watch(current: CurrentBroker, events: Events, clock: Clock) {
    let mut ticks = interval(TICK);
    let (mut before, mut before_line) = (Drops::default(), Drops::default());
    let mut lost = LostSince::default();
    let mut is_full = false;
    for tick in 1_u64.. {
        ticks.tick().await;
        let (broker, _) = current.get();
        let now = broker.stats().dropped;
        let more = broker.take_losses();
        events.drops(clock.now().wall, &stats::difference(&before, &now), &more);
        before = now;
        gather(&mut lost, more);
        // That a commit failed, and works again, is told where it is known.
        let no_room = broker.journal().no_room();
        if no_room != Some(NoRoom::Failed) && is_full != no_room.is_some() {
            is_full = no_room.is_some();
            events.store(clock.now().wall, no_room);
        }
        if !tick.is_multiple_of(TICKS_PER_LINE) {
            continue;
        }
        let text = difference(&before_line, &now);
        before_line = now;
        let whose = whose(&std::mem::take(&mut lost));
        match text {
            Some((text, true)) => tracing::warn!("messages were dropped: {text}{whose}"),
            Some((text, false)) => tracing::debug!("messages were dropped: {text}{whose}"),
            None => {}
        }
    }
}

/// Those of a line.
fn gather(lost: &mut LostSince, more: LostSince) {
    lost.others += more.others;
    for (client_id, count) in more.sessions {
        if let Some(known) = lost.sessions.get_mut(&client_id) {
            *known += count;
        } else if lost.sessions.len() < NAMED_MAX {
            lost.sessions.insert(client_id, count);
        } else {
            lost.others += count;
        }
    }
}

/// What has been dropped since, and whether a limit or a fault was the reason.
fn difference(before: &Drops, now: &Drops) -> Option<(String, bool)> {
    let mut is_unexpected = false;
    let mut parts = Vec::new();
    for (reason, more) in stats::difference(before, now) {
        parts.push(format!("{reason} {more}"));
        is_unexpected |= !EXPECTED.contains(&reason);
    }
    (!parts.is_empty()).then(|| (parts.join(", "), is_unexpected))
}

/// The sessions that have lost some. Client ids are the clients' own words: quoted.
fn whose(lost: &LostSince) -> String {
    let mut text = String::new();
    for (client_id, count) in &lost.sessions {
        let start = if text.is_empty() { "; lost by" } else { "," };
        let _ = write!(text, "{start} {:?} {count}", cut(client_id));
    }
    if lost.others > 0 {
        let _ = write!(text, ", others {}", lost.others);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_whose_they_were() {
        assert_eq!(whose(&LostSince::default()), "");
        let lost = LostSince {
            sessions: [("a".into(), 2), ("b\n".into(), 1)].into(),
            others: 7,
        };
        assert_eq!(whose(&lost), r#"; lost by "a" 2, "b\n" 1, others 7"#);
    }

    #[test]
    fn a_line_is_no_longer_for_names_that_are() {
        let sessions = (0..NAMED_MAX).map(|n| (format!("{n:065535}").into(), 1));
        let lost = LostSince {
            sessions: sessions.collect(),
            others: 0,
        };
        let bytes = whose(&lost).len();
        assert!(bytes < NAMED_MAX * 300, "{bytes} bytes");
    }

    #[test]
    fn a_line_names_so_many_and_counts_the_rest() {
        let mut lost = LostSince::default();
        for n in 0..2 * NAMED_MAX {
            for _ in 0..2 {
                let sessions = [(format!("{n:02}").into(), 1)].into();
                gather(
                    &mut lost,
                    LostSince {
                        sessions,
                        others: 0,
                    },
                );
            }
        }
        assert_eq!(lost.sessions.len(), NAMED_MAX);
        assert!(lost.sessions.values().all(|count| *count == 2));
        assert_eq!(lost.others, 2 * NAMED_MAX as u64);
    }

    #[test]
    fn a_line_names_each_reason_with_its_count() {
        let before = Drops {
            queue_full: 3,
            ..Drops::default()
        };
        assert_eq!(difference(&before, &before), None);
        let now = Drops {
            queue_full: 5,
            expired: 1,
            ..Drops::default()
        };
        let expected = Some(("queue_full 2, expired 1".to_owned(), true));
        assert_eq!(difference(&before, &now), expected);
        let only_expected = Drops {
            expired: 1,
            ..before
        };
        assert_eq!(
            difference(&before, &only_expected),
            Some(("expired 1".to_owned(), false))
        );
    }
}
