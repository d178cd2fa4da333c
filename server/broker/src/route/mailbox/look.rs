//! A mailbox seen from outside, and emptied by an operator.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use ebbtide_store::{Sequence, WallTime};

use super::{Mail, Mailbox, Numbers};
use crate::{Fate, FateInfo, fates::TopicKey};

/// How much there is of a session, as its owner last said.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    subscriptions: AtomicU32,
    in_flight: AtomicU32,
    unsent_messages: AtomicU32,
    unsent_bytes: AtomicU64,
}

/// What a connection has taken from its mailbox and not sent yet, of what the store keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unsent {
    pub messages: usize,
    /// Of those that have been read.
    pub bytes: u64,
}

impl Gauges {
    pub fn set(&self, subscriptions: usize, in_flight: usize, unsent: Unsent) {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        // One writer, so nothing has to be read.
        self.subscriptions
            .store(number(subscriptions), Ordering::Relaxed);
        self.in_flight.store(number(in_flight), Ordering::Relaxed);
        self.unsent_messages
            .store(number(unsent.messages), Ordering::Relaxed);
        self.unsent_bytes.store(unsent.bytes, Ordering::Relaxed);
    }

    pub fn subscriptions(&self) -> u32 {
        self.subscriptions.load(Ordering::Relaxed)
    }

    /// QoS 1 and 2 messages sent and not acknowledged.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }
}

impl Mailbox {
    /// How many messages wait for the client and have not been sent, here or with its connection, and their bytes. What moves
    /// from the one to the other meanwhile may be missed, or counted twice.
    pub fn backlog(&self) -> (u64, u64) {
        let (messages, bytes) = self.waiting();
        let unsent_messages = self.gauges.unsent_messages.load(Ordering::Relaxed);
        let unsent_bytes = self.gauges.unsent_bytes.load(Ordering::Relaxed);
        (
            messages as u64 + u64::from(unsent_messages),
            bytes + unsent_bytes,
        )
    }

    /// What waits: messages of groups, what is in memory, and the numbers of the rest.
    pub fn look(&self, look: impl FnOnce(Option<&VecDeque<Mail>>, &VecDeque<Mail>, &Numbers)) {
        let state = self.state.lock();
        let leased = state.leased.as_ref().map(|leased| &leased.0);
        look(leased, &state.queue, &state.spilled);
    }

    /// Puts on record what became of a message.
    pub fn note(&self, topic: TopicKey, fate: Fate, at: WallTime) {
        self.state.lock().fates.note(topic, fate, at);
    }

    /// What became of messages of this topic that got no further than here.
    pub fn fates(&self, topic: TopicKey) -> Vec<FateInfo> {
        self.state.lock().fates.of(topic)
    }

    /// Takes out what waits, up to this number: all that is in memory, and of the rest so many. Gives the numbers of what is
    /// kept, and how many are not. What is a group's stays.
    pub fn purge(
        &self,
        up_to: Sequence,
        max: usize,
        size_of: impl FnOnce(&[Sequence]) -> u64,
    ) -> (Vec<Sequence>, u64) {
        let mut state = self.state.lock();
        let (mut sequences, mut unkept) = (Vec::new(), 0);
        for mail in std::mem::take(&mut state.queue) {
            match &mail {
                Mail::Message(delivery) if delivery.sequence.is_none_or(|at| at <= up_to) => {
                    state.taken(delivery);
                    unkept += u64::from(delivery.sequence.is_none());
                    sequences.extend(delivery.sequence);
                }
                _ => state.queue.push_back(mail),
            }
        }
        let left = state.queue_bytes;
        state.crowding.taken(left);
        let spilled = if state.is_sorted {
            let end = state.spilled.count_up_to(up_to);
            state.spilled.take(end.min(max))
        } else {
            let mut left = max;
            state.spilled.take_if(|sequence| {
                let is_wanted = sequence <= up_to && left > 0;
                left -= usize::from(is_wanted);
                is_wanted
            })
        };
        state.kept_bytes = state.kept_bytes.saturating_sub(size_of(&spilled));
        state.is_sorted |= state.spilled.is_empty();
        sequences.extend(spilled);
        (sequences, unkept)
    }
}
