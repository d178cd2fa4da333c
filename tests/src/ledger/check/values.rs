//! A retained message that was looked up after a start is the last accepted one, or a later one that was under way; and
//! what was there once does not give way to an older one.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Counts, Fault, Kind,
    history::{History, Message},
};
use crate::ledger::book::{Client, Entry, Event};

pub fn check(book: &[Entry], history: &History, counts: &mut Counts, faults: &mut Vec<Fault>) {
    let mut by_topic: BTreeMap<&str, Vec<(Client, u32, &Message)>> = BTreeMap::new();
    for ((client, number), message) in &history.messages {
        if message.retain {
            let changes = by_topic.entry(&message.topic).or_default();
            changes.push((*client, *number, message));
        }
    }
    // By topic: what was found there at the last look.
    let mut found_before: BTreeMap<Arc<str>, u32> = BTreeMap::new();
    for (at, entry) in book.iter().enumerate() {
        let Event::Found { topic, stamp, .. } = &entry.event else {
            continue;
        };
        counts.values += 1;
        let changes: Vec<_> = by_topic
            .get(&**topic)
            .into_iter()
            .flatten()
            .filter(|(_, _, change)| change.sent < at)
            .collect();
        let accepted = changes
            .iter()
            .filter(|(_, _, change)| change.accepted.is_some_and(|accepted| accepted < at))
            .map(|(_, number, _)| *number)
            .max();
        let oldest = accepted.max(found_before.get(topic).copied());
        let fits = |number: u32| oldest.is_none_or(|oldest| number >= oldest);
        let number = match stamp {
            Some(stamp) => Some(stamp.number).filter(|number| {
                fits(*number) && changes.iter().any(|(_, sent, _)| sent == number)
            }),
            // Which of the possible clears it was is not to be seen: the oldest.
            None => changes
                .iter()
                .filter(|(_, number, change)| change.clears && fits(*number))
                .map(|(_, number, _)| *number)
                .min(),
        };
        match number {
            Some(number) => {
                found_before.insert(Arc::clone(topic), number);
            }
            None if stamp.is_none() && oldest.is_none() => {}
            None => {
                let there = stamp.map_or_else(|| "nothing".to_owned(), |stamp| stamp.to_string());
                let last = oldest.map_or_else(
                    || "nothing was set".to_owned(),
                    |oldest| format!("change {oldest} was accepted or seen"),
                );
                let sent = changes
                    .iter()
                    .filter(|(_, number, _)| Some(*number) == oldest)
                    .flat_map(|(_, _, change)| [Some(change.sent), change.accepted]);
                faults.push(Fault::new(
                    Kind::Retained,
                    sent.flatten().chain([at]),
                    format!("{topic} holds {there}, and {last}"),
                ));
                // Not the same fault at every look that follows.
                found_before.remove(topic);
            }
        }
    }
}
