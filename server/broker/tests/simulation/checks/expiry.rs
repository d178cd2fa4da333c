//! A message whose time is over is not sent any more; what is left of it counts down.

use super::connections::stories;
use crate::history::History;

pub fn check(history: &History) -> Result<(), String> {
    let publishes = history.publishes();
    let stories = stories(history);
    for (_, delivery) in history.deliveries() {
        let Some(expiry_s) = history.messages[delivery.message].expiry_s else {
            continue;
        };
        // An exchange that has begun is finished.
        if delivery.dup {
            continue;
        }
        // It was accepted before it was acknowledged, and sent after the connection was opened.
        let time = |at: usize| history.entries[at].at_ms;
        let accepted = publishes[delivery.message].acknowledged.map(time);
        let opened = time(stories[&delivery.connection].asked_at);
        let waited_ms = accepted.map_or(0, |accepted| opened.saturating_sub(accepted));
        let left_ms = (u64::from(expiry_s) * 1000).checked_sub(waited_ms);
        let left_s = left_ms.map_or(0, |left_ms| left_ms.div_ceil(1000));
        let told = delivery.expiry_left_s.map_or(left_s, u64::from);
        // Nothing may be left of it where it, or what stood before it, has waited for the disk with its packet id.
        if left_s == 0 || told > left_s {
            return Err(format!(
                "{} got {} with {told} of {expiry_s} s left, after {waited_ms} ms at least",
                history.names[delivery.client],
                history.describe(delivery.message)
            ));
        }
    }
    Ok(())
}
