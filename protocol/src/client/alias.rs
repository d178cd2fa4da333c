//! Topic aliases of one connection, both directions. Forgotten when the connection ends [MQTT-3.3.2-7].

use alloc::vec::Vec;
use core::num::NonZeroU16;

use crate::{ReasonCode, TopicName, packet::Publish};

/// Aliases that the server set.
#[derive(Debug, Default)]
pub(super) struct InboundAliases {
    topics: Vec<Option<TopicName>>,
    maximum: u16,
}

impl InboundAliases {
    pub(super) fn new(maximum: u16) -> Self {
        Self {
            topics: Vec::new(),
            maximum,
        }
    }

    /// The topic of a PUBLISH, its alias resolved or learned [MQTT-3.3.2-10].
    pub(super) fn resolve(&mut self, publish: &Publish) -> Result<TopicName, ReasonCode> {
        let Some(alias) = publish.topic_alias else {
            return publish.topic.clone().ok_or(ReasonCode::ProtocolError);
        };
        if alias.get() > self.maximum {
            return Err(ReasonCode::TopicAliasInvalid);
        }
        let place = usize::from(alias.get() - 1);
        if place >= self.topics.len() {
            self.topics.resize(place + 1, None);
        }
        if let Some(topic) = &publish.topic {
            self.topics[place] = Some(topic.clone());
            return Ok(topic.clone());
        }
        self.topics[place].clone().ok_or(ReasonCode::ProtocolError)
    }
}

/// Aliases that this client set: the first topics get one, the others never do.
#[derive(Debug, Default)]
pub(super) struct OutboundAliases {
    topics: Vec<TopicName>,
    maximum: u16,
}

impl OutboundAliases {
    /// Searched from the front for each publish, so it stays short.
    const TOPICS_MAX: u16 = 16;
    /// What an alias adds to a PUBLISH: the property, and a byte each for the two lengths that may grow.
    pub(super) const ANNOUNCEMENT_BYTES_MAX: usize = 5;

    pub(super) fn new(server_maximum: u16) -> Self {
        Self {
            topics: Vec::new(),
            maximum: server_maximum.min(Self::TOPICS_MAX),
        }
    }

    /// Replaces the topic by its alias, or announces a new one
    /// [MQTT-3.2.2-17, MQTT-3.2.2-18, MQTT-3.3.2-9].
    pub(super) fn apply(&mut self, publish: &mut Publish) {
        let Some(topic) = &publish.topic else { return };
        if let Some(place) = self.topics.iter().position(|known| known == topic) {
            publish.topic_alias = alias(place);
            publish.topic = None;
        } else if self.topics.len() < usize::from(self.maximum) {
            publish.topic_alias = alias(self.topics.len());
            self.topics.push(topic.clone());
        }
    }
}

fn alias(place: usize) -> Option<NonZeroU16> {
    u16::try_from(place + 1).ok().and_then(NonZeroU16::new)
}
