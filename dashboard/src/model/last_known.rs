//! What a board knew last, as text that the browser keeps: shown before the broker answers, and when it does not.
//!
//! Bounded by [`TEXT_BYTES_MAX`] a board; what does not fit is counted. Text that cannot be read is no fault: then nothing
//! is known. Only whole payloads are kept, for a cut one would look like the value.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use super::export::text_or_base64;
use super::payload::Payload;

/// The form of the text. Another one is not read.
const FORM: u32 = 1;
/// Browsers keep some five million characters for all pages of an origin.
pub const TEXT_BYTES_MAX: usize = 2_000_000;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastKnown {
    /// When it was live for the last time.
    pub at_ms: i64,
    pub entries: Vec<(String, Payload)>,
    /// Entries that did not fit.
    pub left_out: usize,
}

#[derive(Serialize, Deserialize)]
struct Kept<'a> {
    form: u32,
    /// What it is of: the same place may be used for another filter later.
    filter: &'a str,
    at_ms: i64,
    left_out: usize,
    /// Topic, then a text or, behind `true`, base64.
    #[serde(borrow)]
    entries: Vec<Row<'a>>,
}

#[derive(Serialize, Deserialize)]
struct Row<'a>(
    #[serde(borrow)] std::borrow::Cow<'a, str>,
    #[serde(borrow)] std::borrow::Cow<'a, str>,
    bool,
);

/// `entries` in the order in which they are worth most.
pub fn write<'a>(
    filter: &str,
    at_ms: i64,
    entries: impl Iterator<Item = (&'a str, &'a Payload)>,
) -> String {
    let mut kept = Kept {
        form: FORM,
        filter,
        at_ms,
        left_out: 0,
        entries: Vec::new(),
    };
    let mut bytes = 0;
    for (topic, payload) in entries {
        let (text, base64) = text_or_base64(payload);
        let is_base64 = base64.is_some();
        let value = base64.map_or_else(|| text.unwrap_or_default().into(), Into::into);
        let row = Row(topic.into(), value, is_base64);
        bytes += row.0.len() + row.1.len() + 12;
        if payload.is_cut() || bytes > TEXT_BYTES_MAX {
            bytes -= row.0.len() + row.1.len() + 12;
            kept.left_out += 1;
        } else {
            kept.entries.push(row);
        }
    }
    serde_json::to_string(&kept).unwrap_or_default()
}

/// `None` when it is of another filter, or of another form.
pub fn read(text: &str, filter: &str) -> Option<LastKnown> {
    let kept: Kept<'_> = serde_json::from_str(text).ok()?;
    if kept.form != FORM || kept.filter != filter {
        return None;
    }
    let entry = |Row(topic, value, is_base64): Row<'_>| {
        let payload = if is_base64 {
            Payload::new(&BASE64.decode(value.as_bytes()).ok()?)
        } else {
            Payload::new(value.as_bytes())
        };
        Some((topic.into_owned(), payload))
    };
    Some(LastKnown {
        at_ms: kept.at_ms,
        entries: kept.entries.into_iter().filter_map(entry).collect(),
        left_out: kept.left_out,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(entries: &[(&str, Payload)]) -> String {
        write(
            "config/#",
            5,
            entries.iter().map(|(topic, payload)| (*topic, payload)),
        )
    }

    #[test]
    fn what_was_written_is_read_again() {
        let entries = [
            (
                "config/a \"b\"/🌊",
                Payload::new("{\"on\":\n true}\u{0}".as_bytes()),
            ),
            ("config/$x", Payload::new(&[0xff, 0])),
        ];
        let known = read(&written(&entries), "config/#").expect("known");
        assert_eq!((known.at_ms, known.left_out), (5, 0));
        let entries: Vec<(String, Payload)> = entries
            .iter()
            .map(|(t, p)| ((*t).to_owned(), p.clone()))
            .collect();
        assert_eq!(known.entries, entries);
    }

    #[test]
    fn another_filter_or_what_cannot_be_read_is_nothing() {
        let text = written(&[("config/a", Payload::new(b"1"))]);
        assert_eq!(read(&text, "config/+"), None);
        assert_eq!(read(&text[..text.len() - 1], "config/#"), None);
        assert_eq!(
            read(&text.replace("\"form\":1", "\"form\":2"), "config/#"),
            None
        );
        assert_eq!(read("", "config/#"), None);
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_counted() {
        let large = Payload::new(&[b'x'; 60_000]);
        let cut = Payload::new(&[b'x'; 100_000]);
        let mut entries = vec![("config/large", large); 40];
        entries.push(("config/cut", cut));
        entries.push(("config/small", Payload::new(b"1")));
        let text = written(&entries);
        assert!(text.len() < TEXT_BYTES_MAX + 1_000, "{}", text.len());
        let known = read(&text, "config/#").expect("known");
        assert_eq!(known.left_out + known.entries.len(), entries.len());
        assert_eq!(known.left_out, 8);
        assert!(
            known
                .entries
                .iter()
                .any(|(topic, _)| topic == "config/small")
        );
    }
}
