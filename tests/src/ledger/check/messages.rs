//! What was accepted reaches every session that was subscribed before it was sent; nothing else comes; in order.

use std::collections::{BTreeMap, BTreeSet};

use ebbtide_protocol::QoS;

use super::{
    Counts, Fault, Kind,
    history::{History, Receipt, takes},
};
use crate::ledger::book::Client;

pub fn check(history: &History, counts: &mut Counts, faults: &mut Vec<Fault>) {
    for message in history.messages.values() {
        match message.qos {
            _ if message.accepted.is_none() => {}
            QoS::ExactlyOnce => counts.accepted_qos2 += 1,
            _ => counts.accepted_qos1 += 1,
        }
    }
    lost(history, counts, faults);
    for (client, receipts) in &history.receipts {
        strange(history, *client, receipts, faults);
        order(history, *client, receipts, faults);
    }
}

fn lost(history: &History, counts: &mut Counts, faults: &mut Vec<Fault>) {
    let came: BTreeSet<(Client, Client, u32)> = history
        .receipts
        .iter()
        .flat_map(|(client, receipts)| receipts.iter().map(move |receipt| (client, receipt.stamp)))
        .map(|(client, stamp)| (*client, stamp.client, stamp.number))
        .collect();
    // A session that was lost and made its subscriptions anew still was to keep the old ones.
    let mut since: BTreeMap<(Client, &str), usize> = BTreeMap::new();
    for (client, filter, subscribed) in &history.subscriptions {
        since.entry((*client, filter)).or_insert(*subscribed);
    }
    for ((publisher, number), message) in &history.messages {
        let Some(accepted) = message.accepted.filter(|_| !message.clears) else {
            continue;
        };
        for ((client, filter), subscribed) in &since {
            if *subscribed > message.sent || !takes(filter, &message.topic) {
                continue;
            }
            let (kind, deliveries) = match message.qos {
                QoS::ExactlyOnce => (Kind::LostQos2, &mut counts.deliveries_qos2),
                _ => (Kind::LostQos1, &mut counts.deliveries_qos1),
            };
            *deliveries += 1;
            if !came.contains(&(*client, *publisher, *number)) {
                let what = format!(
                    "message {number} of {} to {} was accepted and never came to {}",
                    publisher.0, message.topic, client.0
                );
                faults.push(Fault::new(kind, [message.sent, accepted], what));
            }
        }
    }
}

fn strange(history: &History, client: Client, receipts: &[Receipt], faults: &mut Vec<Fault>) {
    for receipt in receipts {
        let key = (receipt.stamp.client, receipt.stamp.serial);
        let sent = history.sendings.get(&key);
        let is_will = history.testators.contains(&receipt.stamp.client);
        if !is_will && sent.is_none_or(|sent| *sent > receipt.at) {
            let what = format!("{} came to {} out of nowhere", receipt.stamp, client.0);
            faults.push(Fault::new(Kind::Strange, [receipt.at], what));
        }
    }
}

/// By publisher and topic: within a connection the sendings only grow, and so do those that come for the first time
/// over all connections. The standard asks it of messages of one QoS [MQTT-4.6.0-6].
fn order(history: &History, client: Client, receipts: &[Receipt], faults: &mut Vec<Fault>) {
    let published = |receipt: &Receipt| {
        let message = (receipt.stamp.client, receipt.stamp.number);
        history
            .messages
            .get(&message)
            .map_or(receipt.qos, |message| message.qos)
    };
    for kind in [Kind::OutOfOrder, Kind::OutOfOrderAcrossQos] {
        let mut last: BTreeMap<(Client, &str, Option<QoS>), &Receipt> = BTreeMap::new();
        let mut newest = last.clone();
        let mut seen: BTreeSet<(Client, u32)> = BTreeSet::new();
        for receipt in receipts {
            let qos = (kind == Kind::OutOfOrder).then(|| published(receipt));
            let place = (receipt.stamp.client, &*receipt.topic, qos);
            let is_first = seen.insert((receipt.stamp.client, receipt.stamp.serial));
            let in_connection = last
                .insert(place, receipt)
                .filter(|before| before.connection == receipt.connection);
            let newest = newest.entry(place).or_insert(receipt);
            let first_before = Some(*newest).filter(|_| is_first);
            if newest.stamp.serial < receipt.stamp.serial {
                *newest = receipt;
            }
            let before = [in_connection, first_before]
                .into_iter()
                .flatten()
                .filter(|before| before.at < receipt.at)
                .filter(|before| {
                    kind == Kind::OutOfOrder || published(before) != published(receipt)
                })
                .find(|before| before.stamp.serial >= receipt.stamp.serial);
            if let Some(before) = before {
                let what = format!(
                    "{} came to {} after {} in {}",
                    receipt.stamp, client.0, before.stamp, receipt.topic
                );
                faults.push(Fault::new(kind, [before.at, receipt.at], what));
            }
        }
    }
}
