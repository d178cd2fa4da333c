//! Publishing a message, and what travels with one.

use serde::{Deserialize, Deserializer, Serialize};

/// The most messages of one `POST /api/v1/publish/many`.
pub const PUBLISH_MANY_MAX: usize = 1000;
/// The most user properties of a message that is published over HTTP.
pub const USER_PROPERTIES_MAX: usize = 1000;

/// The body of `POST /api/v1/publish`.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PublishRequest {
    /// A topic name.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 65535))]
    pub topic: String,
    /// The payload as text; neither this nor `payload_base64` means an empty one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// The payload as base64 (RFC 4648, section 4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_base64: Option<String>,
    /// 0, 1 or 2; not given, it is 1. From 1 on, success means that the message is on disk, as a PUBACK would. With 0
    /// it means only that the broker took the message, also when `retain` asks to keep it.
    #[serde(default = "default_qos")]
    #[cfg_attr(feature = "openapi", schema(maximum = 2))]
    pub qos: u8,
    /// Keep it as the retained message of the topic; an empty payload clears that.
    #[serde(default)]
    pub retain: bool,
    /// What travels with it.
    #[serde(
        default,
        deserialize_with = "properties",
        skip_serializing_if = "Properties::is_empty"
    )]
    pub properties: Properties,
}

pub(crate) fn default_qos() -> u8 {
    1
}

impl Default for PublishRequest {
    fn default() -> Self {
        Self {
            topic: String::new(),
            payload: None,
            payload_base64: None,
            qos: default_qos(),
            retain: false,
            properties: Properties::default(),
        }
    }
}

/// The properties that travel with a message to its subscribers (MQTT 5.0, section 3.3.2.3).
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Properties {
    /// `true`: the payload says that it is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_format_indicator: Option<bool>,
    /// How long it is worth something, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(maximum = 4_294_967_295_u64))]
    pub message_expiry_interval: Option<u32>,
    /// A MIME type, by convention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The topic for a response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_topic: Option<String>,
    /// What ties a response to its request, as base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_data_base64: Option<String>,
    /// In their order; a name may come again. What is published here has 1000 at the most; over MQTT a message may have more.
    #[serde(
        default,
        deserialize_with = "crate::object::all",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub user_properties: Vec<UserProperty>,
}

/// Those of a request.
#[derive(Deserialize)]
#[serde(transparent)]
struct Given(#[serde(with = "GivenProperties")] Properties);

/// As [`Properties`], but for the bound.
#[derive(Deserialize)]
#[serde(remote = "Properties", deny_unknown_fields)]
struct GivenProperties {
    #[serde(default)]
    payload_format_indicator: Option<bool>,
    #[serde(default)]
    message_expiry_interval: Option<u32>,
    #[serde(default)]
    content_type: Option<String>,
    #[serde(default)]
    response_topic: Option<String>,
    #[serde(default)]
    correlation_data_base64: Option<String>,
    #[serde(default, deserialize_with = "user_properties")]
    user_properties: Vec<UserProperty>,
}

/// The properties of a message in a request.
pub(crate) fn properties<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Properties, D::Error> {
    crate::object::one(deserializer).map(|Given(properties)| properties)
}

/// As with many messages, a body could have a million.
fn user_properties<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<UserProperty>, D::Error> {
    crate::object::few(deserializer, "user_properties", USER_PROPERTIES_MAX)
}

impl Properties {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A pair of strings that means something to publisher and subscribers.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct UserProperty {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// The answer to `POST /api/v1/publish`.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PublishResponse {
    /// The MQTT reason code: 0, or 16 when nobody had subscribed.
    pub reason_code: u8,
    /// Its name.
    pub reason: String,
}

/// The body of `POST /api/v1/publish/many`: they are published one after the other.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PublishManyRequest {
    /// 1 to 1000.
    #[cfg_attr(feature = "openapi", schema(min_items = 1, max_items = 1000))]
    #[serde(deserialize_with = "messages")]
    pub messages: Vec<PublishRequest>,
}

/// A body of 24 MiB could have millions, which are many times as large once they are read.
fn messages<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PublishRequest>, D::Error> {
    crate::object::few(deserializer, "messages", PUBLISH_MANY_MAX)
}

/// The answer to `POST /api/v1/publish/many`.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PublishManyResponse {
    /// What became of each message, in their order. From 128 on the reason code says that it was refused; the others are
    /// not touched by that.
    pub results: Vec<PublishResponse>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PutRetainedRequest;

    #[test]
    fn success_means_committed_if_nothing_else_is_asked_for() {
        let asked: PublishRequest = serde_json::from_str(r#"{"topic":"a"}"#).expect("a request");
        assert_eq!(asked.qos, 1);
        assert_eq!(PublishRequest::default().qos, asked.qos);
    }

    /// They are not even read to their end, which is wrong here.
    #[test]
    fn no_more_messages_are_read_than_may_be() {
        let read = |count: usize, end: &str| {
            let messages = vec![r#"{"topic":"a"}"#; count].join(",");
            let text = format!(r#"{{"messages":[{messages}{end}]}}"#);
            let read: Result<PublishManyRequest, _> = serde_json::from_str(&text);
            read.map(|request| request.messages.len())
        };
        let most = PUBLISH_MANY_MAX;
        assert_eq!(read(most, "").expect("a request"), most);
        let error = read(most + 1, ",what is no JSON").expect_err("too many");
        let error = error.to_string();
        assert!(error.contains("messages: at most 1000 of them"), "{error}");
    }

    /// Would fail if a request could have any number of them, or an answer could not.
    #[test]
    fn no_more_user_properties_are_read_than_may_be() {
        let text = |count: usize, end: &str| {
            let properties = vec![r#"{"name":"a","value":""}"#; count].join(",");
            format!(r#"{{"user_properties":[{properties}{end}]}}"#)
        };
        let publish = |properties: String| {
            let text = format!(r#"{{"topic":"a","properties":{properties}}}"#);
            let read: Result<PublishRequest, _> = serde_json::from_str(&text);
            read.map(|request| request.properties.user_properties.len())
        };
        let retain = |properties: String| {
            let text = format!(r#"{{"payload":"a","properties":{properties}}}"#);
            let read: Result<PutRetainedRequest, _> = serde_json::from_str(&text);
            read.map(|request| request.properties.user_properties.len())
        };
        let most = USER_PROPERTIES_MAX;
        for read in [publish, retain] {
            assert_eq!(read(text(most, "")).expect("a request"), most);
            let error = read(text(most + 1, ",what is no JSON")).expect_err("too many");
            let error = error.to_string();
            let why = "user_properties: at most 1000 of them";
            assert!(error.contains(why), "{error}");
        }
        let answer: Properties = serde_json::from_str(&text(most + 1, "")).expect("an answer");
        assert_eq!(answer.user_properties.len(), most + 1);
    }

    /// Would fail if a request had not all that an answer has.
    #[test]
    fn properties_of_a_request_are_those_of_an_answer() {
        let properties = Properties {
            payload_format_indicator: Some(true),
            message_expiry_interval: Some(1),
            content_type: Some("c".into()),
            response_topic: Some("r".into()),
            correlation_data_base64: Some("AA==".into()),
            user_properties: vec![UserProperty {
                name: "n".into(),
                value: "v".into(),
            }],
        };
        let request = PublishRequest {
            properties,
            ..PublishRequest::default()
        };
        let text = serde_json::to_string(&request).expect("writes");
        let read: PublishRequest = serde_json::from_str(&text).expect("a request");
        assert_eq!(read, request);
    }
}
