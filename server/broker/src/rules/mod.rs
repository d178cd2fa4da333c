//! Who may publish and subscribe where: rules in an order, of which the first that matches decides; without one, nobody may.
//!
//! [`Rules`] are built once and shared by all; [`Rights`] are what they mean for one client, and look again by themselves when the
//! rules have changed. A topic is decided by the first rule whose filter matches it, a whole filter by the first that covers all
//! of it: so whoever subscribes to more than one rule allows is refused, and each message is decided again when it is sent.
//!
//! What a name puts into a topic is one level or a part of one, and nothing else. A value that is empty or contains `/`, `+` or `#`
//! fits into no topic, nor does one that makes the level longer than a topic may be: a rule that allows then matches nothing, and one
//! that denies matches any value in its place.

mod rights;
mod template;
mod tree;

use std::{
    fmt,
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use ebbtide_protocol::{ByteString, TopicFilter, topic::FilterError};
use ebbtide_store::access::{Effect, RuleRow, Who};
use parking_lot::RwLock;

pub use self::rights::{Rights, Subject};
use self::{
    template::{Template, TemplateError, Variable},
    tree::{Entry, Tree},
};
use crate::keyed::KeyedMap;

/// The most rules.
pub const RULES_MAX: usize = 10_000;
/// The most topics of one rule.
pub const RULE_TOPICS_MAX: usize = 1_000;
/// The most levels of a topic in a rule.
pub const RULE_LEVELS_MAX: usize = 128;
/// The most topics of all rules together.
pub const RULES_TOPICS_MAX: usize = 100_000;
/// The most levels of the topics of all rules together: each may take memory of its own.
pub const RULES_LEVELS_MAX: usize = 500_000;

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// To publish.
    Publish,
    /// To subscribe, and to be sent what matches.
    Subscribe,
    /// To change the retained message of a topic.
    Retain,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
            Self::Retain => "retain",
        })
    }
}

/// What the rules say, and which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may be.
    pub is_allowed: bool,
    /// The place of the rule that decided, counted from 1; `None`: no rule matches, so it may not be.
    pub rule: Option<usize>,
}

impl Decision {
    /// No rule matches.
    const BY_DEFAULT: Self = Self {
        is_allowed: false,
        rule: None,
    };
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.is_allowed, self.rule) {
            (true, Some(rule)) => write!(f, "rule {rule} allows it"),
            (false, Some(rule)) => write!(f, "rule {rule} denies it"),
            (_, None) => f.write_str("no rule allows it"),
        }
    }
}

/// Why rules cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// More than [`RULES_MAX`].
    #[error("there are {0} rules: give at most {RULES_MAX}")]
    TooMany(usize),
    /// More than [`RULES_TOPICS_MAX`].
    #[error("all rules together have {0} topics: give at most {RULES_TOPICS_MAX}")]
    TooManyTopics(usize),
    /// More than [`RULES_LEVELS_MAX`].
    #[error("the topics of all rules together have {0} levels: give at most {RULES_LEVELS_MAX}")]
    TooManyLevels(usize),
    /// One of them is wrong.
    #[error("rule {rule}: {fault}")]
    Rule {
        /// Its place, counted from 1.
        rule: usize,
        /// What is wrong.
        fault: RuleFault,
    },
}

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleFault {
    /// It is about nothing.
    #[error("it names no action: give one or more of publish, subscribe and retain")]
    NoAction,
    /// It is about no topic.
    #[error("it names no topic: give at least one, for example `app/{{user}}/#`")]
    NoTopic,
    /// More than [`RULE_TOPICS_MAX`].
    #[error("it has {0} topics: give at most {RULE_TOPICS_MAX}")]
    TooManyTopics(usize),
    /// A topic that nothing could match.
    #[error("the topic `{topic}`: {why}")]
    Topic {
        /// As it was given.
        topic: String,
        /// What is wrong with it.
        why: TopicFault,
    },
}

/// What is wrong with a topic in a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicFault {
    /// It is no topic filter.
    #[error("{}", .0.message())]
    Filter(FilterError),
    /// A variable that there is not.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// It is about a group.
    #[error("rules are about what is behind `$share/{{group}}/`: leave that out")]
    Share,
    /// More than [`RULE_LEVELS_MAX`].
    #[error("it has {0} levels: give at most {RULE_LEVELS_MAX}")]
    TooManyLevels(usize),
}

/// All rules, ready to be asked.
#[derive(Debug, Default)]
pub struct Rules {
    rows: Vec<RuleRow>,
    tree: Tree,
    /// Each kind of client that a rule is about.
    whos: Numbered<Who>,
    /// What stands in levels for what a client is called.
    variables: Numbered<Variable>,
    /// Each level with variables.
    templates: Numbered<Template>,
}

impl Rules {
    /// Checks the rules and builds what is asked.
    ///
    /// # Errors
    /// [`RuleError`]: which rule is wrong, and what would be right.
    pub fn new(rows: Vec<RuleRow>) -> Result<Self, RuleError> {
        if rows.len() > RULES_MAX {
            return Err(RuleError::TooMany(rows.len()));
        }
        let topics = rows.iter().flat_map(|row| &row.topics);
        let count = topics.clone().count();
        if count > RULES_TOPICS_MAX {
            return Err(RuleError::TooManyTopics(count));
        }
        let levels = topics.map(|topic| topic.split('/').count()).sum();
        if levels > RULES_LEVELS_MAX {
            return Err(RuleError::TooManyLevels(levels));
        }
        let mut rules = Self::default();
        for (at, row) in rows.iter().enumerate() {
            let rule = at + 1;
            rules
                .add(at, row)
                .map_err(|fault| RuleError::Rule { rule, fault })?;
        }
        rules.rows = rows;
        Ok(rules)
    }

    /// The rules in their order.
    #[must_use]
    pub fn rows(&self) -> &[RuleRow] {
        &self.rows
    }

    fn add(&mut self, at: usize, row: &RuleRow) -> Result<(), RuleFault> {
        let actions = row.actions;
        if !(actions.publish || actions.subscribe || actions.retain) {
            return Err(RuleFault::NoAction);
        }
        match row.topics.len() {
            0 => return Err(RuleFault::NoTopic),
            count if count > RULE_TOPICS_MAX => return Err(RuleFault::TooManyTopics(count)),
            _ => {}
        }
        let entry = Entry {
            rule: at,
            is_allowed: row.effect == Effect::Allow,
            actions,
            who: self.whos.number(&row.who),
        };
        for topic in &row.topics {
            let levels = self.levels(topic).map_err(|why| RuleFault::Topic {
                topic: topic.to_string(),
                why,
            })?;
            self.tree.insert(&levels, entry);
        }
        Ok(())
    }

    /// The levels of a topic in a rule.
    fn levels(&mut self, topic: &ByteString) -> Result<Vec<tree::Level>, TopicFault> {
        if topic.starts_with("$share/") {
            return Err(TopicFault::Share);
        }
        TopicFilter::new(topic.clone()).map_err(TopicFault::Filter)?;
        let count = topic.split('/').count();
        if count > RULE_LEVELS_MAX {
            return Err(TopicFault::TooManyLevels(count));
        }
        let mut levels = Vec::with_capacity(count);
        for level in topic.split('/') {
            levels.push(match level {
                "+" => tree::Level::Any,
                "#" => tree::Level::Rest,
                _ => match Template::new(level, &mut self.variables)? {
                    None => tree::Level::Exactly(level.into()),
                    Some(template) => tree::Level::Filled(self.templates.number(&template)),
                },
            });
        }
        Ok(levels)
    }
}

/// Things that differ, each with its number.
#[derive(Debug)]
struct Numbered<T> {
    numbers: KeyedMap<T, usize>,
    all: Vec<T>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self {
            numbers: KeyedMap::default(),
            all: Vec::new(),
        }
    }
}

impl<T: Clone + Eq + Hash> Numbered<T> {
    fn number(&mut self, one: &T) -> usize {
        if let Some(number) = self.numbers.get(one) {
            return *number;
        }
        let number = self.all.len();
        self.numbers.insert(one.clone(), number);
        self.all.push(one.clone());
        number
    }
}

/// The rules of now.
#[derive(Debug)]
pub(crate) struct Book {
    current: RwLock<Arc<Rules>>,
    /// Grows with every change.
    version: AtomicU64,
}

impl Book {
    pub fn new(rules: Rules) -> Self {
        Self {
            current: RwLock::new(Arc::new(rules)),
            version: AtomicU64::new(0),
        }
    }

    /// From now on these decide.
    pub fn set(&self, rules: Arc<Rules>) {
        let mut current = self.current.write();
        *current = rules;
        // With the lock, so that whoever reads the number finds rules that are at least as new.
        self.version.fetch_add(1, Ordering::Release);
    }

    pub fn get(&self) -> Arc<Rules> {
        Arc::clone(&self.current.read())
    }

    fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests;
