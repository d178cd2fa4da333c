//! A client that has gone without a word is missed within one and a half times its keep alive [MQTT-3.1.2-22].

use super::connections::stories;
use crate::history::History;

/// What the client had sent may still be under way when it is gone.
const UNDER_WAY_MS: u64 = 5_000;

pub fn check(history: &History) -> Result<(), String> {
    for (connection, story) in stories(history) {
        let (Some(left_at), Some(_)) = (story.left_at, story.connected_at) else {
            continue;
        };
        if story.asked.keep_alive_s == 0 {
            continue;
        }
        let time = |at: usize| history.entries[at].at_ms;
        let last_ms = time(left_at) + u64::from(story.asked.keep_alive_s) * 1500 + UNDER_WAY_MS;
        let ended_ms = story.end.map_or(history.now_ms, |end| time(end.at));
        if ended_ms > last_ms {
            return Err(format!(
                "connection {connection} of {} was left at {} ms and noticed at {ended_ms} ms",
                history.names[story.asked.client],
                time(left_at)
            ));
        }
    }
    Ok(())
}
