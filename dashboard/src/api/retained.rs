//! Retained messages: looked up, deleted together, and brought back.

use ebbtide_api::{
    DeleteRetainedResponse, PublishManyRequest, PublishManyResponse, PublishRequest,
    RetainedMessage, RetainedPage,
};
use form_urlencoded::Serializer;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Fault, call, get};

/// Where a topic's retained message is.
pub fn path(topic: &str) -> String {
    let topic = utf8_percent_encode(topic, NON_ALPHANUMERIC);
    format!("/api/v1/retained/{topic}")
}

/// All but its payload; `None`: nothing is retained there any more. Asked as a list, in which nothing is no fault: a message
/// may be cleared, or expire, while the question is on its way.
pub async fn about(topic: &str) -> Result<Option<RetainedMessage>, Fault> {
    let query = Serializer::new(String::new())
        .append_pair("filter", topic)
        .append_pair("payload_bytes_max", "0")
        .finish();
    let page: RetainedPage = get(&format!("/api/v1/retained?{query}")).await?;
    Ok(page.retained.into_iter().next())
}

/// What would be deleted, or with `dry_run` false, what was.
pub async fn delete_matching(
    filter: &str,
    dry_run: bool,
) -> Result<DeleteRetainedResponse, String> {
    let query = Serializer::new(String::new())
        .append_pair("filter", filter)
        .append_pair("dry_run", if dry_run { "true" } else { "false" })
        .finish();
    let path = format!("/api/v1/retained?{query}");
    let deleted = call("DELETE", &path, None::<&()>).await;
    deleted.map_err(|fault| fault.to_string())
}

/// Publishes them again. How many the broker took.
pub async fn bring_back(messages: Vec<PublishRequest>) -> Result<usize, String> {
    let body = PublishManyRequest { messages };
    let answer: Result<PublishManyResponse, _> =
        call("POST", "/api/v1/publish/many", Some(&body)).await;
    let answer = answer.map_err(|fault| fault.to_string())?;
    let taken = answer
        .results
        .iter()
        .filter(|result| result.reason_code < 0x80);
    Ok(taken.count())
}
