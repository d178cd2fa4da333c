//! What Ebbtide adds to MQTT 5.0: names of User Properties and topics, for both sides.
//!
//! Nothing of it is sent to a side that has not announced it or asked for it, so it never disturbs other software. How it
//! is used is in `docs/extensions.md`.

use alloc::format;

use crate::{ByteString, TopicName, packet::UserProperty};

/// CONNACK: the extensions that the broker has, separated by commas.
pub const EXTENSIONS: &str = "ebbtide-extensions";
/// Among [`EXTENSIONS`]: a SUBSCRIBE can ask to be told when its retained messages have all come.
pub const SNAPSHOT: &str = "snapshot";
/// Among [`EXTENSIONS`]: CONNACK names the session, see [`SESSION_NAME`].
pub const SESSION: &str = "session";
/// CONNACK: the name of a session that outlives its connection. One that begins anew has another name.
pub const SESSION_NAME: &str = "ebbtide-session";
/// SUBSCRIBE: it asks, with the value `1`.
pub const SNAPSHOT_ASKED: &str = "ebbtide-snapshot";
/// SUBACK, one per filter in their order: how many retained messages follow.
pub const RETAINED: &str = "ebbtide-retained";
/// SUBACK, with the value `1`: the end marker comes in any case, and the numbers alone do not tell the end.
pub const END: &str = "ebbtide-end";
/// The topics that are the broker's own; no client can publish there.
pub const TOPICS: &str = "$ebbtide/";
/// The topic of an end marker, but for the Subscription Identifier.
const END_TOPIC: &str = "$ebbtide/end/";

/// Whether a list of extensions, as in [`EXTENSIONS`], has this one.
#[must_use]
pub fn is_announced(properties: &[UserProperty], extension: &str) -> bool {
    values(properties, EXTENSIONS).any(|list| {
        let mut names = list.as_bytes().split(|byte| *byte == b',');
        names.any(|one| one.trim_ascii() == extension.as_bytes())
    })
}

/// Whether a property is there with the value `1`.
#[must_use]
pub fn is_set(properties: &[UserProperty], name: &str) -> bool {
    values(properties, name).any(|value| value == "1")
}

/// A property that is to be set.
#[must_use]
pub fn set(name: &'static str) -> UserProperty {
    (name.into(), "1".into())
}

/// All values of a property, in their order.
pub fn values<'a>(
    properties: &'a [UserProperty],
    name: &'a str,
) -> impl Iterator<Item = &'a ByteString> {
    properties
        .iter()
        .filter(move |(key, _)| key == name)
        .map(|(_, value)| value)
}

/// Where the end marker goes for subscriptions with this Subscription Identifier; 0: without one.
///
/// # Panics
/// Never: it is a topic name.
#[must_use]
pub fn end_topic(identifier: u32) -> TopicName {
    TopicName::new(format!("{END_TOPIC}{identifier}")).expect("it has no wildcard")
}

/// The Subscription Identifier whose end a message to this topic marks; `None`: it is no end marker.
#[must_use]
pub fn ended(topic: &TopicName) -> Option<u32> {
    number(topic.as_str().strip_prefix(END_TOPIC)?)
}

/// A number in decimal, of digits alone. What `parse` brings along for signs and every width would be downloaded by each
/// browser.
#[must_use]
pub fn number(digits: &str) -> Option<u32> {
    let mut number = 0;
    for digit in digits.bytes() {
        if !digit.is_ascii_digit() || number > u64::from(u32::MAX) {
            return None;
        }
        number = number * 10 + u64::from(digit - b'0');
    }
    u32::try_from(number).ok().filter(|_| !digits.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_is_one_of_a_list() {
        let properties = [(EXTENSIONS.into(), "other, snapshot".into())];
        assert!(is_announced(&properties, SNAPSHOT));
        assert!(!is_announced(&properties, "snap"));
        assert!(!is_announced(&[], SNAPSHOT));
    }

    #[test]
    fn a_number_is_digits_alone_and_has_32_bits() {
        assert_eq!(number("0"), Some(0));
        assert_eq!(number("4294967295"), Some(u32::MAX));
        for wrong in [
            "",
            "-1",
            "+1",
            "1a",
            "4294967296",
            "99999999999999999999999",
        ] {
            assert_eq!(number(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn an_end_marker_names_its_identifier() {
        assert_eq!(ended(&end_topic(268_435_455)), Some(268_435_455));
        let other = TopicName::new("$ebbtide/end/x").expect("a topic");
        assert_eq!(ended(&other), None);
    }
}
