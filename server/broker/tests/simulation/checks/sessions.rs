//! Session Present tells the truth: a session is there until its time is over, and not longer; a clean start begins
//! anew; what ended does not come back, whatever crashes.

use super::connections::{Story, is_haunted, stories};
use crate::history::History;

/// What may be told.
enum Expected {
    Yes,
    No,
    Either,
}

pub fn check(history: &History) -> Result<(), String> {
    let stories = stories(history);
    for (connection, story) in &stories {
        let Some(connected_at) = story.connected_at else {
            continue;
        };
        let earlier = stories.range(..connection).rev().map(|(_, story)| story);
        let mut earlier = earlier.filter(|other| other.asked.client == story.asked.client);
        let before = earlier.next();
        let since = before.and_then(|before| before.connected_at).unwrap_or(0);
        let expected = if story.asked.clean_start {
            Expected::No
        } else if is_haunted(&stories, story, since) {
            Expected::Either
        } else {
            expected(history, story, connected_at, before)
        };
        let is_wrong = match expected {
            Expected::Yes => !story.session_present,
            Expected::No => story.session_present,
            Expected::Either => false,
        };
        if is_wrong {
            return Err(format!(
                "{} was told Session Present {} on connection {}",
                history.names[story.asked.client], story.session_present, story.asked.connection
            ));
        }
    }
    Ok(())
}

fn expected(
    history: &History,
    story: &Story,
    connected_at: usize,
    before: Option<&Story>,
) -> Expected {
    let Some(before) = before else {
        return Expected::No;
    };
    if before.connected_at.is_none() {
        return Expected::Either;
    }
    let time = |at: usize| history.entries[at].at_ms;
    let asked_s = before.asked.expiry_s;
    let end = before.end.as_ref().filter(|end| end.at < connected_at);
    // How long it may live, and from when on: a crash may have lost the end of the connection.
    let (mut shortest, mut longest) = (before.expiry_s(), before.expiry_s());
    let mut ended = end.map(|end| (time(end.at), time(end.at)));
    if let Some(crashed_at) = end.and_then(|end| end.unsettled_until)
        && crashed_at < connected_at
    {
        shortest = shortest.min(asked_s);
        longest = longest.max(asked_s);
        ended = ended.map(|(first, _)| (first, time(crashed_at)));
    }
    // It was taken over.
    let (first, last) = ended.unwrap_or((time(connected_at), time(connected_at)));
    let lives_ms = |seconds: u32| match seconds {
        u32::MAX => u64::MAX,
        seconds => u64::from(seconds) * 1000,
    };
    let told = time(connected_at);
    if told < first.saturating_add(lives_ms(shortest)) || (ended.is_none() && shortest > 0) {
        Expected::Yes
    } else if longest == 0 || time(story.asked_at) > last.saturating_add(lives_ms(longest)) {
        Expected::No
    } else {
        Expected::Either
    }
}
