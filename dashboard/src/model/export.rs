//! Messages as JSON Lines: one JSON object a line, in the names of the HTTP API.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;

use super::message::Message;
use super::payload::Payload;

#[derive(Serialize)]
struct Line<'a> {
    topic: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
    payload_bytes: usize,
    truncated: bool,
    qos: u8,
    retained: bool,
    received_at_ms: i64,
    #[serde(skip_serializing_if = "ebbtide_api::Properties::is_empty")]
    properties: ebbtide_api::Properties,
}

/// With a line end after each.
pub fn json_lines<'a>(messages: impl IntoIterator<Item = &'a Message>) -> String {
    let mut lines = String::new();
    for message in messages {
        let (payload, payload_base64) = text_or_base64(&message.payload);
        let line = Line {
            topic: &message.topic,
            payload,
            payload_base64,
            payload_bytes: message.payload.bytes(),
            truncated: message.payload.is_cut(),
            qos: message.qos,
            retained: message.retained,
            received_at_ms: message.at_ms,
            properties: message.properties.to_api(),
        };
        if let Ok(line) = serde_json::to_string(&line) {
            lines.push_str(&line);
            lines.push('\n');
        }
    }
    lines
}

/// All that is UTF-8 is text here, control characters included.
pub fn text_or_base64(payload: &Payload) -> (Option<&str>, Option<String>) {
    match std::str::from_utf8(payload.kept()) {
        Ok(text) => (Some(text), None),
        Err(_) => (None, Some(BASE64.encode(payload.kept()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::message::Properties;

    #[test]
    fn a_line_is_one_object_and_never_breaks() {
        let message = |payload: &[u8], properties| Message {
            topic: "a b/🌊".into(),
            payload: Payload::new(payload),
            qos: 1,
            retained: true,
            properties,
            at_ms: 5,
        };
        let properties = Properties {
            content_type: Some("text/plain".to_owned()),
            user_properties: vec![("k".to_owned(), "v".to_owned())],
            ..Properties::default()
        };
        let text = message(b"two\nlines \"x\"", properties);
        let binary = message(&[0xff, 0], Properties::default());
        let lines = json_lines([&text, &binary]);
        let lines: Vec<serde_json::Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["payload"], "two\nlines \"x\"");
        assert_eq!(lines[0]["properties"]["user_properties"][0]["name"], "k");
        assert_eq!(lines[1]["payload_base64"], "/wA=");
        assert_eq!(lines[1]["payload_bytes"], 2);
        assert!(lines[1].get("properties").is_none() && lines[1].get("payload").is_none());
    }
}
