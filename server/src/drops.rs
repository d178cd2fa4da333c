//! The log line that says how many messages were dropped, why, and whose sessions lost them: nothing is lost in silence.

use std::fmt::Write;

use ebbtide_broker::{Drops, LostSince};
use tokio::time::{Duration, interval};

use crate::storage::CurrentBroker;

/// How often drops are looked at.
const WINDOW: Duration = Duration::from_secs(10);

/// Reasons that are in order: what nobody is to get any more, QoS 0 for who is not there, and what an operator wanted.
const EXPECTED: [&str; 3] = ["expired", "qos0_unready", "purged"];

/// Watches for as long as the broker runs.
pub async fn watch(current: CurrentBroker) {
    let mut ticks = interval(WINDOW);
    let mut before = Drops::default();
    loop {
        ticks.tick().await;
        let (broker, _) = current.get();
        let now = broker.stats().dropped;
        let text = difference(&before, &now);
        before = now;
        let whose = whose(&broker.take_losses());
        match text {
            Some((text, true)) => tracing::warn!("messages were dropped: {text}{whose}"),
            Some((text, false)) => tracing::debug!("messages were dropped: {text}{whose}"),
            None => {}
        }
    }
}

/// What has been dropped since, and whether a limit or a fault was the reason.
fn difference(before: &Drops, now: &Drops) -> Option<(String, bool)> {
    let pairs = now.by_reason().into_iter().zip(before.by_reason());
    let mut is_unexpected = false;
    let mut parts = Vec::new();
    for ((reason, count), (_, before)) in pairs {
        // A broker that has taken over counts from zero.
        let more = count.saturating_sub(before);
        if more > 0 {
            parts.push(format!("{reason} {more}"));
            is_unexpected |= !EXPECTED.contains(&reason);
        }
    }
    (!parts.is_empty()).then(|| (parts.join(", "), is_unexpected))
}

/// The sessions that have lost some. Client ids are the clients' own words: quoted.
fn whose(lost: &LostSince) -> String {
    let mut text = String::new();
    for (client_id, count) in &lost.sessions {
        let start = if text.is_empty() { "; lost by" } else { "," };
        let _ = write!(text, "{start} {:?} {count}", &**client_id);
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
