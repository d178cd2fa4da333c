//! A will is published once its connection has ended without DISCONNECT, a kill of the broker included; not if its client
//! said goodbye in time for the commit, nor if it was back before the delay was over.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Counts, Fault, Kind,
    history::{Connection, History},
};
use crate::ledger::book::{Client, Entry};

/// How exactly the end of a delay can be told: the broker notices things a little later, on a loaded machine much later.
const SLACK: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    MustCome,
    MustNotCome,
    Either,
}

pub fn check(book: &[Entry], history: &History, counts: &mut Counts, faults: &mut Vec<Fault>) {
    let mut came: BTreeMap<(Client, u32), usize> = BTreeMap::new();
    for receipt in history.receipts.values().flatten() {
        if history.testators.contains(&receipt.stamp.client) {
            let will = (receipt.stamp.client, receipt.stamp.number);
            came.entry(will).or_insert(receipt.at);
        }
    }
    for connections in history.connections.values() {
        for (at, connection) in connections.iter().enumerate() {
            let (Some(promise), Some((connected, _))) = (connection.will, connection.connected)
            else {
                continue;
            };
            let verdict = verdict(book, history, connection, &connections[at + 1..], connected);
            let will = (promise.stamp.client, promise.stamp.number);
            let receipt = came.get(&will).copied();
            counts.wills += usize::from(verdict == Verdict::MustCome);
            counts.wills_kept_back += usize::from(verdict == Verdict::MustNotCome);
            let leaving = connection.leaving.map(|(leaving, _)| leaving);
            let entries = [Some(connected), leaving, connection.left, receipt];
            let entries = entries.into_iter().flatten();
            let delay = promise.delay;
            match (verdict, receipt) {
                (Verdict::MustCome, None) => faults.push(Fault::new(
                    Kind::WillMissing,
                    entries,
                    format!("will {} with delay {delay:?} never came", promise.stamp),
                )),
                (Verdict::MustNotCome, Some(_)) => faults.push(Fault::new(
                    Kind::WillUncalledFor,
                    entries,
                    format!("will {} with delay {delay:?} came", promise.stamp),
                )),
                _ => {}
            }
        }
    }
}

fn verdict(
    book: &[Entry],
    history: &History,
    connection: &Connection,
    later: &[Connection],
    connected: usize,
) -> Verdict {
    let start = history.start_after(connected);
    let ended = match (connection.leaving, start) {
        (Some((at, true)), Some(start)) if at < start => {
            return goodbye(history, connection, start);
        }
        (Some((_, true)), None) => return Verdict::MustNotCome,
        (Some((at, false)), None) => at,
        (Some((at, false)), Some(start)) if at < start => at,
        (_, Some(start)) => history.kill_before(start),
        // The campaign is over, and nobody knows what became of it.
        (None, None) => return Verdict::Either,
    };
    let delay = connection.will.map_or(Duration::ZERO, |will| will.delay);
    if delay.is_zero() {
        return Verdict::MustCome;
    }
    let Some(back) = later.iter().find(|next| next.connected.is_some()) else {
        let since = history
            .start_before(usize::MAX)
            .map_or(ended, |start| start.max(ended));
        let is_over = book
            .last()
            .is_some_and(|last| last.at > book[since].at + delay + SLACK);
        // A CONNECT without CONNACK may have kept it back.
        return match is_over && later.is_empty() {
            true => Verdict::MustCome,
            false => Verdict::Either,
        };
    };
    let due_first = book[ended].at + delay;
    if back
        .connected
        .is_some_and(|(at, _)| book[at].at < due_first)
    {
        return Verdict::MustNotCome;
    }
    // After a kill the delay runs from the start, and what is due while the broker is down comes after it.
    let asked = later.first().map_or(back.asked, |next| next.asked);
    let since = history
        .start_before(asked)
        .map_or(ended, |start| start.max(ended));
    match book[asked].at > book[since].at + delay + SLACK {
        true => Verdict::MustCome,
        false => Verdict::Either,
    }
}

/// It said DISCONNECT, and then the broker was killed. If it had that on disk by then, the will is gone.
fn goodbye(history: &History, connection: &Connection, start: usize) -> Verdict {
    let kill = history.kill_before(start);
    // When it is killed, the system closes as well.
    let Some(left) = connection.left.filter(|left| *left < kill) else {
        return Verdict::Either;
    };
    match history.committed(left) {
        Some(committed) if committed < start => Verdict::MustNotCome,
        _ => Verdict::Either,
    }
}
