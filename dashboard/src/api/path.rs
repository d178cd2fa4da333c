//! Paths and queries of the API, from its types.

use form_urlencoded::Serializer;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::Value;

/// What stands for itself in a segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~');

/// One segment: a client identifier, a topic.
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// The members of a query's type that are there, with `?`.
pub fn query(of: &impl Serialize) -> String {
    let Ok(Value::Object(members)) = serde_json::to_value(of) else {
        return String::new();
    };
    let mut query = Serializer::new(String::new());
    for (name, value) in &members {
        match value {
            Value::Null => {}
            Value::String(text) => {
                query.append_pair(name, text);
            }
            other => {
                query.append_pair(name, &other.to_string());
            }
        }
    }
    let query = query.finish();
    if query.is_empty() {
        query
    } else {
        format!("?{query}")
    }
}

#[cfg(test)]
mod tests {
    use ebbtide_api::{HistoryQuery, SessionQuery, SessionSort, SessionState};

    use super::*;

    #[test]
    fn a_segment_has_no_character_with_a_meaning() {
        assert_eq!(segment("sensor-1_a~"), "sensor-1_a~");
        assert_eq!(segment("a/b ü?#.."), "a%2Fb%20%C3%BC%3F%23%2E%2E");
    }

    #[test]
    fn a_query_has_what_is_set() {
        assert_eq!(query(&HistoryQuery::default()), "");
        let sessions = SessionQuery {
            q: Some("a b&c".to_owned()),
            state: Some(SessionState::Away),
            sort: SessionSort::QueueBytes,
            limit: Some(50),
            ..SessionQuery::default()
        };
        assert_eq!(
            query(&sessions),
            "?limit=50&order=asc&q=a+b%26c&sort=queue_bytes&state=away"
        );
    }
}
