//! The retained messages that answer a subscription, a chunk at a time, at their place in the order.
//!
//! A value that has changed since the subscription is left out: its live copy stands further behind. So nothing is
//! missed, and nothing goes back.

use std::{ops::ControlFlow, sync::Arc};

use ebbtide_protocol::QoS;
use ebbtide_store::{Accept, Message, Operation, Queue, Sequence};

use super::open::Open;
use crate::{
    Now, expiry,
    numbers::Numbers,
    route::mailbox::{Delivery, Mail, Snapshot},
    shared::Shared,
};

/// The most messages of one chunk.
const MESSAGES: usize = 256;
/// The most bytes of one chunk, but for its last message.
const BYTES: usize = 64 * 1024;
/// The most topics that are looked at for one chunk.
const VISITS: usize = 4096;

impl Open {
    /// Replaces the snapshot at the front of the mail by its next messages and itself, or by nothing at its end.
    /// `false` when it has to wait.
    pub fn advance_snapshot(&mut self, shared: &Shared, now: Now) -> bool {
        let Some(Mail::Snapshot(mut snapshot)) = self.outbound.mail.pop_front() else {
            unreachable!("the caller has looked at it")
        };
        match self.session.subscriptions.get(&snapshot.filter) {
            Some(subscription) if subscription.generation == snapshot.generation => {
                // They may have been replaced without asking for the retained messages again.
                snapshot.options = subscription.row.options;
                snapshot.identifier = subscription.row.identifier;
            }
            // It has ended, or begun anew, meanwhile [MQTT-3.10.4-2].
            _ => return true,
        }
        let before = snapshot.position.clone();
        // Held from the look at the values until the journal has them: else one that is replaced meanwhile would get the later
        // number, and after a crash go out behind the newer one.
        let mut numbers = (self.session.kept && snapshot.options.qos > QoS::AtMostOnce)
            .then(|| shared.numbers.lock());
        let (messages, is_complete) = next_chunk(shared, &mut snapshot, now);
        let deliveries = self.deliveries(shared, numbers.as_deref_mut(), &snapshot, messages, now);
        drop(numbers);
        let Some(deliveries) = deliveries else {
            snapshot.position = before;
            self.outbound.mail.push_front(Mail::Snapshot(snapshot));
            return false;
        };
        if is_complete {
            self.settle_owed(shared, &snapshot);
        } else {
            self.outbound.mail.push_front(Mail::Snapshot(snapshot));
        }
        for delivery in deliveries.into_iter().rev() {
            self.outbound.mail.push_front(Mail::Message(delivery));
        }
        true
    }

    /// Numbers those that are kept for this session; `None`: no number can be had now. Without `numbers` none is kept.
    fn deliveries(
        &self,
        shared: &Shared,
        numbers: Option<&mut Numbers>,
        snapshot: &Snapshot,
        messages: Vec<Arc<Message>>,
        now: Now,
    ) -> Option<Vec<Delivery>> {
        // [MQTT-3.8.4-8]
        let qos_of = |message: &Message| message.qos.min(snapshot.options.qos);
        let is_kept = |message: &Message| self.session.kept && qos_of(message) > QoS::AtMostOnce;
        let kept = messages.iter().filter(|message| is_kept(message)).count();
        let mut sequence = match numbers {
            Some(numbers) if kept > 0 => numbers.sequences(kept as u64, &shared.journal).ok()?,
            _ => Sequence(0),
        };
        let mut deliveries = Vec::with_capacity(messages.len());
        for message in messages {
            let mut delivery = Delivery {
                qos: qos_of(&message),
                message,
                sequence: None,
                // [MQTT3-3.3.1-8]
                retain: true,
                dup: false,
                subscription_identifiers: snapshot.identifier.into_iter().collect(),
                lease: None,
            };
            if is_kept(&delivery.message) {
                delivery.sequence = Some(sequence);
                shared
                    .journal
                    .submit(Operation::Accept(self.accept(&delivery, sequence)));
                expiry::watch_queued(shared, &delivery.message, now);
                sequence = sequence.next();
            }
            deliveries.push(delivery);
        }
        Some(deliveries)
    }

    /// A delivery to this session alone.
    fn accept(&self, delivery: &Delivery, sequence: Sequence) -> Accept {
        let recipient = delivery.recipient(self.session.incarnation);
        let message = Arc::clone(&delivery.message);
        let queued = Some(Queue {
            sequence,
            message,
            recipients: Arc::new([recipient]),
        });
        Accept {
            queued,
            retained: None,
            inbound: None,
        }
    }

    /// All of it is queued: a crash from now on must not repeat it.
    fn settle_owed(&mut self, shared: &Shared, snapshot: &Snapshot) {
        let session = self.session.incarnation;
        if let Some(subscription) = self.session.subscriptions.get_mut(&snapshot.filter)
            && subscription.row.retained_owed
        {
            let row = &mut subscription.row;
            row.retained_owed = false;
            if self.session.kept {
                shared.journal.submit(Operation::PutSubscription {
                    session,
                    subscription: row.clone(),
                });
            }
        }
    }
}

/// The next messages; `true` when these were the last.
fn next_chunk(shared: &Shared, snapshot: &mut Snapshot, now: Now) -> (Vec<Arc<Message>>, bool) {
    let mut messages = Vec::new();
    let (mut bytes, mut visits, mut position) = (0, 0, None);
    let retained = shared.retained.read();
    let flow = retained.visit(&snapshot.filter, snapshot.position.as_ref(), &mut |row| {
        visits += 1;
        let is_expired = row
            .message
            .expires_at()
            .is_some_and(|expires_at| expires_at <= now.wall);
        if row.revision <= snapshot.revision && !is_expired {
            bytes += row.message.size_bytes();
            messages.push(Arc::clone(&row.message));
        }
        if messages.len() >= MESSAGES || bytes >= BYTES || visits >= VISITS {
            position = Some(row.message.topic.clone());
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    drop(retained);
    snapshot.position = position;
    (messages, flow.is_continue())
}
