//! What the rules say to what a client does, and to what it is to get. They are asked again for each message when its turn has come to
//! be sent, so a right that was taken away stops what waits already.

use ebbtide_protocol::{ByteString, ReasonCode, TopicFilter, TopicName};

use super::{Connection, Phase, fault::Refusal, open::Open};
use crate::{
    Fate, Now,
    fates::TopicKey,
    route::{group::Lease, mailbox::Delivery},
    rules::{Action, Decision, Rights, Subject},
    shared::Shared,
    stats::DropReason,
};

/// Something that a rule did not allow, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// What the client wanted to do, or was to get.
    pub action: Action,
    /// The topic, or the filter.
    pub topic: ByteString,
    /// Which rule.
    pub decision: Decision,
    /// How many more there were since the last look.
    pub more: u64,
}

impl Connection {
    /// What has been denied since the last look: the first, and how many more.
    pub fn poll_denial(&mut self) -> Option<Denial> {
        match &mut self.phase {
            Phase::Open(open) => open.denial.take().map(|denial| *denial),
            _ => None,
        }
    }
}

impl Open {
    /// Why it may not publish there.
    pub fn may_not_publish(
        &mut self,
        topic: &TopicName,
        retain: bool,
        shared: &Shared,
    ) -> Option<Refusal> {
        let rights = self.rights(shared)?;
        let decision = rights.decide_publish(topic, retain);
        if decision.is_allowed {
            return None;
        }
        let action = match retain && rights.decide(Action::Publish, topic).is_allowed {
            true => Action::Retain,
            false => Action::Publish,
        };
        self.note(action, topic.as_byte_string(), decision);
        Some(Refusal {
            reason: ReasonCode::NotAuthorized,
            why: match action {
                Action::Retain => "no rule lets this client change retained messages of the topic",
                _ => "no rule lets this client publish to the topic",
            },
        })
    }

    /// Why it may not subscribe to all of that.
    pub fn may_not_subscribe(&mut self, filter: &TopicFilter, shared: &Shared) -> Option<Refusal> {
        let decision = self.rights(shared)?.decide_filter(filter);
        if decision.is_allowed {
            return None;
        }
        self.note(Action::Subscribe, filter.as_byte_string(), decision);
        Some(Refusal {
            reason: ReasonCode::NotAuthorized,
            why: "no rule lets this client subscribe to all that the filter matches",
        })
    }

    /// Whether it may not be sent what has this topic.
    pub fn may_not_receive(&mut self, topic: &TopicName, shared: &Shared) -> bool {
        let Some(rights) = self.rights(shared) else {
            return false;
        };
        let decision = rights.decide(Action::Subscribe, topic);
        if !decision.is_allowed {
            self.note(Action::Subscribe, topic.as_byte_string(), decision);
        }
        !decision.is_allowed
    }

    /// A rule does not let this client have it. What a group shares, if the client may no longer have all of that, goes to others.
    pub fn deny(&mut self, mut delivery: Delivery, topic: TopicKey, shared: &Shared, now: Now) {
        let rights = self.session.rights.as_ref();
        let is_out = |lease: &mut Lease| {
            rights.is_some_and(|rights| !rights.decide_filter(&lease.group().filter).is_allowed)
        };
        if let Some(lease) = delivery.lease.take_if(is_out) {
            return self.leave_to_others(lease, shared);
        }
        shared.counters.dropped(DropReason::Denied);
        self.session.fates.note(topic, Fate::Denied, now.wall);
        self.discard(delivery, shared);
    }

    /// It is another one by its rights: it holds a place in a group only if it may have what the group gets. What it may not have is
    /// for others there.
    pub fn review_groups(&mut self, shared: &Shared) {
        if self.session.rights.is_none() {
            return;
        }
        self.rights(shared);
        if std::mem::take(&mut self.has_other_rights) {
            self.attach_groups(shared);
        }
    }

    /// Takes its place in each group that it may have all of, and leaves the others to their other members.
    pub fn attach_groups(&mut self, shared: &Shared) {
        let session = self.session.incarnation;
        for group in self.session.groups() {
            let rights = self.session.rights.as_ref();
            if rights.is_none_or(|rights| rights.decide_filter(&group.filter).is_allowed) {
                group.attach(session, self.outbound.receive_maximum(), shared);
            } else {
                group.detach(session, shared);
            }
        }
    }

    /// Its rights by the rules of now; `None`: nothing is asked.
    pub(super) fn rights(&mut self, shared: &Shared) -> Option<&Rights> {
        let rights = self.session.rights.as_mut()?;
        if let Some(book) = &shared.rules {
            self.has_other_rights |= rights.refresh(book);
        }
        Some(rights)
    }

    fn note(&mut self, action: Action, topic: &ByteString, decision: Decision) {
        match &mut self.denial {
            Some(denial) => denial.more += 1,
            None => {
                self.denial = Some(Box::new(Denial {
                    action,
                    // Not a slice of what the client has sent, which would be kept with it.
                    topic: ByteString::from(&**topic),
                    decision,
                    more: 0,
                }));
            }
        }
    }
}

impl Shared {
    /// What somebody may do; `None`: anything.
    pub fn rights(&self, subject: Subject) -> Option<Box<Rights>> {
        let book = self.rules.as_ref()?;
        Some(Box::new(Rights::of(subject, book)))
    }
}
