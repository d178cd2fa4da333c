//! What the rules mean for one client: who it is, which rules are about it, and what its names put into topics.

use std::sync::Arc;

use ebbtide_protocol::{ByteString, TopicFilter, TopicName};
use ebbtide_store::access::{Claims, Who};

use super::{Action, Book, Decision, Rules, template::Filled, tree::Query};

/// Somebody that rules are asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// Its user; `None`: anonymous.
    pub user: Option<ByteString>,
    /// Its client id.
    pub client_id: ByteString,
    /// What has been said of it by whom the broker trusts.
    pub claims: Claims,
}

impl Subject {
    /// The value of a claim that has one value.
    pub(super) fn only_claim(&self, name: &str) -> Option<&ByteString> {
        let mut values = self.claims.iter().filter(|(known, _)| *known == name);
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }

    fn is(&self, who: &Who) -> bool {
        match who {
            Who::Any => true,
            Who::Anonymous => self.user.is_none(),
            Who::Authenticated => self.user.is_some(),
            Who::User(name) => self.user.as_ref() == Some(name),
            Who::Claim { name, value } => {
                let mut claims = self.claims.iter();
                claims.any(|(other, has)| other == name && has == value)
            }
        }
    }
}

/// What one client may do.
#[derive(Debug)]
pub struct Rights {
    subject: Subject,
    rules: Arc<Rules>,
    /// Which version of the book these are.
    version: u64,
    /// One bit for each kind of client that a rule is about.
    whos: Box<[u64]>,
    filled: Filled,
}

impl Rights {
    /// By these rules.
    #[must_use]
    pub fn new(subject: Subject, rules: Arc<Rules>) -> Self {
        let mut whos = vec![0; rules.whos.all.len().div_ceil(64)];
        for (at, who) in rules.whos.all.iter().enumerate() {
            whos[at / 64] |= u64::from(subject.is(who)) << (at % 64);
        }
        Self {
            filled: Filled::new(&subject, &rules.variables.all, &rules.templates.all),
            whos: whos.into(),
            subject,
            rules,
            version: 0,
        }
    }

    /// By the rules of now.
    pub(crate) fn of(subject: Subject, book: &Book) -> Self {
        // The number first: if the rules change in between, these are looked at again.
        let version = book.version();
        Self {
            version,
            ..Self::new(subject, book.get())
        }
    }

    /// Looks again if the rules have changed; `true` if they have.
    pub(crate) fn refresh(&mut self, book: &Book) -> bool {
        let is_stale = self.version != book.version();
        if is_stale {
            *self = Self::of(std::mem::take(&mut self.subject), book);
        }
        is_stale
    }

    /// Who it is.
    pub(crate) fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Whether it may do that with this topic.
    #[must_use]
    pub fn decide(&self, action: Action, topic: &TopicName) -> Decision {
        self.first(action, topic.as_str())
    }

    /// Whether it may publish that, retained or not.
    #[must_use]
    pub fn decide_publish(&self, topic: &TopicName, retain: bool) -> Decision {
        let decision = self.decide(Action::Publish, topic);
        if retain && decision.is_allowed {
            return self.decide(Action::Retain, topic);
        }
        decision
    }

    /// Whether it may subscribe to all of it. What a group shares is decided like anything else.
    #[must_use]
    pub fn decide_filter(&self, filter: &TopicFilter) -> Decision {
        self.first(Action::Subscribe, filter.pattern())
    }

    /// How much looking at the rules that takes.
    #[cfg(test)]
    pub(super) fn steps(&self, action: Action, topic: &TopicName) -> usize {
        self.ask(action, |query| self.rules.tree.steps(topic.as_str(), query))
    }

    fn ask<T>(&self, action: Action, ask: impl FnOnce(&Query<'_>) -> T) -> T {
        ask(&Query {
            action,
            is_who: &|who| self.whos[who / 64] >> (who % 64) & 1 == 1,
            templates: &self.rules.templates.all,
            filled: &self.filled,
        })
    }

    fn first(&self, action: Action, topic_or_filter: &str) -> Decision {
        match self.ask(action, |query| {
            self.rules.tree.first(topic_or_filter, query)
        }) {
            None => Decision::BY_DEFAULT,
            Some(entry) => Decision {
                is_allowed: entry.is_allowed,
                rule: Some(entry.rule + 1),
            },
        }
    }
}
