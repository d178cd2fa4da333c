//! What one publisher sends comes in its order, whatever the topics and the QoS.

use std::collections::BTreeMap;

use ebbtide_protocol::QoS;

use super::{crashes, duplicates::live};
use crate::history::{Fact, History, MessageId, SessionId};

pub fn check(history: &History) -> Result<(), String> {
    let publishes = history.publishes();
    let has_crashed = crashes(history, 0, history.entries.len()) > 0;
    let mut firsts: Vec<(usize, SessionId, MessageId)> = live(history)
        .into_iter()
        .map(|((session, message), deliveries)| (deliveries[0].0, session, message))
        .collect();
    firsts.sort_unstable();
    let mut last: BTreeMap<(SessionId, usize), MessageId> = BTreeMap::new();
    for (at, session, id) in firsts {
        let message = &history.messages[id];
        // What was sent twice may have been taken in twice, before and after others.
        let is_taken_once =
            publishes[id].times == 1 || (message.qos == QoS::ExactlyOnce && !has_crashed);
        let is_exempt = history.sessions[session].is_unsure
            || message.will_of.is_some()
            || !is_taken_once
            || is_back(history, session, id, publishes[id].first, at);
        if is_exempt {
            continue;
        }
        if let Some(before) = last.insert((session, message.publisher), id)
            && before > id
        {
            return Err(format!(
                "{} got {} after {}",
                history.name_of(session),
                history.describe(id),
                history.describe(before)
            ));
        }
    }
    Ok(())
}

/// A limit has dropped the message for this client, and a crash has undone that: nobody waits for the commit of a drop.
/// Then it comes behind what had gone past it.
fn is_back(
    history: &History,
    session: SessionId,
    id: MessageId,
    published: Option<usize>,
    delivered: usize,
) -> bool {
    let whose = history.sessions[session].client;
    let mut meanwhile = history.entries[published.unwrap_or(0)..delivered].iter();
    let mut is_dropped = false;
    meanwhile.any(|entry| {
        is_dropped |= matches!(&entry.fact, Fact::Lost { client, .. } if *client == Some(whose));
        let is_undone = matches!(&entry.fact, Fact::Undone { client, message } if (*client, *message) == (whose, id));
        is_dropped && is_undone
    })
}
