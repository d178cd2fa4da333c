//! Topic aliases, both ways: what the client has set, and what the broker sets for it. Both end with the connection
//! [MQTT-3.3.2-7].

use std::num::{NonZeroU16, NonZeroUsize};

use ebbtide_protocol::{TopicName, Violation};
use lru::LruCache;
use rustc_hash::FxHashMap;

use crate::trim;

/// The most aliases that the broker sets for one client, whatever it takes.
const OUTGOING_MAX: u16 = 64;

/// Bytes of the property.
pub(super) const ALIAS_BYTES: usize = 3;

/// Aliases that the client has set.
#[derive(Debug, Default)]
pub(super) struct Incoming(FxHashMap<NonZeroU16, TopicName>);

impl Incoming {
    /// The topic of a publish, by name or alias; a new alias is noted [MQTT-3.3.2-9, MQTT-3.3.2-12].
    pub fn resolve(
        &mut self,
        topic: Option<TopicName>,
        alias: Option<NonZeroU16>,
        maximum: u16,
    ) -> Result<TopicName, Violation> {
        let Some(alias) = alias else {
            return topic.ok_or(Violation::TopicMissing);
        };
        if alias.get() > maximum {
            return Err(Violation::TopicAliasTooHigh);
        }
        match topic {
            Some(topic) => {
                self.0.insert(alias, trim::topic(&topic));
                Ok(topic)
            }
            None => self
                .0
                .get(&alias)
                .cloned()
                .ok_or(Violation::TopicAliasUnknown),
        }
    }
}

/// Aliases that the broker has set for the client: for the topics that it was sent last. Boxed: most clients take none, and stay.
#[derive(Debug)]
pub(super) struct Outgoing(Option<Box<LruCache<TopicName, NonZeroU16>>>);

impl Outgoing {
    /// `maximum` is the client's Topic Alias Maximum; 0: it takes none
    /// [MQTT-3.1.2-26, MQTT-3.1.2-27, MQTT-3.3.2-11].
    pub fn new(maximum: u16) -> Self {
        let capacity = NonZeroUsize::new(usize::from(maximum.min(OUTGOING_MAX)));
        let cache = |capacity| Box::new(LruCache::with_hasher(capacity, Default::default()));
        Self(capacity.map(cache))
    }

    /// The alias for a PUBLISH that is sent now, and whether the client knows it already: then its topic is left out.
    pub fn assign(&mut self, topic: &TopicName) -> Option<(NonZeroU16, bool)> {
        let known = self.0.as_mut()?;
        if topic.as_str().len() <= ALIAS_BYTES {
            return None;
        }
        if let Some(alias) = known.get(topic) {
            return Some((*alias, true));
        }
        let alias = if known.len() < known.cap().get() {
            NonZeroU16::new(u16::try_from(known.len() + 1).ok()?)?
        } else {
            known.pop_lru()?.1
        };
        known.put(trim::topic(topic), alias);
        Some((alias, false))
    }
}
