//! Retained messages that were deleted, made ready to be published again.

use ebbtide_api::{PublishRequest, RetainedMessage};

use super::clock;

/// What a deletion gives back at the most (docs/api.md).
const MESSAGES_MAX: u64 = 1_000;
const BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What an undo will be able to do.
pub fn promise(count: u64, bytes: u64) -> String {
    if count > MESSAGES_MAX || bytes > BYTES_MAX {
        return format!(
            "This can be taken back only in part: the first {MESSAGES_MAX} messages, or 4 MiB of them."
        );
    }
    "This can be taken back right afterwards.".to_owned()
}

/// As they were. Of an expiry only what is left of it; what has expired meanwhile stays away.
pub fn messages(deleted: &[RetainedMessage], now_ms: i64) -> Vec<PublishRequest> {
    let message = |message: &RetainedMessage| {
        let mut properties = message.properties.clone();
        let expires_at_ms = message.expires_at.as_deref().and_then(clock::parse);
        if let Some(at_ms) = expires_at_ms {
            let left_s = clock::seconds_until(now_ms, at_ms);
            if left_s == 0 {
                return None;
            }
            properties.message_expiry_interval = u32::try_from(left_s).ok();
        }
        Some(PublishRequest {
            topic: message.topic.clone(),
            payload: message.payload.clone(),
            payload_base64: message.payload_base64.clone(),
            qos: message.qos,
            retain: true,
            properties,
        })
    };
    deleted.iter().filter_map(message).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_is_what_was_there() {
        let deleted = |topic: &str, expires_at: Option<&str>| RetainedMessage {
            topic: topic.to_owned(),
            payload_base64: Some("/wA=".to_owned()),
            qos: 2,
            expires_at: expires_at.map(str::to_owned),
            properties: ebbtide_api::Properties {
                message_expiry_interval: expires_at.map(|_| 60),
                content_type: Some("x".to_owned()),
                ..Default::default()
            },
            ..RetainedMessage::default()
        };
        let back = messages(
            &[
                deleted("a", None),
                deleted("b", Some("1970-01-01T00:00:30Z")),
                deleted("c", Some("1970-01-01T00:00:09Z")),
            ],
            10_000,
        );
        assert_eq!(back.len(), 2);
        assert!(
            back.iter()
                .all(|message| message.retain && message.qos == 2)
        );
        assert_eq!(back[0].payload_base64.as_deref(), Some("/wA="));
        assert_eq!(back[0].properties.content_type.as_deref(), Some("x"));
        assert_eq!(back[0].properties.message_expiry_interval, None);
        assert_eq!(back[1].properties.message_expiry_interval, Some(20));
    }

    #[test]
    fn nothing_is_promised_that_cannot_be_kept() {
        assert!(promise(500, 1_000).contains("can be taken back right"));
        assert!(promise(1_001, 1_000).contains("only in part"));
        assert!(promise(2, BYTES_MAX + 1).contains("only in part"));
    }
}
