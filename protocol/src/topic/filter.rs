//! Topic filters: what a client subscribes to, shared subscriptions included.

use core::fmt;

use crate::{ByteString, TopicName, Version};

/// A valid Topic Filter [MQTT-4.7.1-1, MQTT-4.7.1-2, MQTT-4.8.2-1, MQTT-4.8.2-2], `$share/{group}/…` included. From a client of 3.1.1 it
/// may also be one that only begins like that: see [`TopicFilter::of_version`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicFilter(ByteString);

/// Why a string is no topic filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterError {
    /// [MQTT-4.7.3-1]
    Empty,
    /// [MQTT-4.7.3-3]
    TooLong,
    /// [MQTT-4.7.3-2]
    Nul,
    /// [MQTT-4.7.1-1]
    MultiLevel,
    /// [MQTT-4.7.1-2]
    SingleLevel,
    /// [MQTT-4.8.2-1, MQTT-4.8.2-2]
    Share,
}

impl FilterError {
    /// In words, for people.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::Empty => "a topic filter has at least one character",
            Self::TooLong => "a topic filter has at most 65,535 bytes",
            Self::Nul => "a topic filter has no NUL character",
            Self::MultiLevel => "`#` stands alone in the last level of a topic filter",
            Self::SingleLevel => "`+` stands alone in its level of a topic filter",
            Self::Share => {
                "a shared subscription is `$share/{group}/{filter}`, the group not empty and without `+` or `#`"
            }
        }
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for FilterError {}

impl TopicFilter {
    /// Validates.
    ///
    /// # Errors
    /// What the standard forbids, see [`FilterError`].
    pub fn new(filter: impl Into<ByteString>) -> Result<Self, FilterError> {
        let filter = filter.into();
        check(&filter)?;
        Ok(Self(filter))
    }

    /// Validates by the rules of a version. Before 5.0 `$share` is a level like any other, so what begins with it and is no shared
    /// subscription is valid: see [`TopicFilter::is_broken_share`].
    ///
    /// # Errors
    /// What the standard forbids, see [`FilterError`].
    pub fn of_version(filter: ByteString, version: Version) -> Result<Self, FilterError> {
        match check(&filter) {
            Err(FilterError::Share) if !version.has_shared_subscriptions() => {
                check_levels(&filter)?;
            }
            checked => checked?,
        }
        Ok(Self(filter))
    }

    /// Whether it begins as a shared subscription and is none, as one of a client before 5.0 may be.
    #[must_use]
    pub fn is_broken_share(&self) -> bool {
        self.0.starts_with(SHARE) && check(&self.0) == Err(FilterError::Share)
    }

    /// The filter as text, with its `$share/{group}/` if it has one.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The filter as shared text.
    #[must_use]
    pub fn as_byte_string(&self) -> &ByteString {
        &self.0
    }

    /// Group and filter of a shared subscription; `None` for an ordinary one.
    #[must_use]
    pub fn share(&self) -> Option<(&str, &str)> {
        split_once(self.0.strip_prefix(SHARE)?)
    }

    /// The part that is matched against topics: without `$share/{group}/`.
    #[must_use]
    pub fn pattern(&self) -> &str {
        self.share().map_or(self.as_str(), |(_, pattern)| pattern)
    }

    /// Whether the topic matches. A wildcard in the first level does not match a topic that starts with `$`
    /// [MQTT-4.7.2-1].
    #[must_use]
    pub fn matches(&self, topic: &TopicName) -> bool {
        let pattern = self.pattern();
        if topic.as_str().starts_with('$') && pattern.bytes().next().is_some_and(is_wildcard) {
            return false;
        }
        let mut of_topic = levels(topic.as_str());
        for wanted in levels(pattern) {
            match (wanted, of_topic.next()) {
                (b"#", _) => return true,
                (b"+", Some(_)) => {}
                (wanted, Some(level)) if wanted == level => {}
                _ => return false,
            }
        }
        of_topic.next().is_none()
    }
}

const SHARE: &str = "$share/";

fn check(filter: &str) -> Result<(), FilterError> {
    if filter.is_empty() {
        return Err(FilterError::Empty);
    }
    if filter.len() > usize::from(u16::MAX) {
        return Err(FilterError::TooLong);
    }
    if has(filter.as_bytes(), 0) {
        return Err(FilterError::Nul);
    }
    let mut pattern = filter;
    if let Some(shared) = filter.strip_prefix(SHARE) {
        let (group, rest) = split_once(shared).ok_or(FilterError::Share)?;
        if group.is_empty() || group.bytes().any(is_wildcard) || rest.is_empty() {
            return Err(FilterError::Share);
        }
        pattern = rest;
    }
    check_levels(pattern)
}

fn check_levels(pattern: &str) -> Result<(), FilterError> {
    let mut levels = levels(pattern).peekable();
    while let Some(level) = levels.next() {
        if has(level, b'#') && (level != b"#" || levels.peek().is_some()) {
            return Err(FilterError::MultiLevel);
        }
        if has(level, b'+') && level != b"+" {
            return Err(FilterError::SingleLevel);
        }
    }
    Ok(())
}

#[allow(clippy::manual_contains, reason = "half as large")]
fn has(bytes: &[u8], wanted: u8) -> bool {
    bytes.iter().any(|byte| *byte == wanted)
}

fn is_wildcard(byte: u8) -> bool {
    matches!(byte, b'+' | b'#')
}

/// By bytes, as all separators are: what `str` brings along to search for any character would be downloaded by each
/// browser.
fn levels(path: &str) -> impl Iterator<Item = &[u8]> {
    path.as_bytes().split(|byte| *byte == b'/')
}

/// What is before the first `/`, and what is behind it.
fn split_once(text: &str) -> Option<(&str, &str)> {
    let at = text.bytes().position(|byte| byte == b'/')?;
    let (before, rest) = text.split_at_checked(at)?;
    Some((before, rest.get(1..)?))
}

impl AsRef<str> for TopicFilter {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(filter: &str, expected: Result<Option<(&str, &str)>, FilterError>) {
        let parsed = TopicFilter::new(filter.to_owned());
        assert_eq!(
            parsed.as_ref().map(TopicFilter::share).map_err(|e| *e),
            expected,
            "{filter:?}"
        );
    }

    fn matches(filter: &str, topic: &str) -> bool {
        let filter = TopicFilter::new(filter.to_owned()).expect("a filter");
        filter.matches(&TopicName::new(topic.to_owned()).expect("a topic"))
    }

    /// [MQTT-4.7.1-1, MQTT-4.7.1-2, MQTT-4.7.3-1, MQTT-4.7.3-2, MQTT-4.7.3-3]
    #[test]
    fn filters() {
        for valid in [
            "a", "#", "+", "/", "a/#", "+/+/#", "a//b", "$SYS/#", "$share", "a b/🦀",
        ] {
            check(valid, Ok(None));
        }
        check("", Err(FilterError::Empty));
        check("a\0", Err(FilterError::Nul));
        check(&"x".repeat(65_536), Err(FilterError::TooLong));
        for wrong in ["a#", "#/a", "a/#/b", "##"] {
            check(wrong, Err(FilterError::MultiLevel));
        }
        for wrong in ["a+", "+a/b", "a/b+"] {
            check(wrong, Err(FilterError::SingleLevel));
        }
    }

    /// [MQTT-4.8.2-1, MQTT-4.8.2-2]
    #[test]
    fn shared_filters() {
        check("$share/g/a/#", Ok(Some(("g", "a/#"))));
        check("$share/g//a", Ok(Some(("g", "/a"))));
        check("$share/g/+", Ok(Some(("g", "+"))));
        for wrong in [
            "$share/",
            "$share/g",
            "$share/g/",
            "$share//a",
            "$share/g+/a",
            "$share/#/a",
        ] {
            check(wrong, Err(FilterError::Share));
        }
        check("$share/g/a#", Err(FilterError::MultiLevel));
        let before_5 = |filter: &str| TopicFilter::of_version(filter.into(), Version::V3_1_1);
        for broken in ["$share/", "$share/g", "$share//a", "$share/+/a", "$share/#"] {
            assert!(before_5(broken).is_ok_and(|filter| filter.is_broken_share()));
        }
        assert_eq!(before_5("$share/g+/a"), Err(FilterError::SingleLevel));
        assert!(before_5("$share/g/a").is_ok_and(|filter| !filter.is_broken_share()));
        assert!(matches("$share/g/a/+", "a/b"));
    }

    #[test]
    fn matching() {
        // The examples of section 4.7.1.
        for topic in [
            "sport/tennis/player1",
            "sport/tennis/player1/ranking",
            "sport/tennis/player1/score/wimbledon",
        ] {
            assert!(matches("sport/tennis/player1/#", topic), "{topic}");
        }
        assert!(matches("sport/#", "sport"));
        assert!(matches("sport/tennis/+", "sport/tennis/player1"));
        assert!(!matches("sport/tennis/+", "sport/tennis/player1/ranking"));
        assert!(!matches("sport/+", "sport"));
        assert!(matches("sport/+", "sport/"));
        assert!(matches("+/+", "/finance"));
        assert!(matches("/+", "/finance"));
        assert!(!matches("+", "/finance"));
        assert!(!matches("a", "A"));
        // [MQTT-4.7.2-1]
        assert!(!matches("#", "$SYS/x"));
        assert!(!matches("+/x", "$SYS/x"));
        assert!(matches("$SYS/#", "$SYS/x"));
        assert!(matches("$SYS/+", "$SYS/x"));
    }
}
