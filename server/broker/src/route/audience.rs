//! Whom one message is for: what its topic matches, and what its QoS, its RETAIN flag and its publisher make of that.

use std::sync::Arc;

use ebbtide_protocol::{QoS, TopicName};
use ebbtide_store::{Incarnation, Message, Recipient, RecipientSet, Sequence, set_size};

use super::{
    group::Group,
    mailbox::{Delivery, Mailbox, Outcome},
    matches::{Matches, Wish},
};
use crate::{Limits, Now, shared::Shared};

/// Everybody who is to get one message.
pub(super) struct Audience<'a> {
    matches: &'a Matches,
    publisher: Incarnation,
    /// Sessions, ascending.
    pub targets: Vec<Target<'a>>,
    /// Shared subscriptions.
    pub groups: Vec<GroupTarget<'a>>,
}

/// One session that is to get the message.
pub(super) struct Target<'a> {
    pub mailbox: &'a Arc<Mailbox>,
    wish: &'a Wish,
    qos: QoS,
    retain: bool,
    /// It is kept for this session.
    pub is_queued: bool,
}

/// One group that is to get the message, for one of its members.
pub(super) struct GroupTarget<'a> {
    pub group: &'a Arc<Group>,
    pub is_queued: bool,
}

impl Target<'_> {
    pub fn push(
        &self,
        message: &Arc<Message>,
        sequence: Option<Sequence>,
        limits: Option<&Limits>,
        ceiling: usize,
        now: Now,
    ) -> Outcome {
        let delivery = Delivery {
            message: Arc::clone(message),
            sequence: sequence.filter(|_| self.is_queued),
            qos: self.qos,
            retain: self.retain,
            // [MQTT-3.3.1-3, MQTT-4.3.1-1, MQTT-4.3.2-2, MQTT-4.3.3-2]
            dup: false,
            is_snapshot: false,
            subscription_identifiers: self.wish.subscription_identifiers.clone(),
            lease: None,
        };
        let limits = limits.filter(|_| self.is_queued);
        self.mailbox.push(delivery, limits, ceiling, now.monotonic)
    }

    fn recipient(&self) -> Recipient {
        Recipient {
            session: self.mailbox.session,
            qos: self.qos,
            retain: self.retain,
            subscription_identifiers: self.wish.subscription_identifiers.to_vec(),
        }
    }
}

impl<'a> Audience<'a> {
    pub fn of(matches: &'a Matches, message: &Message, publisher: Incarnation) -> Self {
        Self {
            matches,
            publisher,
            targets: targets(matches, message, publisher),
            groups: groups(matches, message),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.groups.is_empty()
    }

    /// Whether the store is to keep the message for any of them.
    pub fn is_queued(&self) -> bool {
        self.targets.iter().any(|target| target.is_queued)
            || self.groups.iter().any(|target| target.is_queued)
    }

    /// Those that the store is to keep it for, ascending by number.
    pub fn recipients(&self, shared: &Shared, message: &Message) -> RecipientSet {
        let Self {
            matches,
            targets,
            groups,
            ..
        } = self;
        let are_all = matches.is_for_all && targets.len() == matches.sessions.len();
        match are_all && groups.is_empty() {
            true => matches.recipients(message, || self.make_recipients(shared, message, true)),
            false => self.make_recipients(shared, message, false),
        }
    }

    /// Whether it is the publisher's own queue.
    pub fn is_own(&self, mailbox: &Mailbox) -> bool {
        mailbox.session == self.publisher
    }

    /// Whether the publisher alone takes what is published to this group.
    pub fn is_own_group(&self, group: &Group) -> bool {
        group.has_only(self.publisher)
    }

    /// With No Local, the publisher of what is retained now has no live copy: its snapshots bring it themselves. The caller holds the
    /// order lock.
    pub fn note_not_local(&self, topic: &TopicName, replaces: bool) {
        let (sessions, publisher) = (&self.matches.sessions, self.publisher);
        if !self.matches.is_for_all
            && let Ok(at) = sessions.binary_search_by_key(&publisher, |one| one.mailbox.session)
            && sessions[at].wish(publisher).is_none()
        {
            sessions[at].mailbox.note_change(topic, false, replaces);
        }
    }

    /// `is_noted`: the matches hold on to it.
    fn make_recipients(&self, shared: &Shared, message: &Message, is_noted: bool) -> RecipientSet {
        let targets = self.targets.iter().filter(|target| target.is_queued);
        let groups = self.groups.iter().filter(|target| target.is_queued);
        let mut recipients: Vec<Recipient> = targets
            .map(Target::recipient)
            .chain(groups.map(|target| target.group.recipient(message)))
            .collect();
        if !self.groups.is_empty() {
            recipients.sort_unstable_by_key(|recipient| recipient.session);
        }
        let (set, is_new) = shared.recent_sets.lock().share(recipients);
        if is_new && (is_noted || Arc::strong_count(&set) > 1) {
            // For all messages that share it, and only now: they may wait for the disk longer than it is remembered.
            shared.journal.hold(set_size(&set));
        }
        set
    }
}

fn targets<'a>(matches: &'a Matches, message: &Message, publisher: Incarnation) -> Vec<Target<'a>> {
    let mut targets = Vec::with_capacity(matches.sessions.len());
    targets.extend(matches.sessions.iter().filter_map(|matched| {
        let wish = matched.wish(publisher)?;
        // [MQTT-3.8.4-8]
        let qos = wish.qos.min(message.qos);
        Some(Target {
            mailbox: &matched.mailbox,
            wish,
            qos,
            // [MQTT-3.3.1-12, MQTT-3.3.1-13]
            retain: wish.retain_as_published && message.retain,
            is_queued: matched.mailbox.kept && qos > QoS::AtMostOnce,
        })
    }));
    targets
}

fn groups<'a>(matches: &'a Matches, message: &Message) -> Vec<GroupTarget<'a>> {
    let target = |group: &'a Arc<Group>| GroupTarget {
        is_queued: group.keeps(message.qos),
        group,
    };
    matches.groups.iter().map(target).collect()
}

/// How many queues and members of groups they reach.
pub(super) fn reach(matches: &Matches) -> usize {
    let members = matches.groups.iter().map(|group| group.members());
    matches.subscriptions + members.sum::<usize>()
}
