//! What a session knows of messages of one topic: which of its subscriptions match, and what became of the last ones.

use ebbtide_protocol::TopicName;

use super::SubscriptionInfo;
use crate::{Action, Decision, FateInfo, fates::TopicKey, session::Session, shared::Shared};

/// What is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The subscriptions that match now, ascending by filter.
    pub subscriptions: Vec<SubscriptionInfo>,
    /// What became of messages lately, the last first. It is in memory only.
    pub fates: Vec<FateInfo>,
    /// What the rules say to this client about this topic; `None`: there are none, or the client has not been here since the start.
    pub decision: Option<Decision>,
}

pub(crate) fn known(session: &Session, topic: &TopicName, shared: &Shared) -> Known {
    let matching = session
        .subscriptions
        .iter()
        .filter(|subscribed| subscribed.row.filter.matches(topic));
    let mut subscriptions: Vec<_> = matching
        .map(|subscribed| SubscriptionInfo::of(&subscribed.row))
        .collect();
    subscriptions.sort_by(|a, b| a.filter.cmp(&b.filter));
    let key = TopicKey::of(topic);
    let mut fates = session.fates.of(key);
    fates.extend(session.mailbox.fates(key));
    fates.sort_by_key(|info| std::cmp::Reverse(info.last_at));
    let rights = session.rights.as_ref();
    let rights = rights.and_then(|rights| shared.rights(rights.subject().clone()));
    Known {
        subscriptions,
        fates,
        decision: rights.map(|rights| rights.decide(Action::Subscribe, topic)),
    }
}
