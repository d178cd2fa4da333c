//! Where presence is: a template with `{client}` in it.

use ebbtide_protocol::{TopicFilter, TopicName};
use percent_encoding::utf8_percent_encode;

use crate::connection::RESERVED;

const CLIENT: &str = "{client}";

/// The topics of presence, made from a template such as `presence/{client}`. The client id stands in it
/// percent-encoded, so that it is one level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceTopic {
    before: String,
    after: String,
    offline_expiry_s: Option<u32>,
}

/// What is wrong with a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PresenceTopicError {
    /// There would be one entry for all clients.
    #[error("{CLIENT} must stand in it once, as a level of its own")]
    NoClient,
    /// Not with `+`, `#` or NUL, and not below `$`.
    #[error("it must be a topic name without wildcards that does not begin with $")]
    NotATopic,
}

impl PresenceTopic {
    /// Reads a template. An entry that says offline expires after so many seconds; `None`: never.
    ///
    /// # Errors
    /// When it is no template.
    pub fn new(template: &str, offline_expiry_s: Option<u32>) -> Result<Self, PresenceTopicError> {
        let (before, after) = template
            .split_once(CLIENT)
            .ok_or(PresenceTopicError::NoClient)?;
        let is_level = (before.is_empty() || before.ends_with('/'))
            && (after.is_empty() || after.starts_with('/'));
        if !is_level || after.contains(CLIENT) {
            return Err(PresenceTopicError::NoClient);
        }
        let example = TopicName::new(format!("{before}x{after}"));
        if example.is_err() || before.starts_with('$') {
            return Err(PresenceTopicError::NotATopic);
        }
        Ok(Self {
            before: before.to_owned(),
            after: after.to_owned(),
            offline_expiry_s,
        })
    }

    pub(super) fn offline_expiry_s(&self) -> Option<u32> {
        self.offline_expiry_s
    }

    /// The topic of a client; `None`: it would be too long.
    pub(super) fn of(&self, client_id: &str) -> Option<TopicName> {
        let level = utf8_percent_encode(client_id, RESERVED);
        TopicName::new(format!("{}{level}{}", self.before, self.after)).ok()
    }

    /// Whether the topic could be that of a client.
    pub(super) fn contains(&self, topic: &TopicName) -> bool {
        let level = topic.as_str().strip_prefix(&*self.before);
        let level = level.and_then(|rest| rest.strip_suffix(&*self.after));
        level.is_some_and(|level| !level.contains('/'))
    }

    /// Matches the topics of all clients.
    pub(super) fn filter(&self) -> TopicFilter {
        let filter = format!("{}+{}", self.before, self.after);
        TopicFilter::new(filter).expect("`new` has tried it with another level")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(template: &str) -> Result<PresenceTopic, PresenceTopicError> {
        PresenceTopic::new(template, None)
    }

    #[test]
    fn a_template_has_the_client_as_one_level() {
        for good in ["presence/{client}", "{client}", "a/{client}/state"] {
            assert!(topic(good).is_ok(), "{good}");
        }
        for bad in ["presence", "presence/x{client}", "{client}/{client}"] {
            assert_eq!(topic(bad), Err(PresenceTopicError::NoClient), "{bad}");
        }
        for bad in ["+/{client}", "$SYS/{client}", "a/{client}/#"] {
            assert_eq!(topic(bad), Err(PresenceTopicError::NotATopic), "{bad}");
        }
    }

    #[test]
    fn a_client_id_is_one_level_whatever_is_in_it() {
        let topic = topic("p/{client}/s").expect("a template");
        let of = |id| topic.of(id).expect("a topic");
        assert_eq!(of("a/+#é").as_str(), "p/a%2F%2B%23%C3%A9/s");
        assert!(topic.contains(&of("a/+#é")));
        let other = |text: &str| topic.contains(&TopicName::new(text.to_owned()).expect("a topic"));
        assert!(!other("p/a/b/s") && !other("p/a") && !other("q/a/s") && !other("p/s"));
        assert_eq!(topic.of(&"/".repeat(30_000)), None);
    }
}
