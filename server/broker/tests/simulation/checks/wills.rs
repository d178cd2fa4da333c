//! A will is published once when it must be: the connection is lost, and the delay has passed or the session has ended. It
//! is not after DISCONNECT, nor when the client is back in time; a crash of the broker changes neither.

use std::ops::RangeInclusive;

use ebbtide_protocol::QoS;

use super::{
    connections::{End, Story, is_haunted, stories},
    crashes,
    duplicates::live,
    lost,
};
use crate::history::{Fact, History, MessageId};

/// Hears everything.
const AUDITOR: usize = 0;

pub fn check(history: &History) -> Result<(), String> {
    let stories = stories(history);
    let Some(heard_from) = history.facts().find_map(|(at, fact)| match fact {
        Fact::Subscribed(subscription) if subscription.client == AUDITOR => Some(at),
        _ => None,
    }) else {
        return Ok(());
    };
    for (connection, story) in &stories {
        let Some((will, message)) = &story.asked.will else {
            continue;
        };
        if story.end.as_ref().is_some_and(|end| end.at < heard_from) {
            continue;
        }
        let later = stories.range(connection + 1..).map(|(_, later)| later);
        let later = later.filter(|later| later.asked.client == story.asked.client);
        let expected = match &story.end {
            Some(end) if is_haunted(&stories, story, end.at) => 0..=1,
            _ => expected(history, story, will.delay_interval, later),
        };
        let (times, is_exact) = times(history, *message);
        // At QoS 1 it may have been sent before a crash has taken it back.
        let again = match is_exact {
            true => 0,
            false => crashes(history, story.asked_at, history.entries.len()),
        };
        // It may have been lost to a limit.
        let least = match lost(history, Some(AUDITOR)) {
            0 => *expected.start(),
            _ => 0,
        };
        if !(least..=expected.end() + again).contains(&times) {
            return Err(format!(
                "{} of connection {} was published {times} times, not {expected:?}",
                history.describe(*message),
                story.asked.connection
            ));
        }
    }
    Ok(())
}

fn expected<'a>(
    history: &History,
    story: &Story,
    delay_s: u32,
    mut later: impl Iterator<Item = &'a Story>,
) -> RangeInclusive<usize> {
    let (never, once, perhaps) = (0..=0, 1..=1, 0..=1);
    let Some(end) = &story.end else {
        return never;
    };
    if story.connected_at.is_none() {
        return perhaps;
    }
    if end.by_client && matches!(story.disconnects, Some((false, _))) {
        return if end.unsettled_until.is_some() {
            perhaps
        } else {
            never
        };
    }
    let waits = waits(end, story, delay_s);
    if waits == (0, 0) {
        return once;
    }
    let time = |at: usize| history.entries[at].at_ms;
    let (due, due_at_last) = due(end, waits, time);
    let Some(next) = later.next() else {
        return once;
    };
    if time(next.asked_at) > due_at_last {
        return once;
    }
    match next.connected_at {
        None => perhaps,
        // The session has ended.
        Some(_) if next.asked.clean_start || !next.session_present => once,
        Some(connected_at) if time(connected_at) < due => never,
        Some(_) => perhaps,
    }
}

/// How long it waits at least and at most, milliseconds: a crash may have lost the expiry that DISCONNECT asked for.
fn waits(end: &End, story: &Story, delay_s: u32) -> (u64, u64) {
    let wait_ms = |expiry_s: u32| u64::from(delay_s.min(expiry_s)) * 1000;
    let (told, asked) = (wait_ms(story.expiry_s()), wait_ms(story.asked.expiry_s));
    match end.unsettled_until {
        Some(_) => (told.min(asked), told.max(asked)),
        None => (told, told),
    }
}

/// When it is due, and when at the latest if a crash has lost the end of the connection.
fn due(end: &End, (shortest, longest): (u64, u64), time: impl Fn(usize) -> u64) -> (u64, u64) {
    let last = end.unsettled_until.unwrap_or(end.at);
    (time(end.at) + shortest, time(last) + longest)
}

/// How often it came to the auditor, and whether always at QoS 2.
fn times(history: &History, message: MessageId) -> (usize, bool) {
    let auditor = history.facts().find_map(|(_, fact)| match fact {
        Fact::Connected {
            client: AUDITOR,
            session,
            ..
        } => Some(*session),
        _ => None,
    });
    let live = live(history);
    let deliveries = auditor.and_then(|auditor| live.get(&(auditor, message)));
    let (mut times, mut is_exact) = (0, true);
    let mut connections = Vec::new();
    for (_, delivery) in deliveries.into_iter().flatten() {
        let is_repeated = delivery.dup && connections.iter().any(|on| *on < delivery.connection);
        times += usize::from(!is_repeated);
        connections.push(delivery.connection);
        is_exact &= delivery.qos == QoS::ExactlyOnce;
    }
    (times, is_exact)
}
