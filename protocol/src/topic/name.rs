//! Topic names: what a message is published to.

use core::fmt;

use crate::ByteString;

/// A valid Topic Name: 1 to 65,535 bytes, no wildcard, no NUL [MQTT-3.3.2-2, MQTT-4.7.3-1, MQTT-4.7.3-2].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicName(ByteString);

/// Why a string is no topic name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// [MQTT-4.7.3-1]
    Empty,
    /// [MQTT-4.7.3-3]
    TooLong,
    /// [MQTT-3.3.2-2, MQTT-4.7.0-1]
    Wildcard,
    /// [MQTT-4.7.3-2]
    Nul,
}

impl NameError {
    /// In words, for people.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::Empty => "a topic name has at least one character",
            Self::TooLong => "a topic name has at most 65,535 bytes",
            Self::Wildcard => "a topic name has no wildcard (`+` or `#`)",
            Self::Nul => "a topic name has no NUL character",
        }
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for NameError {}

impl TopicName {
    /// Validates.
    ///
    /// # Errors
    /// What the standard forbids, see [`NameError`].
    pub fn new(name: impl Into<ByteString>) -> Result<Self, NameError> {
        let name = name.into();
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.len() > usize::from(u16::MAX) {
            return Err(NameError::TooLong);
        }
        match name.bytes().find(|b| matches!(b, b'+' | b'#' | 0)) {
            Some(0) => Err(NameError::Nul),
            Some(_) => Err(NameError::Wildcard),
            None => Ok(Self(name)),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as shared text.
    #[must_use]
    pub fn as_byte_string(&self) -> &ByteString {
        &self.0
    }

    /// The levels, separated by `/`; empty levels count.
    pub fn levels(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

impl AsRef<str> for TopicName {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: Result<usize, NameError>) {
        let levels = TopicName::new(name.to_owned()).map(|name| name.levels().count());
        assert_eq!(levels, expected, "{name:?}");
    }

    /// [MQTT-4.7.0-1, MQTT-4.7.3-1, MQTT-4.7.3-2, MQTT-4.7.3-3]
    #[test]
    fn names() {
        check("a", Ok(1));
        check("/", Ok(2));
        check("a//b", Ok(3));
        check("with space/🦀", Ok(2));
        check("$SYS/x", Ok(2));
        // A byte order mark is a character like any other [MQTT-1.5.4-3].
        check("\u{feff}a", Ok(1));
        check("", Err(NameError::Empty));
        check("a/+", Err(NameError::Wildcard));
        check("a#", Err(NameError::Wildcard));
        check("a\0", Err(NameError::Nul));
        check(&"x".repeat(65_535), Ok(1));
        check(&"x".repeat(65_536), Err(NameError::TooLong));
    }
}
