//! Who gets what is published to one topic, as long as no filter enters or leaves the index. What differs from message to
//! message, its QoS, its RETAIN flag and its publisher, is left to [`Target`](super::audience::Target).

use std::{
    ops::{Deref, Range},
    sync::{Arc, OnceLock},
};

use ebbtide_protocol::QoS;
use ebbtide_store::{Incarnation, Message, RecipientSet};
use ecow::EcoVec;

use super::{group::Group, index::Subscriber, mailbox::Mailbox};

/// What one subscription, or so many bytes of a topic, count for where matches are kept.
pub(super) const PIECE_BYTES: usize = 50;

#[derive(Debug, Default)]
pub(crate) struct Matches {
    /// Ascending by session.
    pub sessions: Vec<Matched>,
    /// Of shared subscriptions.
    pub groups: Vec<Arc<Group>>,
    /// How many subscriptions of sessions these are.
    pub subscriptions: usize,
    /// None of them is No Local: it does not matter who publishes.
    pub is_for_all: bool,
    /// Whom the store is to keep a message for that all of `sessions` get, once it was asked: by its QoS and its RETAIN flag.
    recipients: [OnceLock<RecipientSet>; 4],
}

/// Matches as they were found: remembered, or for this once, which needs no memory that is shared.
#[derive(Debug)]
pub(crate) enum Found {
    Remembered(Arc<Matches>),
    Once(Matches),
}

impl Deref for Found {
    type Target = Matches;

    fn deref(&self) -> &Matches {
        match self {
            Self::Remembered(matches) => matches,
            Self::Once(matches) => matches,
        }
    }
}

/// One session with all its subscriptions that match.
#[derive(Debug)]
pub(crate) struct Matched {
    pub mailbox: Arc<Mailbox>,
    wish: Wish,
    own: Own,
}

/// Subscriptions of one session merged into one delivery, at the highest of their QoS [MQTT-3.3.4-2] and with the
/// identifiers of all of them [MQTT-3.3.4-3, MQTT-3.3.4-4].
#[derive(Debug)]
pub(crate) struct Wish {
    pub qos: QoS,
    pub retain_as_published: bool,
    pub subscription_identifiers: EcoVec<u32>,
}

/// What a session gets of its own messages: No Local subscriptions do not count then [MQTT-3.8.3-3].
#[derive(Debug)]
enum Own {
    Same,
    Nothing,
    Less(Box<Wish>),
}

impl Matches {
    /// Of the subscriptions that were found, those of one session beside each other.
    pub fn new(found: &[&Subscriber], groups: Vec<Arc<Group>>) -> Self {
        let mut sessions = Vec::with_capacity(found.len());
        sessions.extend(runs(found).map(|same| Matched::new(&found[same])));
        let is_for_all = sessions.iter().all(|it| matches!(it.own, Own::Same));
        Self {
            sessions,
            groups,
            subscriptions: found.len(),
            is_for_all,
            recipients: Default::default(),
        }
    }

    /// What `make` gives for such a message: asked once, for it takes longer than to fill the queues.
    pub fn recipients(
        &self,
        message: &Message,
        make: impl FnOnce() -> RecipientSet,
    ) -> RecipientSet {
        let is_exactly_once = message.qos == QoS::ExactlyOnce;
        let place = 2 * usize::from(is_exactly_once) + usize::from(message.retain);
        Arc::clone(self.recipients[place].get_or_init(make))
    }

    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.groups.is_empty()
    }

    /// What keeping it takes, in pieces of some [`PIECE_BYTES`].
    pub fn pieces(&self) -> usize {
        1 + self.subscriptions + self.groups.len()
    }
}

impl Matched {
    fn new(same: &[&Subscriber]) -> Self {
        let is_local = |subscriber: &&&Subscriber| !subscriber.options.no_local;
        let own = match same.iter().filter(is_local).count() {
            count if count == same.len() => Own::Same,
            0 => Own::Nothing,
            _ => Own::Less(Box::new(Wish::of(same.iter().filter(is_local)))),
        };
        Self {
            mailbox: Arc::clone(&same[0].mailbox),
            wish: Wish::of(same.iter()),
            own,
        }
    }

    /// What it is to get of a message of this publisher; `None`: nothing.
    pub fn wish(&self, publisher: Incarnation) -> Option<&Wish> {
        if self.mailbox.session != publisher {
            return Some(&self.wish);
        }
        match &self.own {
            Own::Same => Some(&self.wish),
            Own::Nothing => None,
            Own::Less(wish) => Some(wish),
        }
    }
}

impl Wish {
    fn of<'a>(subscribers: impl Iterator<Item = &'a &'a Subscriber>) -> Self {
        let mut wish = Self {
            qos: QoS::AtMostOnce,
            retain_as_published: false,
            subscription_identifiers: EcoVec::new(),
        };
        for subscriber in subscribers {
            wish.qos = wish.qos.max(subscriber.options.qos);
            wish.retain_as_published |= subscriber.options.retain_as_published;
            wish.subscription_identifiers.extend(subscriber.identifier);
        }
        wish
    }
}

/// The runs of subscriptions that belong to one session.
fn runs(found: &[&Subscriber]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let session = found.get(start)?.session();
        let end = found[start..]
            .iter()
            .position(|subscriber| subscriber.session() != session)
            .map_or(found.len(), |n| start + n);
        let range = start..end;
        start = end;
        Some(range)
    })
}

#[cfg(test)]
mod tests;
