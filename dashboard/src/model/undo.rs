//! Retained messages that were deleted, made ready to be published again.

use ebbtide_api::{PublishRequest, RetainedMessage};

use super::clock;

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
}
