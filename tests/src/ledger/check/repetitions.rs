//! QoS 2 comes exactly once. QoS 1 comes again only over another connection, with DUP, and not if the broker had the
//! acknowledgement on disk before it was killed.

use std::collections::BTreeMap;

use ebbtide_protocol::QoS;

use super::{
    Counts, Fault, Kind,
    history::{History, Receipt},
};
use crate::ledger::book::Client;

pub fn check(history: &History, counts: &mut Counts, faults: &mut Vec<Fault>) {
    for (client, receipts) in &history.receipts {
        let mut by_message: BTreeMap<(Client, u32), Vec<&Receipt>> = BTreeMap::new();
        for receipt in receipts {
            let message = (receipt.stamp.client, receipt.stamp.number);
            by_message.entry(message).or_default().push(receipt);
        }
        for (message, receipts) in by_message {
            // A will has no PUBLISH of its own; the QoS it comes with is its own or less.
            let published = history
                .messages
                .get(&message)
                .map_or(receipts[0].qos, |message| message.qos);
            for pair in receipts.windows(2) {
                let (before, again) = (pair[0], pair[1]);
                let kind = match (published, again.qos) {
                    (QoS::ExactlyOnce, QoS::ExactlyOnce) => Some(Kind::TwiceQos2),
                    // Sent twice by the publisher, taken twice by the broker. At QoS 1 it may have reached the subscriber
                    // before it was on disk, and then again. What the killed broker had sent may be read long after
                    // the next one has started: the connection tells which of them it was.
                    (QoS::ExactlyOnce, _) if before.stamp != again.stamp => {
                        let start = history.start_after_connection(*client, before.connection);
                        (before.connection == again.connection
                            || start.is_none_or(|start| start > again.at))
                        .then_some(Kind::TwiceQos2)
                    }
                    (_, _) if before.stamp == again.stamp => {
                        counts.repetitions += 1;
                        (!may_repeat(history, *client, before, again)).then_some(Kind::RepeatedQos1)
                    }
                    // Sent again by the publisher, for want of PUBACK.
                    _ => None,
                };
                if let Some(kind) = kind {
                    let what = format!(
                        "{} came to {} and came again as {}{}",
                        before.stamp,
                        client.0,
                        again.stamp,
                        if again.dup { "" } else { ", without DUP" }
                    );
                    faults.push(Fault::new(kind, [before.at, again.at], what));
                }
            }
        }
    }
}

fn may_repeat(history: &History, client: Client, before: &Receipt, again: &Receipt) -> bool {
    if before.connection == again.connection {
        return false;
    }
    let is_resumed = history.connections[&client][again.connection]
        .connected
        .is_some_and(|(_, session_present)| session_present);
    // A will that was published but not yet taken off the disk is published anew: that is another message.
    let is_will = history.testators.contains(&again.stamp.client);
    if is_resumed && !again.dup && !is_will {
        return false;
    }
    let Some((connection, read)) = history
        .acknowledgement_read(client, before.stamp)
        .filter(|(_, read)| *read < again.at)
    else {
        return true;
    };
    let start = history.start_after_connection(client, connection);
    match start.filter(|start| *start < again.at) {
        // It was there all the time and had the acknowledgement.
        None => false,
        Some(start) => history
            .committed(read)
            .is_none_or(|committed| committed > start),
    }
}
