//! Presence payloads: who is online, since when, and what else the entry says.
//!
//! Understands the shape that broker, client and demos write (`status`, `since`, `user`, `conn`, `reason`, `meta`), plain
//! `{"online": true, …}`, and the bare words `online` and `offline`. Anything else is kept as it is, with status unknown.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::board::FromPayload;
use super::payload::{Payload, shorten, size};
use super::{clock, hex};

/// A larger payload is no presence entry; only its start is shown.
const PARSED_BYTES_MAX: usize = 16 * 1024;
/// Of one value on a card.
const VALUE_CHARS_MAX: usize = 120;
/// Of one name of a value on a card.
const FIELD_CHARS_MAX: usize = 40;
/// Of a payload that is shown as it is.
const RAW_CHARS_MAX: usize = 240;
const RAW_HEX_BYTES_MAX: usize = 24;
/// Larger numbers are milliseconds since 1970, smaller ones seconds.
const EPOCH_SECONDS_MAX: i64 = 100_000_000_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Online,
    #[default]
    Unknown,
    Offline,
}

impl Status {
    pub const ALL: [Self; 3] = [Self::Online, Self::Offline, Self::Unknown];

    pub fn name(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Unknown => "unknown",
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Online => "Online",
            Self::Offline => "Offline",
            Self::Unknown => "Unknown",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    pub status: Status,
    pub since_ms: Option<i64>,
    /// Names and values, already text: `user`, `conn` and `reason` first, then the metadata.
    pub fields: Vec<(String, String)>,
    /// The payload as it is, when it is no presence entry.
    pub raw: Option<String>,
}

impl FromPayload for Presence {
    fn from_payload(payload: &Payload) -> Self {
        let text = payload
            .text()
            .filter(|_| payload.bytes() <= PARSED_BYTES_MAX);
        match text.map(serde_json::from_str) {
            Some(Ok(Value::Object(object))) => {
                Self::from_object(object).unwrap_or_else(|| Self::raw(payload))
            }
            Some(Ok(Value::String(word))) => Self::from_word(&word, payload),
            _ => Self::from_word(text.unwrap_or_default(), payload),
        }
    }
}

impl Presence {
    fn from_word(word: &str, payload: &Payload) -> Self {
        match Status::from_name(word.trim()) {
            Some(status) => Self {
                status,
                ..Self::default()
            },
            None => Self::raw(payload),
        }
    }

    fn raw(payload: &Payload) -> Self {
        let raw = match payload.text() {
            Some(text) if text.trim().is_empty() => {
                format!("Nothing but space ({})", size(payload.bytes()))
            }
            Some(text) => shorten(text, RAW_CHARS_MAX),
            None => format!(
                "{} ({})",
                hex::start(payload.kept(), RAW_HEX_BYTES_MAX),
                size(payload.bytes())
            ),
        };
        Self {
            raw: Some(raw),
            ..Self::default()
        }
    }

    /// `None` if the object says nothing about being there.
    fn from_object(mut object: Map<String, Value>) -> Option<Self> {
        let status = match (object.get("status"), object.get("online")) {
            (Some(Value::String(word)), _) => match Status::from_name(word) {
                Some(status) => {
                    object.remove("status");
                    status
                }
                // Another word: shown among the fields.
                None => Status::Unknown,
            },
            (None, Some(Value::Bool(online))) => {
                let online = *online;
                object.remove("online");
                if online {
                    Status::Online
                } else {
                    Status::Offline
                }
            }
            _ => return None,
        };
        let since_ms = object.get("since").and_then(point_in_time);
        if since_ms.is_some() {
            object.remove("since");
        }
        let mut fields = Vec::new();
        for first in ["user", "conn", "reason"] {
            if let Some(value) = object.remove(first) {
                push_field(&mut fields, first, &value);
            }
        }
        match object.remove("meta") {
            Some(Value::Object(meta)) => {
                for (name, value) in &meta {
                    push_field(&mut fields, name, value);
                }
            }
            Some(meta) => push_field(&mut fields, "meta", &meta),
            None => {}
        }
        for (name, value) in &object {
            push_field(&mut fields, name, value);
        }
        Some(Self {
            status,
            since_ms,
            fields,
            raw: None,
        })
    }
}

fn point_in_time(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => clock::parse(text),
        Value::Number(number) => match number.as_i64()? {
            seconds @ 0..EPOCH_SECONDS_MAX => Some(seconds * 1_000),
            milliseconds => Some(milliseconds),
        },
        _ => None,
    }
}

fn push_field(fields: &mut Vec<(String, String)>, name: &str, value: &Value) {
    let text = match value {
        Value::Null => return,
        Value::String(text) => shorten(text, VALUE_CHARS_MAX),
        other => shorten(&other.to_string(), VALUE_CHARS_MAX),
    };
    fields.push((shorten(name, FIELD_CHARS_MAX), text));
}

/// Who it is: the topic below the board's fixed part, percent-decoded as client identifiers in topics are.
pub fn display_name(relative_topic: &str) -> String {
    match percent_decode_str(relative_topic).decode_utf8() {
        Ok(name) if !name.contains(char::is_control) => name.into_owned(),
        _ => relative_topic.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(payload: &str) -> Presence {
        Presence::from_payload(&Payload::new(payload.as_bytes()))
    }

    fn fields(presence: &Presence) -> Vec<(&str, &str)> {
        let pairs = presence.fields.iter();
        pairs.map(|(n, v)| (n.as_str(), v.as_str())).collect()
    }

    #[test]
    fn reads_the_common_shape() {
        let presence = read(
            r#"{"status":"online","since":"1970-01-01T00:00:02Z","meta":{"load":0.5,"tags":["a"]},"user":"ana","conn":"c1"}"#,
        );
        assert_eq!(presence.status, Status::Online);
        assert_eq!(presence.since_ms, Some(2_000));
        assert_eq!(
            fields(&presence),
            [
                ("user", "ana"),
                ("conn", "c1"),
                ("load", "0.5"),
                ("tags", "[\"a\"]")
            ]
        );
        assert_eq!(presence.raw, None);
    }

    #[test]
    fn reads_plain_states() {
        let presence = read(r#"{"online": true, "load": 0.42}"#);
        assert_eq!(presence.status, Status::Online);
        assert_eq!(fields(&presence), [("load", "0.42")]);
        assert_eq!(read(r#"{"online": false}"#).status, Status::Offline);
        assert_eq!(read("offline").status, Status::Offline);
        assert_eq!(read("\"online\"\n").status, Status::Online);
        assert_eq!(
            read(r#"{"online":true,"since":1700000000}"#).since_ms,
            Some(1_700_000_000_000)
        );
    }

    #[test]
    fn other_payloads_are_shown_as_they_are() {
        for payload in [
            "hello",
            "42",
            r#"{"load": 1}"#,
            "[1]",
            "<script>alert(1)</script>",
        ] {
            let presence = read(payload);
            assert_eq!(presence.status, Status::Unknown);
            assert_eq!(presence.raw.as_deref(), Some(payload));
        }
        let binary = Presence::from_payload(&Payload::new(&[0xff, 0x00]));
        assert_eq!(binary.raw.as_deref(), Some("ff 00 (2 bytes)"));
    }

    #[test]
    fn an_unknown_word_or_time_stays_visible() {
        let presence = read(r#"{"status":"away","since":"noon"}"#);
        assert_eq!(presence.status, Status::Unknown);
        assert_eq!(fields(&presence), [("since", "noon"), ("status", "away")]);
    }

    #[test]
    fn huge_values_are_cut() {
        let presence = read(&format!(r#"{{"online":true,"a":"{}"}}"#, "x".repeat(9_000)));
        assert_eq!(presence.fields[0].1.chars().count(), VALUE_CHARS_MAX + 1);
        let raw = read(&"y".repeat(1 << 20)).raw.expect("no presence entry");
        assert_eq!(raw.chars().count(), RAW_CHARS_MAX + 1);
        let deep = read(&"[".repeat(100_000));
        assert!(deep.raw.is_some());
    }

    #[test]
    fn names_are_percent_decoded_when_that_gives_text() {
        assert_eq!(display_name("ana%20maria%2Fphone"), "ana maria/phone");
        assert_eq!(display_name("50%"), "50%");
        assert_eq!(display_name("%ff"), "%ff");
        assert_eq!(display_name("a%00b"), "a%00b");
    }
}
